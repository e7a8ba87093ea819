"""Diagnostics of uploaded arrays: any of `kleiber.diagnose.DIAGNOSTICS`, by name.

One idea: what a diagnostic takes is read off its own null, so a new one appears here by joining its room's tuple. An array of one
dimension is a column of a file, one of two dimensions is a whole file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from kleiber.app.memory import limited
from kleiber.errors import InputError, did_you_mean

MOST_VALUES = 2_000_000


@lru_cache(maxsize=1)
def _known() -> dict[str, Any]:
    from kleiber.diagnose import DIAGNOSTICS

    return {each.name: each for each in DIAGNOSTICS}


@lru_cache(maxsize=256)
def arrays_of(name: str) -> Mapping[str, int]:
    """The arrays that a diagnostic takes, with their dimensions."""
    import numpy as np

    drawn = _known()[name].null(np.random.default_rng(0))
    sizes = {each: np.asarray(value).ndim for each, value in drawn.items() if _numeric(value)}
    return {each: size for each, size in sizes.items() if size in (1, 2)}


def _numeric(value: Any) -> bool:
    import numpy as np

    try:
        return np.asarray(value).dtype.kind in "fiub"
    except ValueError:
        return False


def listed(asked: dict[str, Any]) -> dict[str, Any]:
    """Every diagnostic with what it takes."""
    told = []
    for name, each in _known().items():
        arrays = [{"name": array, "dimensions": size} for array, size in arrays_of(name).items()]
        told.append(
            {"name": name, "title": each.title, "arrays": arrays, "level": each.level, "reference": each.reference}
        )
    return {"result": told}


def columns(asked: dict[str, Any]) -> dict[str, Any]:
    """The columns of numbers of a file."""

    found = _columns(asked["sources"][0])
    return {"result": {"columns": list(found), "rows": len(next(iter(found.values()))) if found else 0}}


def _columns(source: Mapping[str, Any]) -> dict[str, Any]:

    from kleiber.diagnose.read import read_columns

    limited(source)
    found = read_columns(source["path"])
    if sum(map(len, found.values())) > MOST_VALUES:
        raise InputError("there are too many values", expected=f"at most {MOST_VALUES:,}", where=source["path"])
    return found


def diagnose(asked: dict[str, Any]) -> dict[str, Any]:
    """The finding of one diagnostic on arrays of uploads."""
    name = asked["name"]
    if name not in _known():
        raise InputError(f"no diagnostic {name!r}", remedy=did_you_mean(name, _known()))
    wanted, given = arrays_of(name), asked["arrays"]
    surplus = [each for each in given if each not in wanted]
    if surplus:
        raise InputError(f"{name} takes no array {surplus[0]!r}", remedy=did_you_mean(surplus[0], wanted))
    sources = {source["id"]: source for source in asked["sources"]}
    arrays = {
        each: _array(each, wanted[each], sources[where["upload"]], where["column"]) for each, where in given.items()
    }
    try:
        found = _known()[name].measure(**arrays)
    except TypeError:
        missing = [each for each in wanted if each not in given]
        raise InputError(
            f"{name} needs more arrays", found=", ".join(given) or "none", expected=", ".join([*given, *missing])
        ) from None
    return {"result": [found.to_json()]}


def _array(name: str, dimensions: int, source: Mapping[str, Any], column: str | None) -> Any:
    import numpy as np

    found = _columns(source)
    if dimensions == 2:
        return np.stack(list(found.values()), axis=1)
    if column is None and len(found) == 1:
        return next(iter(found.values()))
    if column not in found:
        raise InputError(
            f"which column is {name}?", found=column, remedy=did_you_mean(column or "", found), where=source["name"]
        )
    return found[column]
