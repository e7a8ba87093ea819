"""Any diagnostic by its name, on arrays or on columns of files.

One idea: what a diagnostic takes is read off its own null, so a new one appears here by joining its room's tuple. An array of one
dimension is a column of a file, one of two dimensions is a whole file, a number is a number. What takes texts or higher arrays is
asked in Python, or by a command of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.read import read_matrix, read_series
from kleiber.errors import InputError, did_you_mean
from kleiber.finding import Finding


@lru_cache(maxsize=1)
def known() -> Mapping[str, Diagnostic]:
    """Every diagnostic by name."""
    from kleiber.diagnose import DIAGNOSTICS

    return {each.name: each for each in DIAGNOSTICS}


def find(name: str) -> Diagnostic:
    """The diagnostic of that name; raises `InputError` with what comes near."""
    if name not in known():
        raise InputError(f"no diagnostic {name!r}", remedy=did_you_mean(name, known()))
    return known()[name]


@lru_cache(maxsize=256)
def _drawn(name: str) -> Mapping[str, Any]:
    return find(name).null(np.random.default_rng(0))


def arrays_of(name: str) -> Mapping[str, int]:
    """The arrays that a diagnostic takes, with their dimensions.

    >>> arrays_of("dfa")
    {'series': 1}
    """
    return {each: size for each, size in _dimensions(name).items() if size in (1, 2)}


def numbers_of(name: str) -> Mapping[str, float]:
    """The numbers that a diagnostic takes, each as it is on its null.

    >>> numbers_of("power_law")
    {'xmin': 1.0}
    """
    return {each: _drawn(name)[each] for each, size in _dimensions(name).items() if size == 0}


def from_files() -> tuple[str, ...]:
    """The diagnostics that columns, matrices and numbers are enough for."""
    return tuple(name for name in known() if set(_drawn(name)) == {*arrays_of(name), *numbers_of(name)})


def _dimensions(name: str) -> Mapping[str, int]:
    return {each: np.ndim(value) for each, value in _drawn(name).items() if _numeric(value)}


def _numeric(value: Any) -> bool:
    try:
        return np.asarray(value).dtype.kind in "fiub"
    except ValueError:
        return False


def measure(name: str, **given: NDArray[Any] | float) -> Finding:
    """The finding of one diagnostic; raises `InputError` for what it does not take, or needs and has not.

    >>> measure("dfa", series=np.random.default_rng(0).standard_normal(512)).name
    'dfa'
    """
    diagnostic, wanted = find(name), _drawn(name)
    surplus = [each for each in given if each not in wanted]
    if surplus:
        raise InputError(f"{name} takes no {surplus[0]!r}", remedy=did_you_mean(surplus[0], wanted))
    whole = {each: int(value) for each, value in given.items() if isinstance(wanted[each], (int, np.integer))}
    try:
        return diagnostic.measure(**{**given, **whole})
    except TypeError:
        missing = [each for each in wanted if each not in given]
        if not missing:
            raise
        raise InputError(f"{name} needs more", found=", ".join(given) or "none", expected=", ".join(wanted)) from None


def read(name: str, array: str, path: str | Path, column: str | None = None) -> NDArray[np.float64]:
    """An array of a diagnostic from a file: a column where it has one dimension, else the whole file."""
    wanted = arrays_of(name)
    if array not in wanted:
        raise InputError(f"{name} takes no array {array!r}", remedy=did_you_mean(array, wanted))
    return read_matrix(path) if wanted[array] == 2 else read_series(path, column)
