"""Run a ladder: any number of workers, killed at any moment, never lose a finished run nor do one twice.

The way the data takes: a TOML file -> its cells, queued in the registry -> workers that take them (`kleiber.lab.worker`), here
or wherever an executor puts them -> rows, streamed as they arrive. Checkpoints, teachers' weights and a JSON per finished run
lie in a results folder (`kleiber.lab.folder`), which several machines may share.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kleiber.lab.cell import Cell
from kleiber.lab.corpus import read_corpus
from kleiber.lab.description import Ladder, read_ladder
from kleiber.lab.experiment import repetitions
from kleiber.lab.folder import finished, make_folders
from kleiber.lab.listener import Listening, Pulse
from kleiber.lab.one_run import train_cell
from kleiber.lab.tokenizer import tokenized
from kleiber.lab.worker import take_up, work

__all__ = ["finished", "registry_url", "run", "train_cell"]


def registry_url(results_dir: str | Path) -> str:
    """Where the registry of a results folder is, unless another is named: an SQLite file in it."""
    return f"sqlite:///{Path(results_dir) / 'registry.sqlite'}"


def run(
    ladder_toml: str | Path,
    results_dir: str | Path,
    *,
    workers: int = 1,
    registry: str | None = None,
    on: str | None = None,
    retry: bool = False,
    listening: Sequence[Listening] = (),
    pulse: Callable[[], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Train what is missing of a ladder; yield each run as it finishes, those finished earlier first.

    With one worker and no executor named (`on`) training happens in this process, else in `workers` jobs of one thread each.
    `registry` is the URL of a database that keeps the runs' states; without one it is a file in the results folder. Runs that
    failed stay so unless `retry`. Calling it again after a kill goes on from the last checkpoint; several calls may share a
    registry. `listening` hears every run, wherever it is trained; `pulse` is called in this process now and then while it waits
    or trains. Raises `KleiberError` where workers had to stop with runs left to do.
    """
    from kleiber.lab.registry import open_registry
    from kleiber.lab.registry.claims import take_back

    ladder, results = read_ladder(ladder_toml), Path(results_dir)
    url = registry or registry_url(results)
    make_folders(results)
    book = open_registry(url)
    take_up(ladder, results, book)
    take_back(book, results / "claims")
    names = [cell.run for cell in ladder.cells]
    book.begin_again(names, failed=retry)
    entries = {entry.run: entry for entry in book.entries(names)}
    yielded = {name for name in names if entries[name].state == "done"}
    yield from (row for name in names if name in yielded and (row := entries[name].result) is not None)
    pending = [cell for cell in ladder.cells if entries[cell.run].state in ("queued", "running")]
    if not pending:
        return
    _announce_repetitions(ladder, pending, results)
    if workers == 1 and on is None:
        yield from work(ladder, results, book, (*listening, *([Pulse(pulse)] if pulse else [])))
        return
    from kleiber.lab.crew import Crew

    crew = Crew(
        str(ladder_toml),
        ladder,
        results,
        registry=book,
        url=url,
        yielded=yielded,
        listening=listening,
        pulse=pulse or _nothing,
    )
    yield from crew.rows(on or "local", workers=workers)


def _nothing() -> None:
    """What happens now and then where nothing was asked for."""


def _announce_repetitions(ladder: Ladder, pending: list[Cell], results: Path) -> None:
    corpus = tokenized(read_corpus(ladder.corpus), ladder.tokenizer, results)
    for sentence in repetitions(pending, corpus):
        sys.stderr.write(f"kleiber: {sentence}\n")
