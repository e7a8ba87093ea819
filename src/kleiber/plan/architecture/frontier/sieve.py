"""Which of many points no other point beats: exact, for two or three axes of which less is better.

The way the data takes: points -> sorted by the first axis -> a sweep that keeps what the other axes do not already have.
The one idea: sorted by (first, second, third), a point can only be beaten by one before it. With two axes it is beaten where
the running least of the second is no more than its own. With three, the unbeaten (second, third) so far form a staircase: one
look-up tells whether a point lies above it, and a whole block of points is looked up at once, so that only the few that
survive their block are gone through one by one.

Of points that are equal in everything the first is kept.

Legend: N points, A axes.

Source: Kung, Luccio & Preparata 1975, doi 10.1145/321906.321910.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLOCK = 4096


def unbeaten(points_NA: Array) -> NDArray[np.intp]:
    """The places, in ascending order, of the points for which no other is at least as good in everything.

    >>> unbeaten(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0], [3.0, 1.0], [1.0, 3.0]]))
    array([0, 1, 3])
    """
    count, axes = points_NA.shape
    assert axes in (2, 3), "two or three axes"
    assert np.isfinite(points_NA).all(), "points are finite"
    if not count:
        return np.empty(0, dtype=np.intp)
    order_N = np.lexsort(points_NA.T[::-1])  # stable, so equal points keep their order
    sorted_NA = points_NA[order_N]
    kept_N = _two(sorted_NA[:, 1]) if axes == 2 else _three(sorted_NA[:, 1], sorted_NA[:, 2])
    return np.sort(order_N[kept_N])


def _two(second_N: Array) -> NDArray[np.bool_]:
    """Sorted by the first axis: those whose second is less than that of all before."""
    least_N = np.minimum.accumulate(second_N)
    return np.concatenate([[True], second_N[1:] < least_N[:-1]])


def _three(second_N: Array, third_N: Array) -> NDArray[np.bool_]:
    """Sorted by the first axis: those above no step of the staircase of all before."""
    kept_N = np.zeros(len(second_N), dtype=bool)
    steps: list[float] = []  # second, ascending
    heights: list[float] = []  # third, descending
    for begin in range(0, len(second_N), BLOCK):
        block = slice(begin, begin + BLOCK)
        place_B = np.searchsorted(steps, second_N[block], side="right") - 1
        height_B = np.append(heights, np.inf)[place_B]  # place -1: no step so far to the left
        for index in begin + np.flatnonzero(third_N[block] < height_B):
            kept_N[index] = _step(steps, heights, float(second_N[index]), float(third_N[index]))
    return kept_N


def _step(steps: list[float], heights: list[float], second: float, third: float) -> bool:
    """Add a step unless it is beaten; the steps that it beats go."""
    before = bisect_right(steps, second) - 1
    if before >= 0 and heights[before] <= third:
        return False
    first = bisect_left(steps, second)
    last = first
    while last < len(steps) and heights[last] >= third:
        last += 1
    steps[first:last] = [second]
    heights[first:last] = [third]
    return True
