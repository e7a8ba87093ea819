"""Detrended fluctuation analysis: does what happens now still bear on what happens much later, and by one exponent?

The way the data takes: series -> F(s) at up to 30 scales (`fluctuation`) -> slope of log F over log s -> an interval by
stretches of time -> the same slope of the series shuffled, which says whether order matters at all, and phase-randomised,
which says whether linear correlation is all of it.

Exponent 0.5: no long memory; 0.5 to 1: a stationary series whose memory fades as a power; 1: 1/f noise; 1.5: a random walk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from kleiber.diagnose.criticality import fluctuation, resample
from kleiber.diagnose.criticality.noise import fractional_gaussian_noise
from kleiber.diagnose.criticality.surrogates import phase_randomised, shuffled
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME = "dfa"
REFERENCE = "Peng et al. 1994, Physical Review E 49:1685; surrogates as in Theiler et al. 1992, Physica D 58:77"
FEWEST, LEVEL = 512, 0.05
SURROGATES, FEW = 99, 39
SATURATED = 1.9


@dataclass(frozen=True, kw_only=True, eq=False)
class Dfa:
    """F(s) of a series with its exponent; `shuffled` and `phase_randomised` hold the exponents of the surrogates."""

    length: int
    order: int
    scales_S: NDArray[np.int64]
    fluctuations_S: Array
    exponent: float
    interval: tuple[float, float]
    shuffled: Array
    phase_randomised: Array
    finding: Finding


def dfa(
    series: ArrayLike,
    *,
    order: int = 1,
    scales: ArrayLike | None = None,
    surrogates: int = SURROGATES,
    phases: bool = True,
    seed: int = 0,
) -> Dfa | Finding:
    """The fluctuation exponent of a series `(n,)`, or the finding that it cannot be told.

    F(s) ~ s^exponent over `scales` (samples; by default up to 30 from 16 to n / 10), windows detrended by a polynomial of
    `order` 1 or 2. The 95 % interval is by t over 10 stretches of time. `phases=False` leaves the phase-randomised surrogates
    out.

    Raises `InputError` where a value is not finite or a scale does not suit.

    >>> import numpy as np
    >>> white = np.random.default_rng(0).normal(size=4096)
    >>> found = dfa(white)
    >>> round(found.exponent, 2), found.finding.verdict
    (0.51, 'ok')
    """
    values_n = numbers(series)
    unfit = unfit_for_scaling(values_n, NAME, REFERENCE)
    if unfit is not None:
        return unfit
    rng = np.random.default_rng(seed)
    scales_S = fluctuation.usual_scales(values_n.size) if scales is None else np.asarray(scales, dtype=np.int64)
    squares, counts_S = fluctuation.window_squares(fluctuation.profile(values_n), scales_S, order)
    fluctuations_S = np.sqrt(np.add.reduceat(squares, fluctuation.starts(counts_S)) / counts_S)
    if not fluctuations_S.min() > 1e-12 * fluctuations_S.max():
        return cannot_tell(NAME, "Within some windows the profile is a polynomial: there is nothing left to measure.")
    exponent = fluctuation.slope(scales_S, fluctuations_S)
    error = resample.block_error(squares, counts_S, scales_S, values_n.size, rng)
    reach = error * float(stats.t.ppf(0.975, resample.BLOCKS - 1))

    by_shuffling = exponents_of((shuffled(values_n, rng) for _ in range(surrogates)), scales_S, order)
    by_phases = _phases(values_n, exponent, scales_S, order, surrogates, rng) if phases else np.empty(0)
    interval = (exponent - reach, exponent + reach)
    return Dfa(
        length=values_n.size,
        order=order,
        scales_S=scales_S,
        fluctuations_S=fluctuations_S,
        exponent=exponent,
        interval=interval,
        shuffled=by_shuffling,
        phase_randomised=by_phases,
        finding=_finding(exponent, interval, scales_S, by_shuffling, by_phases),
    )


def unfit_for_scaling(values_n: Array, name: str, reference: str) -> Finding | None:
    """Why no exponent can be had of a series: too short, or all the same."""
    if values_n.size < FEWEST:
        return cannot_tell(
            name,
            f"{values_n.size} samples span less than a factor of 3 in scale: no exponent can be told from them.",
            remedy=f"measure at least {FEWEST} samples; 10,000 give two decades",
            reference=reference,
        )
    if np.ptp(values_n) == 0:
        return cannot_tell(name, "The series is constant: there is nothing that fluctuates.", reference=reference)
    return None


def exponents_of(draws: Iterable[Array], scales_S: NDArray[np.int64], order: int) -> Array:
    """The exponent of each of several series over the same scales."""
    return np.array([fluctuation.slope(scales_S, fluctuation.fluctuations(each, scales_S, order)) for each in draws])


def _phases(
    values_n: Array, exponent: float, scales_S: NDArray[np.int64], order: int, times: int, rng: np.random.Generator
) -> Array:
    """A wandering series is randomised by its steps: as it stands, its two ends would not meet."""
    if exponent <= 1:
        return exponents_of((phase_randomised(values_n, rng) for _ in range(times)), scales_S, order)
    steps = np.diff(values_n)
    return exponents_of((np.cumsum(phase_randomised(steps, rng)) for _ in range(times)), scales_S, order)


def middle(values: Array) -> str:
    """The mean and the central 95 % of surrogates in words."""
    low, high = np.quantile(values, [0.025, 0.975])
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def _finding(
    exponent: float, interval: tuple[float, float], scales_S: NDArray[np.int64], by_shuffling: Array, by_phases: Array
) -> Finding:
    share = resample.two_sided(exponent, by_shuffling)
    decades = float(np.log10(scales_S[-1] / scales_S[0]))
    said = (
        f"The fluctuation exponent is {exponent:.3f} [{interval[0]:.3f}, {interval[1]:.3f}] over {scales_S[0]} to "
        f"{scales_S[-1]} samples; shuffled, the series gives {middle(by_shuffling)}, p = {share:.2f}"
    )
    if share <= LEVEL:
        said += ": the order of the values carries correlation"
    else:
        said += ": no memory is seen beyond what chance gives"
    if by_phases.size and share <= LEVEL:
        linear = resample.two_sided(exponent, by_phases)
        alike = (
            "which linear correlation accounts for"
            if linear > LEVEL
            else "which linear correlation does not account for"
        )
        said += f", {alike} (phase-randomised {middle(by_phases)}, p = {linear:.2f})"
    caveats = ["Short memory bends the line rather than raising it: read the exponent with the crossover test."]
    if decades < 1:
        caveats.append(f"The scales span {decades:.1f} decades: too few to speak of a power law.")
    if exponent > SATURATED:
        caveats.append("Exponents above 2 look like 2 to this analysis.")
    return Finding(
        name=NAME,
        verdict="found" if share <= LEVEL else "ok",
        value=exponent,
        interval=interval,
        evidence=said + ".",
        caveats=tuple(caveats),
        reference=REFERENCE,
    )


def measure(series: ArrayLike) -> Finding:
    """The finding alone, by as few surrogates as a level of 5 % takes."""
    found = dfa(series, surrogates=FEW, phases=False)
    return found if isinstance(found, Finding) else found.finding


def null(rng: np.random.Generator) -> Arrays:
    """Independent values of a skewed distribution."""
    return {"series": rng.exponential(size=1024)}


def planted(rng: np.random.Generator) -> Arrays:
    """Fractional Gaussian noise with Hurst exponent 0.75."""
    return {"series": fractional_gaussian_noise(1024, 0.75, rng)}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="long memory by detrended fluctuation analysis",
    measure=measure,
    null=null,
    planted=planted,
    power=0.95,
    reference=REFERENCE,
)
