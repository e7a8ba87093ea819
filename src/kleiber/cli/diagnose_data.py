"""`kleiber diagnose data` and `duplicates`: noise, repetition, near-duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kleiber.cli.command import Command
from kleiber.cli.diagnose_show import SCHEMA, show
from kleiber.cli.options import Output, Reading, Runs
from kleiber.errors import InputError

By = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The column that says how text was spoilt. [default: the lab's columns]"),
]
Clean = Annotated[float | None, typer.Option(metavar="NUMBER", help="Its value for clean text, with --by.")]
Train = Annotated[str, typer.Argument(metavar="TRAIN", help="A folder of text files, or one file.")]
HeldOut = Annotated[str, typer.Argument(metavar="HELD_OUT", help="The same.")]
Words = Annotated[int, typer.Option(min=2, max=50, help="Words in a row that count as copied.")]
Share = Annotated[
    float, typer.Option(min=0.01, max=1.0, help="Share of a document's runs of words that makes it a copy.")
]


def data(runs: Runs, reading: Reading, output: Output, by: By = None, clean: Clean = None) -> int:
    """What spoilt or repeated text does to the loss: how much, where it sits, and what cleaning saves in compute."""
    from kleiber.diagnose.data import spoilt_text

    found = spoilt_text(reading.table(runs), by=by, clean=clean)
    return show([finding for each in found for finding in each.findings], output)


def duplicates(train: Train, held_out: HeldOut, output: Output, words: Words = 5, share: Share = 0.5) -> int:
    """Held-out documents that stand in the training text, word for word or nearly so.

    A folder's files are its documents; a single file is cut at zero bytes, or else at empty lines.
    """
    from kleiber.diagnose.data import duplicates as measure

    return show([measure(documents_of(train), documents_of(held_out), words=words, share=share)], output)


def documents_of(source: str) -> list[str]:
    """The texts of a folder's files, or of a single file cut at zero bytes or else at empty lines; raises `InputError`."""
    path = Path(source)
    if path.is_dir():
        texts = [_text(file) for file in sorted(path.rglob("*")) if file.is_file()]
    elif path.is_file():
        whole = _text(path)
        texts = whole.split("\0" if "\0" in whole else "\n\n")
    else:
        raise InputError("there is no such file or folder", where=source)
    found = [text for text in texts if text.strip()]
    if not found:
        raise InputError("there is no text", where=source)
    return found


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


COMMANDS: tuple[Command, ...] = (
    Command(group="diagnose", name="data", title="What spoilt or repeated text does.", run=data, schema=SCHEMA),
    Command(
        group="diagnose", name="duplicates", title="Held-out text in the training text.", run=duplicates, schema=SCHEMA
    ),
)
