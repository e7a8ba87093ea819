"""`kleiber lab`: train the runs of a ladder, and gather them into a run table."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kleiber.cli import lab_design, lab_status, screen
from kleiber.cli.command import Command
from kleiber.cli.lab_options import Registry, Results, need, results_folder
from kleiber.cli.options import Output, destination

RUN_SCHEMA, TABLE_SCHEMA = "kleiber/lab-run/1", "kleiber/lab-table/1"
Ladder = Annotated[str, typer.Argument(metavar="LADDER.toml", help="Sizes, budgets, seeds and the recipe.")]
Place = Annotated[
    str | None, typer.Argument(metavar="[FOLDER]", help="The results of `kleiber lab run`, or its LADDER.toml.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="Workers of one thread each. [default: as many as cores and memory allow]"),
]
On = Annotated[str, typer.Option("--on", metavar="NAME", help="Where the workers run: local.")]
Retry = Annotated[bool, typer.Option("--retry", help="Train runs that failed again.")]
Out = Annotated[str, typer.Option("--out", "-o", metavar="RUNS.parquet", help="The run table to write.")]
Source = Annotated[str, typer.Option(metavar="TEXT", help="What the table says of where it comes from.")]


def run(
    ladder: Ladder,
    output: Output,
    results: Results = None,
    registry: Registry = None,
    on: On = "local",
    workers: Workers = None,
    retry: Retry = False,
) -> int:
    """Train what is missing of a ladder. A run that is finished is never done twice; a kill loses at most a stretch.

    With --json one line per finished run. Exit code 1 if runs have failed: `kleiber lab status` says why.
    """
    from kleiber.lab.description import read_ladder

    cells = read_ladder(ladder).cells
    need("torch", "training needs PyTorch")
    need("sqlalchemy", "the registry needs SQLAlchemy")
    from kleiber.lab.capacity import workers_that_fit
    from kleiber.lab.ladder import run as train

    rows = train(
        ladder,
        results_folder(results, ladder),
        workers=workers or workers_that_fit(cells),
        registry=registry,
        on=on,
        retry=retry,
    )
    done = 0
    for done, row in enumerate(rows, start=1):
        _tell(row, done, len(cells), as_json=output.as_json)
    if failed := len(cells) - done:
        options = f" --registry {registry.split('@')[-1]}" if registry else ""
        screen.complain(f"{failed} of {len(cells)} runs failed: `kleiber lab status {ladder}{options}` says why")
    return min(failed, 1)


def _tell(row: dict[str, Any], number: int, count: int, *, as_json: bool) -> None:
    from kleiber.quantity import show

    if as_json:
        screen.emit_json_line({"schema": RUN_SCHEMA, **row})
    else:
        what = f"{show(row['params'])} params on {show(row['tokens'])} tokens, seed {row['seed']}"
        screen.say(f"{number} of {count}: {what}: loss {row['loss']:.4f}")


def table(
    out: Out, output: Output, place: Place = None, registry: Registry = None, source: Source = "kleiber lab"
) -> None:
    """Gather the finished runs of a ladder into a run table that `kleiber fit` reads as it is."""
    from kleiber.lab.gather import finished_rows
    from kleiber.lab.table import table_of, write

    target = destination(out)
    if registry is not None or (place or "").endswith(".toml"):
        need("sqlalchemy", "the registry needs SQLAlchemy")
    where = place or (registry or "").split("@")[-1]
    rows = table_of(finished_rows(place, registry), source=source, where=where)
    write(rows, target)
    if output.as_json:
        screen.emit_json({"schema": TABLE_SCHEMA, "file": str(target), "runs": {"count": rows.num_rows}})
    else:
        screen.say(f"{rows.num_rows} runs: {target}")


COMMANDS = (
    lab_design.COMMAND,
    Command(group="lab", name="run", title="Train what is missing of a ladder.", run=run, schema=RUN_SCHEMA),
    lab_status.COMMAND,
    Command(group="lab", name="table", title="Gather finished runs into a run table.", run=table, schema=TABLE_SCHEMA),
)
