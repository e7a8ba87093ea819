"""`kleiber lab`: train the runs of a ladder, and gather them into a run table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kleiber.cli import lab_design, screen
from kleiber.cli.command import Command
from kleiber.cli.options import Output, destination
from kleiber.errors import InputError

RUN_SCHEMA, TABLE_SCHEMA = "kleiber/lab-run/1", "kleiber/lab-table/1"
Ladder = Annotated[str, typer.Argument(metavar="LADDER.toml", help="Sizes, budgets, seeds and the recipe.")]
Results = Annotated[
    str | None,
    typer.Option("--results", metavar="FOLDER", help="Where runs are kept. [default: results/ beside the ladder]"),
]
Folder = Annotated[str, typer.Argument(metavar="FOLDER", help="The results of `kleiber lab run`.")]
Workers = Annotated[int, typer.Option(min=1, max=1024, help="Processes, of one thread each.")]
Out = Annotated[str, typer.Option("--out", "-o", metavar="RUNS.parquet", help="The run table to write.")]
Source = Annotated[str, typer.Option(metavar="TEXT", help="What the table says of where it comes from.")]


def run(ladder: Ladder, output: Output, results: Results = None, workers: Workers = 1) -> None:
    """Train what is missing of a ladder. A run that is finished is never done twice; a kill loses at most a stretch.

    With --json one line per finished run.
    """
    from kleiber.lab.description import read_ladder
    from kleiber.lab.ladder import run as train
    from kleiber.quantity import show

    count = len(read_ladder(ladder).cells)
    _need_torch()
    folder = Path(results) if results else Path(ladder).parent / "results"
    for number, row in enumerate(train(ladder, folder, workers=workers), start=1):
        if output.as_json:
            screen.emit_json_line({"schema": RUN_SCHEMA, **row})
        else:
            what = f"{show(row['params'])} params on {show(row['tokens'])} tokens, seed {row['seed']}"
            screen.say(f"{number} of {count}: {what}: loss {row['loss']:.4f}")


def table(results: Folder, out: Out, output: Output, source: Source = "kleiber lab") -> None:
    """Gather the finished runs of a ladder into a run table that `kleiber fit` reads as it is."""
    from kleiber.lab.table import write_table

    target = destination(out)
    rows = write_table(results, target, source=source)
    if output.as_json:
        screen.emit_json({"schema": TABLE_SCHEMA, "file": str(target), "runs": {"count": rows.num_rows}})
    else:
        screen.say(f"{rows.num_rows} runs: {target}")


def _need_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise InputError("training needs PyTorch, which is not installed", remedy="pip install 'kleiber[lab]'")


COMMANDS = (
    lab_design.COMMAND,
    Command(group="lab", name="run", title="Train what is missing of a ladder.", run=run, schema=RUN_SCHEMA),
    Command(group="lab", name="table", title="Gather finished runs into a run table.", run=table, schema=TABLE_SCHEMA),
)
