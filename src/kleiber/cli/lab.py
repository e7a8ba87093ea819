"""`kleiber lab`: train the runs of a ladder, and gather them into a run table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import lab_design, lab_live, lab_mend, lab_status, screen
from kleiber.cli.command import Command
from kleiber.cli.lab_options import Registry, Results, need, results_folder
from kleiber.cli.options import Output, destination

if TYPE_CHECKING:
    from kleiber.lab.listener import Listening

RUN_SCHEMA, TABLE_SCHEMA = "kleiber/lab-run/1", "kleiber/lab-table/1"
Ladder = Annotated[str, typer.Argument(metavar="LADDER.toml", help="Sizes, budgets, seeds and the recipe.")]
Place = Annotated[
    str | None, typer.Argument(metavar="[FOLDER]", help="The results of `kleiber lab run`, or its LADDER.toml.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="Workers of one thread each. [default: as many as cores and memory allow]"),
]
On = Annotated[str, typer.Option("--on", metavar="NAME", help="Where the workers run: local, ray or slurm.")]
Retry = Annotated[bool, typer.Option("--retry", help="Train runs that failed again.")]
Log = Annotated[
    list[str],
    typer.Option(
        "--log", metavar="WHERE", help="tensorboard:FOLDER, mlflow:FOLDER, wandb or wandb:PROJECT; repeatable."
    ),
]
Stop = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=10.0,
        metavar="MARGIN",
        help="Stop a run that is 97.5 % sure to end worse, by this share (such as 0.05), than a finished run that is no larger"
        " and saw no more tokens, or than the law so far allows a new run.",
    ),
]
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
    log: Log = (),  # type: ignore[assignment] - Typer gives a list
    stop: Stop = None,
) -> int:
    """Train what is missing of a ladder. A run that is finished is never done twice; a kill loses at most a stretch.

    On a terminal you see how it stands, as with `kleiber lab watch`. With --json one line per finished run. Exit code 1 if runs
    have failed or were stopped: `kleiber lab status` says why.
    """
    from kleiber.lab.description import read_ladder

    cells = read_ladder(ladder).cells
    need("torch", "training needs PyTorch")
    need("sqlalchemy", "the registry needs SQLAlchemy")
    from kleiber.lab.capacity import workers_that_fit
    from kleiber.lab.ladder import run as train

    folder = results_folder(results, ladder)
    shown = screen.is_terminal() and not output.as_json
    with lab_live.picture(ladder, folder, registry) if shown else nullcontext() as picture:
        rows = train(
            ladder,
            folder,
            workers=workers or workers_that_fit(cells),
            registry=registry,
            on=on,
            retry=retry,
            listening=_listening(ladder, folder, log, stop),
            pulse=picture.beat if picture else None,
        )
        done = 0
        for done, row in enumerate(rows, start=1):
            if picture is None:
                _tell(row, done, len(cells), as_json=output.as_json)
    if failed := len(cells) - done:
        options = f" --registry {registry.split('@')[-1]}" if registry else ""
        screen.complain(f"{failed} of {len(cells)} runs failed: `kleiber lab status {ladder}{options}` says why")
    return min(failed, 1)


def _listening(ladder: str, results: Path, log: Sequence[str], stop: float | None) -> list[Listening]:
    """Who hears the runs, as asked for on the command line."""
    from kleiber.lab.log import logging_to
    from kleiber.lab.stop import Stop

    listening: list[Listening] = [logging_to(told) for told in log]
    if stop is not None:
        listening.append(Stop(ladder_toml=ladder, results=results, margin=stop))
    return listening


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
    lab_live.COMMAND,
    lab_mend.COMMAND,
    Command(group="lab", name="table", title="Gather finished runs into a run table.", run=table, schema=TABLE_SCHEMA),
)
