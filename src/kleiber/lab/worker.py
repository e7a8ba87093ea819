"""What a worker does: take a run, train it, write down how it ended, until every run of the ladder is settled.

The one idea: a worker knows no other. Any number of them, on any number of machines, meet in the registry alone, so that one that
is killed, or ten, cost at most what they held.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import KleiberError
from kleiber.lab.cell import Cell
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.corruption import spoil
from kleiber.lab.description import Ladder, read_ladder
from kleiber.lab.faults import Diverged, reason
from kleiber.lab.folder import finished, make_folders
from kleiber.lab.listener import Listening
from kleiber.lab.one_run import train_cell
from kleiber.lab.row import row_of
from kleiber.lab.thread import one_quick_thread
from kleiber.lab.tokenizer import tokenized

if TYPE_CHECKING:
    from kleiber.lab.registry import Registry
    from kleiber.lab.registry.worker import Worker

POLL_SECONDS = 1.0
PATIENCE_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""How long a worker with a finished run waits for a registry that does not answer: that of a server's restart."""


def work(
    ladder: Ladder, results: Path, registry: Registry, listening: Sequence[Listening] = ()
) -> Iterator[dict[str, Any]]:
    """Take runs one after the other until every run is done or failed; yield what this process trained."""
    from kleiber.lab.registry.claims import give_back, take, take_back
    from kleiber.lab.registry.database import RegistryError
    from kleiber.lab.registry.worker import at_work

    make_folders(results)
    take_up(ladder, results, registry)
    corpus = tokenized(read_corpus(ladder.corpus), ladder.tokenizer, results)
    with at_work(results / "claims") as worker:
        while True:
            cell = take(registry, ladder.cells, worker)
            if cell is not None:
                try:
                    row = _attempt(cell, ladder, corpus, results, registry, worker, listening)
                except BaseException:
                    # A registry that does not answer will find out that the worker is gone.
                    with suppress(RegistryError):
                        give_back(registry, worker)
                    raise
                if row is not None:
                    yield row
            elif not unsettled(ladder, registry):
                return
            elif not take_back(registry, results / "claims"):
                time.sleep(POLL_SECONDS)


def work_for(ladder_toml: str, results_dir: str, registry_url: str, listening: Sequence[Listening] = ()) -> str | None:
    """One job of an executor: work until nothing is left. Returns why it had to stop before, in a sentence, if it had to."""
    from kleiber.lab.registry import open_registry

    try:
        for _ in work(read_ladder(ladder_toml), Path(results_dir), open_registry(registry_url), listening):
            pass
    except OSError as error:
        return f"{error.filename or results_dir}: {error.strerror or error}"
    except KleiberError as error:
        return str(error)
    return None


def take_up(ladder: Ladder, results: Path, registry: Registry) -> None:
    """Queue the ladder's runs, and enter those that lie finished in the results folder: they are never trained again."""
    from kleiber.lab.registry.schema import DONE, FAILED

    registry.enrol(ladder)
    states = registry.states(cell.run for cell in ladder.cells)
    for cell in ladder.cells:
        if states[cell.run] in (DONE, FAILED) or (row := finished(results, cell)) is None:
            continue
        if math.isfinite(row["loss"]):
            registry.finish(_with_nulls(row))
        else:
            registry.fail(cell.run, "diverged", row=_with_nulls(row))


def unsettled(ladder: Ladder, registry: Registry) -> list[str]:
    """The runs that are neither done nor failed."""
    from kleiber.lab.registry.schema import QUEUED, RUNNING

    states = registry.states(cell.run for cell in ladder.cells)
    return [run for run, state in states.items() if state in (QUEUED, RUNNING)]


def _attempt(
    cell: Cell,
    ladder: Ladder,
    corpus: Corpus,
    results: Path,
    registry: Registry,
    worker: Worker,
    listening: Sequence[Listening],
) -> dict[str, Any] | None:
    """Train a run that is this worker's; `None` where it failed."""
    from kleiber.lab.registry.claims import beating

    # Its last holder was killed after it had written the run down and before the registry heard of it.
    if (kept := finished(results, cell)) is not None:
        _finish(_with_nulls(kept), results, registry)
        return kept
    teacher_loss = _teacher_loss(cell, registry)
    try:
        with beating(registry, worker), one_quick_thread():
            keep = cell.run in ladder.teachers
            row = train_cell(
                cell,
                corpus,
                results,
                hardware=ladder.hardware,
                keep=keep,
                teacher_loss=teacher_loss,
                listening=listening,
            )
    except Exception as error:
        why = reason(error)
        if why is None or os.environ.get("KLEIBER_DEBUG") == "1":
            raise
        row = None
        if isinstance(error, Diverged):
            row = row_of(cell, corpus, spoil(corpus, cell.data), teacher_loss=teacher_loss)
            row |= {"diverged_at_step": error.step, "hardware": ladder.hardware}
        registry.fail(cell.run, why, row=row, worker=worker.name)
        return None
    _finish(row, results, registry)
    return row


def _finish(row: dict[str, Any], results: Path, registry: Registry) -> None:
    """Enter a finished run, which lies on disk already: if the registry stays silent, that is said and nothing is lost."""
    from kleiber.lab.registry.database import RegistryError

    for patience_seconds in PATIENCE_SECONDS:
        with suppress(RegistryError):
            registry.finish(row)
            return
        time.sleep(patience_seconds)
    try:
        registry.finish(row)
    except RegistryError as error:
        kept = results / "runs" / f"{row['run']}.json"
        raise RegistryError(f"{error}. The finished run is kept in {kept}; the same call enters it") from error


def _teacher_loss(cell: Cell, registry: Registry) -> float | None:
    if cell.distillation is None:
        return None
    (teacher,) = registry.entries([cell.distillation.teacher.run])
    assert teacher.result is not None, teacher
    return teacher.result["loss"]


def _with_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN, and PostgreSQL takes none."""
    return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in row.items()}
