"""Doubt from stretches of time, and ranks among surrogates: the two ways these diagnostics say how sure they are.

Windows of all scales that lie in one stretch are drawn together, so what one scale shares with another stays in the interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.criticality.fluctuation import Scales, starts

Array = NDArray[np.float64]
BLOCKS, DRAWS = 10, 400


def by_block(squares: Array, counts_S: Scales, scales_S: Scales, length: int) -> tuple[Array, Array]:
    """Sums of the windows' squares and how many windows there are, by stretch of time and scale, `(BLOCKS, S)` each."""
    totals_KS, windows_KS = np.zeros((BLOCKS, scales_S.size)), np.zeros((BLOCKS, scales_S.size))
    for place, (first, count, scale) in enumerate(zip(starts(counts_S), counts_S, scales_S, strict=True)):
        block = ((np.arange(count) + 0.5) * scale * BLOCKS / length).astype(np.int64)
        totals_KS[:, place] = np.bincount(block, squares[first : first + count], BLOCKS)
        windows_KS[:, place] = np.bincount(block, minlength=BLOCKS)
    return totals_KS, windows_KS


def block_error(squares: Array, counts_S: Scales, scales_S: Scales, length: int, rng: np.random.Generator) -> float:
    """Standard error of the exponent by drawing stretches of time with replacement."""
    totals_KS, windows_KS = by_block(squares, counts_S, scales_S, length)
    times_BK = rng.multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS), DRAWS).astype(np.float64)
    totals_BS, windows_BS = times_BK @ totals_KS, times_BK @ windows_KS
    # Ten windows at the longest scale: a draw has none of them only where a scale is longer than a tenth of the series.
    whole_B = (totals_BS > 0).all(axis=1)
    times_S = np.log(scales_S) - np.log(scales_S).mean()
    slopes_B = 0.5 * np.log(totals_BS[whole_B] / windows_BS[whole_B]) @ times_S / (times_S @ times_S)
    return float(np.std(slopes_B) * np.sqrt(BLOCKS / (BLOCKS - 1))) if whole_B.sum() > 1 else float("inf")


def two_sided(value: float, nulls: ArrayLike) -> float:
    """The share of nulls, the value among them, that lie as far from the middle of all as the value does.

    >>> two_sided(9.0, [1.0, 2.0, 3.0])
    0.25
    """
    everything = np.append(np.asarray(nulls, dtype=np.float64), value)
    away = np.abs(everything - everything.mean())
    return float(np.mean(away >= away[-1]))


def one_sided(value: float, nulls: ArrayLike) -> float:
    """The share of nulls, the value among them, that are as large as the value.

    >>> one_sided(9.0, [1.0, 2.0, 3.0])
    0.25
    """
    return float(np.mean(np.append(np.asarray(nulls, dtype=np.float64), value) >= value))
