"""The options that the commands of `kleiber lab` share, and what they need installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from kleiber.errors import InputError

Results = Annotated[
    str | None,
    typer.Option("--results", metavar="FOLDER", help="Where runs are kept. [default: results/ beside the ladder]"),
]
Registry = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the runs' states are kept: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
        " [default: registry.sqlite among the results]",
    ),
]


def results_folder(results: str | None, ladder: str) -> Path:
    """Where the runs of a ladder are kept."""
    return Path(results) if results else Path(ladder).parent / "results"


def need(package: str, sentence: str) -> None:
    """Raises `InputError` where a package of the extra `lab` is not installed."""
    if find_spec(package) is None:
        raise InputError(f"{sentence}, which is not installed", remedy="pip install 'kleiber[lab]'")
