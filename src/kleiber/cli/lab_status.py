"""`kleiber lab status`: how each run of a ladder, or of a registry, stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.lab_options import Registry, Results, need, results_folder
from kleiber.cli.options import Output
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.lab.status import Status

SCHEMA = "kleiber/lab-status/1"
Ladder = Annotated[
    str | None, typer.Argument(metavar="[LADDER.toml]", help="Whose runs; all of --registry if left out.")
]


def status(output: Output, ladder: Ladder = None, registry: Registry = None, results: Results = None) -> None:
    """How each run stands: queued, running, done with its loss, or failed with the reason. Nothing is changed."""
    if ladder is None and registry is None:
        raise InputError("whose runs?", expected="a LADDER.toml or a --registry")
    need("sqlalchemy", "the registry needs SQLAlchemy")
    found = _found(ladder, registry, results)
    if output.as_json:
        screen.emit_json({"schema": SCHEMA, **found.to_json()})
    else:
        _show(found)


def _found(ladder: str | None, url: str | None, results: str | None) -> Status:
    from kleiber.lab.description import read_ladder
    from kleiber.lab.ladder import registry_url
    from kleiber.lab.registry import open_registry
    from kleiber.lab.status import ladder_status, registry_status

    folder = results_folder(results, ladder or "ladder.toml")
    if ladder is None:
        return registry_status(open_registry(url or "", make=False), folder)
    described = read_ladder(ladder)
    is_there = url is not None or (folder / "registry.sqlite").exists()
    return ladder_status(
        described, folder, open_registry(url or registry_url(folder), make=False) if is_there else None
    )


def _show(found: Status) -> None:
    from kleiber.quantity import show

    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items() if count)
    screen.say((f"{len(found.runs)} runs" + (f": {counts}" if counts else ""), "bold"))
    rows = []
    for run in found.runs:
        loss = "" if run.loss is None else f"{run.loss:.4f}"
        rows.append((run.run, run.family, str(run.width), show(run.tokens), str(run.seed), run.state, loss))
    if rows:
        screen.table(("run", "family", "width", "tokens", "seed", "state", "loss"), rows)
    for run in found.runs:
        holder = f"process {run.pid} on {run.host}" if run.state == "running" else None
        if why := run.reason or holder:
            screen.hang(f"  {run.run}", f"{run.state}: {why}", at=16)


COMMAND = Command(group="lab", name="status", title="Say how each run of a ladder stands.", run=status, schema=SCHEMA)
