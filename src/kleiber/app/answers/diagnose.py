"""Diagnostics of uploaded arrays: any of `kleiber.diagnose.DIAGNOSTICS`, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kleiber.app.memory import limited
from kleiber.app.repeat import Repeat, plain
from kleiber.errors import InputError

MOST_VALUES = 2_000_000


def listed(asked: dict[str, Any]) -> dict[str, Any]:
    """Every diagnostic with what it takes."""
    from kleiber.diagnose import by_name

    told = []
    for name in by_name.from_files():
        each = by_name.find(name)
        arrays = [{"name": array, "dimensions": size} for array, size in by_name.arrays_of(name).items()]
        numbers = [
            {"name": number, "such_as": float(f"{value:.3g}")} for number, value in by_name.numbers_of(name).items()
        ]
        told.append(
            {"name": name, "title": each.title, "arrays": arrays, "numbers": numbers, "level": each.level,
             "reference": each.reference}
        )  # fmt: skip
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
    """`kleiber diagnose measure`: the finding of one diagnostic on arrays of uploads."""
    from kleiber.diagnose import by_name

    name = asked["name"]
    by_name.find(name)
    sources = {source["id"]: source for source in asked["sources"]}
    repeat, arrays, lines = Repeat({}, "diagnose", "measure").say(name), {}, []
    for each, where in asked["arrays"].items():
        source, column = sources[where["upload"]], where["column"]
        _columns(source)  # within the limits, before it is read again as asked
        arrays[each] = by_name.read(name, each, source["path"], column)
        repeat.say("--array", f"{each}={source['name']}")
        if column is not None and by_name.arrays_of(name)[each] == 1:
            repeat.say("--column", f"{each}={column}")
        given = [name, each, source["name"], *([column] if column is not None else [])]
        lines.append(f"    {each}=by_name.read({', '.join(map(repr, given))}),")
    for each, value in asked["numbers"].items():
        repeat.say("--number", f"{each}={plain(value)}")
        lines.append(f"    {each}={value!r},")
    found = by_name.measure(name, **arrays, **asked["numbers"])
    body = "\n".join(["finding = by_name.measure(", f"    {name!r},", *lines, ")", "print(finding)"])
    return repeat.answer([found.to_json()], f"from kleiber.diagnose import by_name\n\n{body}")
