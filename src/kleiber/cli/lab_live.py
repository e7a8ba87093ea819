"""`kleiber lab watch`, and the same picture while `kleiber lab run` trains on a terminal.

The one idea: nobody draws in the background. Whoever trains or waits calls `beat` between two steps, and now and then it draws;
the more processor time a picture takes, the longer the pause, so that looking costs about a twentieth of the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.lab_options import Registry as RegistryUrl
from kleiber.cli.lab_options import Results, need, results_folder
from kleiber.cli.lab_view import view
from kleiber.cli.options import Output
from kleiber.errors import InputError

if TYPE_CHECKING:
    from rich.live import Live

    from kleiber.lab.progress import Observer, RunStanding, Standing
    from kleiber.lab.registry import Registry

WATCH_SCHEMA = "kleiber/lab-watch/1"
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, SHARE = 1.0, 10.0, 20

Ladder = Annotated[str, typer.Argument(metavar="LADDER.toml", help="The ladder that is being trained.")]


class Picture:
    """A picture of a ladder that is kept up to date on the terminal."""

    def __init__(self, live: Live, observer: Observer) -> None:
        self._live, self._observer = live, observer
        self._next = 0.0

    def beat(self) -> None:
        """Draw, if it is time."""
        if time.monotonic() < self._next:
            return
        began = time.process_time()
        standing = self._observer.look()
        self._live.update(view(standing, width=self._live.console.width), refresh=True)
        spent_seconds = time.process_time() - began
        self._next = time.monotonic() + min(LONGEST_PAUSE_SECONDS, max(PAUSE_SECONDS, SHARE * spent_seconds))


@contextmanager
def picture(ladder: str, results: Path, registry: str | None) -> Iterator[Picture]:
    """A picture on stdout for as long as the block lasts; its last state stays there."""
    from rich.live import Live

    observer = _observer(ladder, results, registry)
    with Live(console=screen.terminal(), auto_refresh=False, vertical_overflow="crop") as live:
        shown = Picture(live, observer)
        try:
            yield shown
        finally:
            live.update(view(observer.look(), width=live.console.width), refresh=True)


def watch(ladder: Ladder, output: Output, results: Results = None, registry: RegistryUrl = None) -> None:
    """See how a ladder stands that is trained elsewhere: speed, losses, where each run will end, what is wrong.

    On a terminal until every run is settled (or Ctrl-C); elsewhere, and with --json, once.
    """
    need("sqlalchemy", "the registry needs SQLAlchemy")
    folder = results_folder(results, ladder)
    if not folder.is_dir():
        raise InputError("nothing has been trained there", expected="a results folder", where=str(folder))
    if output.as_json:
        screen.emit_json({"schema": WATCH_SCHEMA, **_as_json(_observer(ladder, folder, registry).look())})
    elif not screen.is_terminal():
        screen.draw(view(_observer(ladder, folder, registry).look(), width=screen.width()))
    else:
        _until_settled(ladder, folder, registry)


def _until_settled(ladder: str, folder: Path, registry: str | None) -> None:
    from rich.live import Live

    observer = _observer(ladder, folder, registry)
    try:
        with Live(console=screen.terminal(), auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                standing = observer.look()
                live.update(view(standing, width=live.console.width), refresh=True)
                if not standing.count("running") and not standing.count("queued"):
                    return
                time.sleep(PAUSE_SECONDS)
    except KeyboardInterrupt:
        return


def _observer(ladder: str, results: Path, url: str | None) -> Observer:
    from kleiber.lab.description import read_ladder
    from kleiber.lab.ladder import registry_url
    from kleiber.lab.progress import Observer
    from kleiber.lab.registry import open_registry

    def registry() -> Registry | None:
        # Asked anew for every picture: a watch may begin before the first run does.
        is_there = url is not None or (results / "registry.sqlite").exists()
        return open_registry(url or registry_url(results), make=False) if is_there else None

    return Observer(read_ladder(ladder), results, registry)


def _as_json(standing: Standing) -> dict[str, Any]:
    rest = {"law": standing.law, "left_seconds": standing.left_seconds}
    return {"ladder": standing.ladder, "runs": [_run_as_json(run) for run in standing.runs], **rest}


def _run_as_json(run: RunStanding) -> dict[str, Any]:
    told = {name: value for name, value in asdict(run).items() if name not in ("outlook", "remarks")}
    outlook = None
    if run.outlook is not None:
        outlook = {"value": run.outlook.loss, "ci95": list(run.outlook.band()), "share": run.outlook.share}
    return {**told, "outlook": outlook, "remarks": list(run.remarks)}


COMMAND = Command(
    group="lab", name="watch", title="See how a ladder stands that is being trained.", run=watch, schema=WATCH_SCHEMA
)
