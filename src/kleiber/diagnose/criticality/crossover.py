"""Is the line of log F over log s one line? A crossover means that the series is not scale-invariant over these scales.

The way the data takes: log F over log s -> at every inner scale the bend of the best broken line -> the largest bend, in
units of its scatter in fractional noise of the same exponent and length, which has one exponent and nothing else -> its rank
among theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.criticality import fluctuation, resample
from kleiber.diagnose.criticality.dfa import FEW, LEVEL, SURROGATES, unfit_for_scaling
from kleiber.diagnose.criticality.noise import fractional_gaussian_noise, noise_with_exponent
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME = "crossover"
REFERENCE = "Hu et al. 2001, Physical Review E 64:011114 (crossovers); the null is drawn by Davies & Harte 1987"
FEWEST_BESIDE = 4  # scales on either side of a break
STEEPEST = 1.95


@dataclass(frozen=True, kw_only=True, eq=False)
class Crossover:
    """The sharpest bend: at `scale` samples from exponent `below` to `above`, with its share among one-exponent noise."""

    scale: int
    below: float
    above: float
    p: float
    finding: Finding


def crossover(
    series: ArrayLike, *, order: int = 1, scales: ArrayLike | None = None, surrogates: int = SURROGATES, seed: int = 0
) -> Crossover | Finding:
    """The sharpest bend of F(s), or the finding that it cannot be told; arguments as those of `dfa`.

    >>> import numpy as np
    >>> from kleiber.diagnose.criticality.noise import fractional_gaussian_noise
    >>> crossover(fractional_gaussian_noise(2048, 0.7, np.random.default_rng(0))).finding.verdict
    'ok'
    """
    values_n = numbers(series)
    unfit = unfit_for_scaling(values_n, NAME, REFERENCE)
    if unfit is not None:
        return unfit
    scales_S = fluctuation.usual_scales(values_n.size) if scales is None else np.asarray(scales, dtype=np.int64)
    if scales_S.size < 2 * FEWEST_BESIDE + 1:
        return cannot_tell(NAME, f"{scales_S.size} scales are too few for two lines.", reference=REFERENCE)
    fluctuations_S = fluctuation.fluctuations(values_n, scales_S, order)
    if not fluctuations_S.min() > 1e-12 * fluctuations_S.max():
        return cannot_tell(NAME, "Within some windows the profile is a polynomial: there is nothing left to measure.")
    exponent = fluctuation.slope(scales_S, fluctuations_S)
    if exponent > STEEPEST:
        return cannot_tell(
            NAME,
            f"With an exponent of {exponent:.2f} the series is smoother than any fractional noise.",
            remedy="take its differences",
            reference=REFERENCE,
        )
    rng = np.random.default_rng(seed)
    noises = (noise_with_exponent(values_n.size, exponent, rng) for _ in range(surrogates))
    null_BS = np.stack([fluctuation.fluctuations(each, scales_S, order) for each in noises])
    return _judge(scales_S, np.vstack([null_BS, fluctuations_S]), exponent)


def _judge(scales_S: NDArray[np.int64], all_BS: Array, exponent: float) -> Crossover:
    """The last row is the series, the others are its null; each row's bends are scaled by their scatter over all rows."""
    below_BK, above_BK = broken_lines(np.log(scales_S), np.log(all_BS))
    bend_BK = above_BK - below_BK
    scaled_BK = np.abs(bend_BK - bend_BK.mean(axis=0)) / bend_BK.std(axis=0)
    largest_B = scaled_BK.max(axis=1)
    share, place = resample.one_sided(float(largest_B[-1]), largest_B[:-1]), int(scaled_BK[-1].argmax())
    below, above = float(below_BK[-1, place]), float(above_BK[-1, place])
    scale = int(scales_S[FEWEST_BESIDE + place])
    span = f"{scales_S[0]} to {scales_S[-1]} samples"
    if share <= LEVEL:
        said = (
            f"The exponent changes from {below:.2f} below {scale} samples to {above:.2f} above (p = {share:.2f} against noise of "
            f"one exponent): the series is not scale-invariant over {span}."
        )
    else:
        said = f"One exponent, {exponent:.2f}, serves from {span}: the sharpest bend is one that chance gives (p = {share:.2f})."
    finding = Finding(
        name=NAME,
        verdict="found" if share <= LEVEL else "ok",
        value=above - below,
        evidence=said,
        caveats=("The null is Gaussian noise of the same exponent and length; trends and cycles bend the line too.",),
        reference=REFERENCE,
    )
    return Crossover(scale=scale, below=below, above=above, p=share, finding=finding)


def broken_lines(x_S: Array, y_BS: Array) -> tuple[Array, Array]:
    """Slopes below and above every inner break of a continuous broken line over log scale, `(B, breaks)` each.

    Scales are weighted by their windows, 1 / s: those of few windows scatter and would tilt the line where there are many.
    """
    weight_S = np.exp(-0.5 * x_S)
    below, above = [], []
    for place in range(FEWEST_BESIDE, x_S.size - FEWEST_BESIDE):
        beyond_S = np.maximum(x_S - x_S[place], 0.0)
        basis_SP = np.stack([np.ones_like(x_S), x_S, beyond_S], axis=1)
        solved, *_ = np.linalg.lstsq(weight_S[:, None] * basis_SP, weight_S[:, None] * y_BS.T)
        below.append(solved[1])
        above.append(solved[1] + solved[2])
    return np.stack(below, axis=1), np.stack(above, axis=1)


def measure(series: ArrayLike) -> Finding:
    """The finding alone, by as few surrogates as a level of 5 % takes."""
    found = crossover(series, surrogates=FEW)
    return found if isinstance(found, Finding) else found.finding


def null(rng: np.random.Generator) -> Arrays:
    """Fractional Gaussian noise with Hurst exponent 0.7: one exponent at all scales."""
    return {"series": fractional_gaussian_noise(2048, 0.7, rng)}


def planted(rng: np.random.Generator) -> Arrays:
    """A first-order autoregression: a random walk within some 20 samples, white noise beyond."""
    from scipy.signal import lfilter

    return {"series": np.asarray(lfilter([1.0], [1.0, -0.95], rng.normal(size=2048)))}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="a crossover between two exponents",
    measure=measure,
    null=null,
    planted=planted,
    reference=REFERENCE,
)
