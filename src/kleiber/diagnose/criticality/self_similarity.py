"""Do usual and large fluctuations grow alike with scale? One exponent for all is self-similarity; several, multifractality.

The way the data takes: series (its steps, where it wanders) -> normal scores by rank, so that only the order counts and not a
few large values -> windows' mean squares at every scale -> the exponent h(q) of their mean to the power q / 2 -> h(1/2) -
h(3), the spread between usual and large fluctuations -> its rank among phase-randomised series. A product of factors over
scales (a cascade) spreads the exponents; a sum of independent steps does not.

Ranks see bursts of changing spread, and not a cascade whose values are all positive: the ranks of such are those of a Gaussian
series, and the order of their sizes is linear correlation of their logs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from kleiber.diagnose.criticality import fluctuation, resample
from kleiber.diagnose.criticality.dfa import FEW, LEVEL, unfit_for_scaling
from kleiber.diagnose.criticality.noise import fractional_gaussian_noise
from kleiber.diagnose.criticality.surrogates import phase_randomised
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME = "self_similarity"
REFERENCE = "Kantelhardt et al. 2002, Physica A 316:87; null as in Theiler et al. 1992, Physica D 58:77"
USUAL, LARGE = 0.5, 3.0
SURROGATES = 99


def generalised_exponents(series_n: Array, scales_S: ArrayLike, powers_Q: ArrayLike, order: int = 1) -> Array:
    """h(q), `(Q,)`: the slopes of log F_q over log s, F_q(s) = (mean over windows of F^q)^(1/q), q > 0.

    >>> import numpy as np
    >>> white = np.random.default_rng(0).normal(size=20_000)
    >>> np.round(generalised_exponents(white, [16, 32, 64, 128, 256], [1, 2, 4]), 1)
    array([0.5, 0.5, 0.5])
    """
    scales = np.asarray(scales_S, dtype=np.int64)
    squares, counts_S = fluctuation.window_squares(fluctuation.profile(series_n), scales, order)
    first_S = fluctuation.starts(counts_S)
    means_QS = [(np.add.reduceat(squares ** (q / 2), first_S) / counts_S) ** (1 / q) for q in np.asarray(powers_Q)]
    return np.array([fluctuation.slope(scales, row_S) for row_S in means_QS])


def self_similarity(series: ArrayLike, *, order: int = 1, surrogates: int = SURROGATES, seed: int = 0) -> Finding:
    """Whether one exponent serves usual and large fluctuations of a series `(n,)` of at least 512 samples.

    >>> import numpy as np
    >>> self_similarity(np.random.default_rng(0).normal(size=2048)).verdict
    'ok'
    """
    values_n = numbers(series)
    unfit = unfit_for_scaling(values_n, NAME, REFERENCE)
    if unfit is not None:
        return unfit
    rng, scales_S = np.random.default_rng(seed), fluctuation.usual_scales(values_n.size)
    reached_S = fluctuation.fluctuations(values_n, scales_S, order)
    if not reached_S.min() > 1e-12 * np.ptp(values_n):
        return cannot_tell(NAME, "Within some windows nothing fluctuates.", reference=REFERENCE)
    wanders = fluctuation.slope(scales_S, reached_S) > 1
    scores_n = normal_scores(np.diff(values_n) if wanders else values_n)

    def ends(each_n: Array) -> Array:
        return generalised_exponents(np.cumsum(each_n) if wanders else each_n, scales_S, [USUAL, LARGE], order)

    usual, large = ends(scores_n)
    null = np.array([-np.diff(ends(phase_randomised(scores_n, rng)))[0] for _ in range(surrogates)])
    share = resample.one_sided(usual - large, null)
    low, high = np.quantile(null, [0.025, 0.975])
    said = (
        f"Usual fluctuations grow with exponent {usual:.2f}, large ones with {large:.2f}; in phase-randomised series they "
        f"differ by {low:.2f} to {high:.2f} (p = {share:.2f})"
    )
    loud = share <= LEVEL
    return Finding(
        name=NAME,
        verdict="found" if loud else "ok",
        value=float(usual - large),
        evidence=f"{said}: {'bursts make it multifractal' if loud else 'one exponent serves both'}.",
        caveats=("Bursts can come from a change of level or of spread as well as from a cascade.",),
        reference=REFERENCE,
    )


def normal_scores(values_n: Array) -> Array:
    """The values' places in a normal distribution, by rank; ties share one."""
    return special.ndtri((stats.rankdata(values_n) - 0.5) / values_n.size)


def cascade(levels: int, rng: np.random.Generator, share: float) -> Array:
    """A random binomial cascade, `(2**levels,)`: halves of an interval get `share` and 1 - `share` of its mass."""
    mass = np.ones(1)
    for _ in range(levels):
        left = np.where(rng.random(mass.size) < 0.5, share, 1 - share)
        mass = np.stack([mass * left, mass * (1 - left)], axis=1).ravel()
    return mass * mass.size


def measure(series: ArrayLike) -> Finding:
    """The finding by as few surrogates as a level of 5 % takes."""
    return self_similarity(series, surrogates=FEW)


def null(rng: np.random.Generator) -> Arrays:
    """Fractional Gaussian noise with Hurst exponent 0.7: one exponent for usual and large fluctuations."""
    return {"series": fractional_gaussian_noise(2048, 0.7, rng)}


def planted(rng: np.random.Generator) -> Arrays:
    """White signs whose sizes are a binomial cascade: bursts within bursts."""
    return {"series": cascade(11, rng, 0.7) * rng.choice([-1.0, 1.0], size=2048)}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="bursts within bursts",
    measure=measure,
    null=null,
    planted=planted,
    reference=REFERENCE,
)
