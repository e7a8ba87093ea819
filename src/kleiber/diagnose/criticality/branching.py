"""How many others does an active unit wake? The branching ratio m, though only some of the units are seen.

The way the data takes: activity a_t -> slope r_k of a_(t+k) over a_t for lags k = 1, 2, ... -> r_k = b m^k over the lags. What
is not seen lowers b and leaves m alone, where the usual estimate, r_1, is lowered with b. The null has the activity shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from kleiber.diagnose.criticality import resample
from kleiber.diagnose.criticality.cascades import driven_branching
from kleiber.diagnose.criticality.lowest import lowest
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME = "branching_ratio"
REFERENCE = "Wilting & Priesemann 2018, Nature Communications 9:2325 (multistep regression)"
FEWEST, LAGS, BLOCKS, SHUFFLES, LEVEL = 500, 40, 10, 39, 0.05
LARGEST_RATIO = 1.2


@dataclass(frozen=True, kw_only=True, eq=False)
class Branching:
    """r_k over the lags, the fitted ratio m with its interval, the share b of the correlation that is seen, and r_1."""

    lags_K: NDArray[np.int64]
    slopes_K: Array
    ratio: float
    interval: tuple[float, float]
    seen: float
    naive: float
    finding: Finding


def branching_ratio(activity: ArrayLike, *, lags: int | None = None, seed: int = 0) -> Branching | Finding:
    """The branching ratio of an activity `(n,)`, counts of events per step, n >= 500, or the finding that it cannot be told.

    r_k = cov(a_(t+k), a_t) / var(a_t) = b m^k; `lags` is how many lags are fitted, by default 40 or a twentieth of the steps.

    >>> import numpy as np
    >>> from kleiber.diagnose.criticality.cascades import driven_branching
    >>> found = branching_ratio(driven_branching(20_000, 0.9, 10.0, np.random.default_rng(0), seen=0.1))
    >>> round(found.ratio, 1), found.naive < 0.6
    (0.9, True)
    """
    counts_n = numbers(activity, what="the activity")
    if (counts_n < 0).any():
        raise InputError("activity counts events", found=f"{counts_n.min():g} at row {counts_n.argmin() + 1}")
    if counts_n.size < FEWEST or np.ptp(counts_n) == 0:
        why = "is constant" if counts_n.size >= FEWEST else f"has {counts_n.size} steps"
        return cannot_tell(NAME, f"The activity {why}.", remedy=f"record {FEWEST} steps or more", reference=REFERENCE)
    rng = np.random.default_rng(seed)
    lags_K = np.arange(1, (lags or min(LAGS, counts_n.size // 20)) + 1)
    products = _products(counts_n, lags_K)
    slopes_K = products[0].sum(axis=0) / products[1].sum()
    ratio, seen = fit_ratio(lags_K, slopes_K)
    null = [float(_slopes(rng.permutation(counts_n), lags_K).sum()) for _ in range(SHUFFLES)]
    share = resample.one_sided(float(slopes_K.sum()), null)
    reach = _error(products, lags_K) * float(stats.t.ppf(0.975, BLOCKS - 1))
    interval = (max(ratio - reach, 0.0), ratio + reach)
    return Branching(
        lags_K=lags_K,
        slopes_K=slopes_K,
        ratio=ratio,
        interval=interval,
        seen=seen,
        naive=float(slopes_K[0]),
        finding=_finding(ratio, interval, float(slopes_K[0]), share),
    )


def fit_ratio(lags_K: NDArray[np.int64], slopes_K: Array) -> tuple[float, float]:
    """m and b of r_k = b m^k by least squares; b has a closed form for every m."""

    def scale(ratio: float) -> float:
        powers = ratio**lags_K
        return float(powers @ slopes_K / (powers @ powers))

    def cost(ratio: float) -> float:
        return float(((slopes_K - scale(ratio) * ratio**lags_K) ** 2).sum())

    grid = np.linspace(0.01, LARGEST_RATIO, 60)
    near = int(np.argmin([cost(ratio) for ratio in grid]))
    best = lowest(cost, grid[max(near - 1, 0)], grid[min(near + 1, grid.size - 1)], tolerance=1e-7)
    return best, scale(best)


def _products(counts_n: Array, lags_K: NDArray[np.int64]) -> tuple[Array, Array]:
    """Sums of lagged products and of squares, by stretch of time: `(BLOCKS, K)` and `(BLOCKS,)`."""
    away = counts_n - counts_n.mean()
    usable = counts_n.size - int(lags_K[-1])
    size = usable // BLOCKS
    ends = np.arange(BLOCKS) * size
    first = away[: BLOCKS * size]
    lagged = [np.add.reduceat(first * away[lag : lag + BLOCKS * size], ends) for lag in lags_K]
    return np.stack(lagged, axis=1), np.add.reduceat(first**2, ends)


def _slopes(counts_n: Array, lags_K: NDArray[np.int64]) -> Array:
    lagged, squares = _products(counts_n, lags_K)
    return lagged.sum(axis=0) / squares.sum()


def _error(products: tuple[Array, Array], lags_K: NDArray[np.int64]) -> float:
    """The jackknife over stretches of time."""
    lagged, squares = products
    left_out = [
        fit_ratio(lags_K, (lagged.sum(axis=0) - lagged[block]) / (squares.sum() - squares[block]))[0]
        for block in range(BLOCKS)
    ]
    return float(np.sqrt((BLOCKS - 1) * np.var(left_out)))


def _finding(ratio: float, interval: tuple[float, float], naive: float, share: float) -> Finding:
    loud = share <= LEVEL
    if not loud:
        said = f"Activity does not beget activity: shuffled in time it predicts itself as well (p = {share:.2f})."
        return Finding(name=NAME, verdict="ok", evidence=said, reference=REFERENCE)
    said = (
        f"An active unit wakes {ratio:.3f} others [{interval[0]:.3f}, {interval[1]:.3f}]; from one step to the next alone it "
        f"would seem {naive:.3f}"
    )
    side = "below" if interval[1] < 1 else "not distinguishable from"
    return Finding(
        name=NAME,
        verdict="found",
        value=ratio,
        interval=interval,
        evidence=f"{said}: {side} the critical ratio of 1.",
        caveats=("Slow input from outside correlates activity too, and raises the ratio.",),
        reference=REFERENCE,
    )


def measure(activity: ArrayLike) -> Finding:
    """The finding alone."""
    found = branching_ratio(activity)
    return found if isinstance(found, Finding) else found.finding


def null(rng: np.random.Generator) -> Arrays:
    """Independent Poisson counts."""
    return {"activity": rng.poisson(3.0, size=2000).astype(np.float64)}


def planted(rng: np.random.Generator) -> Arrays:
    """A branching ratio of 0.9, of which a tenth of the events are seen."""
    return {"activity": driven_branching(2000, 0.9, 10.0, rng, seen=0.1)}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="activity that begets activity",
    measure=measure,
    null=null,
    planted=planted,
    reference=REFERENCE,
)
