"""What every question about a run of a ladder asks first: columns of equal length, positive numbers, and a run that is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.series import numbers
from kleiber.errors import InputError


def columns(row: int, **given: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """The arrays `(R,)` as positive finite floats by name; raises `InputError` naming array and row.

    >>> columns(2, loss=[3.0, 2.0])
    Traceback (most recent call last):
    ...
    kleiber.errors.InputError: there is no such run (found row 2; expected a row from 0 to 1)
    """
    found = {name: numbers(values, what=name) for name, values in given.items()}
    sizes = {name: array.size for name, array in found.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(
            "the arrays have different lengths", found=", ".join(f"{name} {size}" for name, size in sizes.items())
        )
    for name, array in found.items():
        bad = np.flatnonzero(array <= 0)
        if bad.size:
            raise InputError(f"{name} must be positive", found=f"{array[bad[0]]:g} at row {bad[0] + 1}")
    count = next(iter(sizes.values()))
    if not 0 <= row < count:
        raise InputError("there is no such run", found=f"row {row}", expected=f"a row from 0 to {count - 1}")
    return found
