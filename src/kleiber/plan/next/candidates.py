"""The runs one could train next: a grid of sizes and tokens per param, in numbers that can be said.

One idea: a candidate is a run that somebody would really start, so params and tokens are rounded to two digits before
anything is computed of them, and the grid ends where the budget, the largest run allowed or the given ratios end.

Legend: C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.question import FLOPS_PER_PARAM_TOKEN

Array = NDArray[np.float64]
STEP = 10.0 ** (1 / 6)  # between neighbouring sizes, and between neighbouring ratios
MOST, COARSER = 300, 1.1
ROOM = 1e-9  # a run that costs just the budget is within it


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Runs that could be trained: `params_C`, `tokens_C` and what they cost, `flops_C` = 6 params tokens."""

    params_C: Array
    tokens_C: Array
    flops_C: Array

    def __len__(self) -> int:
        return self.params_C.size


def grid(*, flops: tuple[float, float], params: tuple[float, float], ratios: tuple[float, float]) -> Candidates:
    """All runs between the given FLOPs, params and tokens per param, six to a decade in size and in ratio, or fewer where
    that would be more than `MOST` in all.

    >>> found = grid(flops=(1e17, 1e18), params=(1e7, 1e8), ratios=(10, 40))
    >>> len(found), float(found.params_C.min()), bool((found.flops_C <= 1e18).all())
    (15, 22000000.0, True)
    """
    step = STEP
    while len(found := _grid(flops, params, ratios, step)) > MOST:
        step *= COARSER
    return found


def _grid(
    flops: tuple[float, float], params: tuple[float, float], ratios: tuple[float, float], step: float
) -> Candidates:
    sizes, lengths = _steps(*params, step), _steps(*ratios, step)
    size_C, ratio_C = (part.ravel() for part in np.meshgrid(sizes, lengths, indexing="ij"))
    params_C, tokens_C = two_digits(size_C), two_digits(size_C * ratio_C)
    flops_C = FLOPS_PER_PARAM_TOKEN * params_C * tokens_C
    kept_C = (flops_C >= flops[0] * (1 - ROOM)) & (flops_C <= flops[1] * (1 + ROOM))
    return Candidates(params_C=params_C[kept_C], tokens_C=tokens_C[kept_C], flops_C=flops_C[kept_C])


def _steps(low: float, high: float, step: float) -> Array:
    """From `low` to at most `high` in equal ratios, about `step` apart, ends included."""
    if high < low:
        return np.empty(0)
    return np.geomspace(low, high, 1 + round(np.log(high / low) / np.log(step)))


def two_digits(value_C: Array) -> Array:
    """Rounded to two significant digits.

    >>> two_digits(np.array([123456.0, 9.96e9]))
    array([1.2e+05, 1.0e+10])
    """
    unit_C = 10.0 ** (np.floor(np.log10(value_C)) - 1)
    return np.round(np.round(value_C / unit_C) * unit_C)
