"""The lowest point of a smooth function of one number between two bounds (Brent's method, as SciPy has it)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def lowest(cost: Callable[[float], float], low: float, high: float, *, tolerance: float) -> float:
    """Where `cost` is least between `low` and `high`, to `tolerance`.

    >>> round(lowest(lambda x: (x - 2.0) ** 2, 0.0, 5.0, tolerance=1e-9), 6)
    2.0
    """
    from scipy import optimize

    found: Any = optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": tolerance})
    return float(found.x)
