"""Avalanches as a diagnostic: activity by chance leaves it quiet, a critical branching process does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.criticality.avalanches import NAME, REFERENCE, Avalanches, avalanches, exponents
from kleiber.diagnose.criticality.cascades import branching_avalanches
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.finding import Finding

FEW_DRAWS = 25


def measure(activity: ArrayLike | None = None, sizes: ArrayLike = (), durations: ArrayLike = ()) -> Finding:
    """The finding of an activity, or of avalanches' sizes and durations."""
    if activity is None:
        found = Avalanches(sizes_A=np.asarray(sizes, dtype=float), durations_A=np.asarray(durations, dtype=float))
    else:
        found = avalanches(activity)
    result = exponents(found, draws=FEW_DRAWS)
    return result if isinstance(result, Finding) else result.finding


def null(rng: np.random.Generator) -> Arrays:
    """Independent counts of mean 1.5 per step: avalanches by chance."""
    return {"activity": rng.poisson(1.5, size=8000).astype(np.float64)}


def planted(rng: np.random.Generator) -> Arrays:
    """Avalanches of a critical branching process, one seed each."""
    sizes, durations = branching_avalanches(3000, 1.0, rng)
    return {"sizes": sizes, "durations": durations}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="avalanches whose exponents hang together",
    measure=measure,
    null=null,
    planted=planted,
    reference=REFERENCE,
)
