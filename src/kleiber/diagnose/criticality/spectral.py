"""The exponent of the spectrum at low frequencies, f^-beta: white 0, pink 1, brown 2; beta = 2 (DFA exponent) - 1.

The way the data takes: series -> periodogram at the lowest n^0.65 frequencies -> local Whittle estimate of beta, whose
standard error is known, 1 / sqrt(sum of (log f - mean)^2): 1 / sqrt(m) for m frequencies as m grows, and larger for few. A series
that wanders is differenced first, and 2 added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.criticality.dfa import unfit_for_scaling
from kleiber.diagnose.criticality.lowest import lowest
from kleiber.diagnose.criticality.noise import power_law_noise
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import numbers
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME = "spectral_exponent"
REFERENCE = "Robinson 1995, Annals of Statistics 23:1630 (local Whittle estimate)"
SHARE, WANDERING = 0.65, 1.5
STEEP = 3.0


def spectral_exponent(series: ArrayLike) -> Finding:
    """beta of the spectral density f^-beta of a series `(n,)` of at least 512 samples, with a 95 % interval.

    minimise over beta: log mean(f^beta I) - beta mean(log f), over the lowest n^0.65 frequencies; the error is the curvature's

    >>> import numpy as np
    >>> spectral_exponent(np.random.default_rng(0).normal(size=4096)).verdict
    'ok'
    """
    values_n = numbers(series)
    unfit = unfit_for_scaling(values_n, NAME, REFERENCE)
    if unfit is not None:
        return unfit
    beta, error = local_whittle(values_n)
    if beta > WANDERING:
        beta = local_whittle(np.diff(values_n))[0] + 2.0
    low, high = beta - 1.96 * error, beta + 1.96 * error
    loud = not low <= 0 <= high
    said = f"At low frequencies the spectrum goes as f^-{beta:.2f} [{low:.2f}, {high:.2f}]"
    return Finding(
        name=NAME,
        verdict="found" if loud else "ok",
        value=beta,
        interval=(low, high),
        evidence=f"{said}: {'slow changes are larger than white noise has them' if beta > 0 else 'slow changes are damped'}."
        if loud
        else f"{said}: as white noise has it.",
        caveats=("Short memory and trends raise it as well as a power law does.",),
        reference=REFERENCE,
    )


def local_whittle(values_n: Array) -> tuple[float, float]:
    """beta and its standard error."""
    count = int(values_n.size**SHARE)
    frequency = np.arange(1, count + 1) / values_n.size
    power = np.abs(np.fft.rfft(values_n - values_n.mean())[1 : count + 1]) ** 2
    logs, power = np.log(frequency), np.maximum(power / power.mean(), 1e-300)

    def cost(beta: float) -> float:
        return float(np.log(np.mean(np.exp(beta * logs) * power)) - beta * logs.mean())

    return lowest(cost, -STEEP, STEEP, tolerance=1e-6), float(1 / np.sqrt(((logs - logs.mean()) ** 2).sum()))


def null(rng: np.random.Generator) -> Arrays:
    """White noise."""
    return {"series": rng.normal(size=4096)}


def planted(rng: np.random.Generator) -> Arrays:
    """Noise of density f^-0.5."""
    return {"series": power_law_noise(4096, 0.5, rng)}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="a spectrum that is not white at low frequencies",
    measure=spectral_exponent,
    null=null,
    planted=planted,
    level=0.06,
    power=0.95,
    reference=REFERENCE,
)
