"""`kleiber diagnose measure NAME`: any one diagnostic by its name, on columns of files."""

from __future__ import annotations

from typing import Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.diagnose_criticality import show
from kleiber.cli.diagnose_show import SCHEMA
from kleiber.cli.options import Output
from kleiber.cli.options import numbers as quantities
from kleiber.errors import InputError

Name = Annotated[str, typer.Argument(metavar="NAME", help="A diagnostic; without --array it says what it takes.")]
Arrays = Annotated[
    list[str] | None, typer.Option("--array", metavar="ARRAY=FILE", help="Where an array is: .npy, CSV or Parquet.")
]
Columns = Annotated[
    list[str] | None, typer.Option("--column", metavar="ARRAY=NAME", help="Its column, where the file has several.")
]
Numbers = Annotated[
    list[str] | None, typer.Option("--number", metavar="NAME=NUMBER", help="A number that it takes besides.")
]


def measure(name: Name, output: Output, arrays: Arrays = None, columns: Columns = None, numbers: Numbers = None) -> int:
    """One diagnostic by its name, on arrays from files: what the planner page asks, in a shell.

    The other commands of the group ask several at once, with settings of their own.
    """
    from kleiber.diagnose import by_name

    by_name.find(name)
    files, named = _pairs(arrays, "--array"), _pairs(columns, "--column")
    homeless = [each for each in named if each not in files]
    if homeless:
        raise InputError(
            f"a column of {homeless[0]!r}, which has no file", where="--column", remedy="name it with --array"
        )
    if not files:
        sizes = {1: "a column", 2: "a matrix"}
        wanted = [f"{each} ({sizes[size]})" for each, size in by_name.arrays_of(name).items()]
        wanted += [f"{each} (a number)" for each in by_name.numbers_of(name)]
        raise InputError(f"{name} has nothing to measure", expected=", ".join(wanted), where="--array")
    given = {each: by_name.read(name, each, path, named.get(each)) for each, path in files.items()}
    with screen.working("measuring"):
        found = by_name.measure(name, **given, **quantities(numbers, "--number"))
    return show([found], output)


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """`array=text` pairs; a comma is part of the text, as in the names of files and columns."""
    found: dict[str, str] = {}
    for text in texts or []:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not (name and sign and value) or name in found:
            raise InputError("cannot be read", found=repr(text), expected="ARRAY=..., each array once", where=option)
        found[name] = value
    return found


COMMANDS: tuple[Command, ...] = (
    Command(group="diagnose", name="measure", title="Any diagnostic by its name.", run=measure, schema=SCHEMA),
)
