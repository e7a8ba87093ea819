"""The shape nearest to a number of params, for a plan that asked for nothing but params and tokens.

One idea: "73B params" is no model until it has a width and a depth; the nearest buildable dense shape gives them, and says by how
much it misses.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import params
from kleiber.cost.families import Option, options
from kleiber.cost.grid import buildable, polynomial
from kleiber.plan.architecture.answer import shape_json
from kleiber.plan.architecture.brief import BYTES, USUAL_VOCABULARY

FAR = 2.0  # beyond this factor there is no shape to name


def nearest(size: float, convention: str, *, per_byte: bool = False) -> dict[str, Any] | None:
    """The dense shape whose params, counted as `convention` says, are nearest to `size`; None where none is within a factor 2.

    >>> nearest(8e9, "total")["width"]
    4096
    """
    best, found = np.log(FAR), None
    for option, width_M, depth_M, log_count_M in _counted(convention == "non_embedding", per_byte):
        miss_M = np.abs(log_count_M - np.log(size))
        index = int(miss_M.argmin())
        if miss_M[index] < best:
            best, found = float(miss_M[index]), (option, int(width_M[index]), int(depth_M[index]))
    if found is None:
        return None
    option, width, depth = found
    return shape_json(option.build(width, depth)) | {"option": option.name, "miss": float(np.expm1(best))}


@lru_cache(maxsize=4)
def _counted(
    non_embedding: bool, per_byte: bool
) -> tuple[tuple[Option, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]], ...]:
    """Every dense option with its widths, depths and ln(params): the same for all sizes."""
    found = []
    for option in options(("dense",), vocabulary=BYTES if per_byte else USUAL_VOCABULARY):
        width_M, depth_M = buildable(option)
        count = polynomial(option, lambda shape: params(shape).non_embedding if non_embedding else params(shape).total)
        found.append((option, width_M, depth_M, np.log(count.at(width_M, depth_M))))
    return tuple(found)
