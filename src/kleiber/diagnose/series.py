"""What every diagnostic of a series asks of it first: numbers, enough of them, and not all the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import InputError
from kleiber.finding import Finding


def numbers(values: ArrayLike, *, what: str = "the series") -> NDArray[np.float64]:
    """`values` as a series `(n,)` of finite 64-bit floats; the first that is not finite is named.

    >>> numbers([1, 2, float("nan")])
    Traceback (most recent call last):
    ...
    kleiber.errors.InputError: the series holds what is not a finite number (found nan at row 3). To mend it: ...
    """
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1:
        raise InputError(f"{what} must have one dimension", found=f"shape {series.shape}")
    bad = np.flatnonzero(~np.isfinite(series))
    if bad.size:
        raise InputError(
            f"{what} holds what is not a finite number",
            found=f"{series[bad[0]]} at row {bad[0] + 1}" + (f" and {bad.size - 1} more" if bad.size > 1 else ""),
            remedy="leave such rows out, or say what they are",
        )
    return series


def cannot_tell(name: str, why: str, *, remedy: str = "", reference: str = "") -> Finding:
    """The finding of data that do not say."""
    return Finding(name=name, verdict="cannot tell", evidence=why, remedy=remedy, reference=reference)
