"""The three questions asked of a tail, each with samples that should leave it quiet and samples that should not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.criticality.tails import GOODNESS, HEAVY, NAME, REFERENCE, draw_power_law, power_law
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.finding import Finding

FEW_DRAWS = 19


def not_a_power_law(values: ArrayLike, xmin: float) -> Finding:
    """The contest alone, from a given start."""
    found = power_law(values, xmin=xmin, draws=0)
    return found if isinstance(found, Finding) else found.findings[0]


def heavy(values: ArrayLike) -> Finding:
    """Whether the tail is heavier than an exponential."""
    found = power_law(values, draws=0)
    return found if isinstance(found, Finding) else found.findings[1]


def goodness(values: ArrayLike, xmin: float) -> Finding:
    """Whether a power law from a given start could have given the tail, by as few draws as a level of 5 % takes."""
    found = power_law(values, xmin=xmin, draws=FEW_DRAWS)
    return found if isinstance(found, Finding) else found.findings[2]


def _pareto(rng: np.random.Generator, size: int) -> Arrays:
    return {"values": draw_power_law(size, 1.0, 2.5, False, rng)}


def _lognormal_tail(rng: np.random.Generator) -> Arrays:
    values = np.exp(rng.normal(scale=1.0, size=3000))
    return {"values": values[values >= 1.0], "xmin": 1.0}


def _exponential_body(rng: np.random.Generator) -> Arrays:
    return {"values": 1 + rng.exponential(size=400), "xmin": 1.0}


CONTEST = Diagnostic(
    name=NAME,
    title="a tail against a power law and its rivals",
    measure=not_a_power_law,
    null=lambda rng: {**_pareto(rng, 1500), "xmin": 1.0},
    planted=_lognormal_tail,
    reference=REFERENCE,
)
HEAVY_TAIL = Diagnostic(
    name=HEAVY,
    title="a tail heavier than an exponential",
    measure=heavy,
    null=lambda rng: {"values": rng.exponential(size=1000)},
    planted=lambda rng: _pareto(rng, 1000),
    reference=REFERENCE,
)
GOODNESS_OF_FIT = Diagnostic(
    name=GOODNESS,
    title="a tail that no power law gave",
    measure=goodness,
    null=lambda rng: {**_pareto(rng, 400), "xmin": 1.0},
    planted=_exponential_body,
    reference=REFERENCE,
)
DIAGNOSTICS = (CONTEST, HEAVY_TAIL, GOODNESS_OF_FIT)
