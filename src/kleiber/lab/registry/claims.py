"""A worker takes a run, says that it is alive, and gives it back; others take back what a dead worker held.

The way the data takes: the ladder's cells in order -> the first that is queued, whose teacher is finished and whose trunk nobody
holds -> one worker's, by a transaction. The one idea: a claim is a row's state, so that two workers cannot both have it; it ends
with the run, with a word, or with its holder's life. On the holder's machine that is seen at once by its lock, elsewhere when
its heartbeat has been silent for `LEASE_SECONDS`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from kleiber.lab.cell import Cell
from kleiber.lab.registry.database import RegistryError
from kleiber.lab.registry.runs import NOBODY, Entry, Registry
from kleiber.lab.registry.schema import DONE, FAILED, QUEUED, RUNNING, runs
from kleiber.lab.registry.worker import Worker, is_gone

BEAT_SECONDS, LEASE_SECONDS = 15.0, 180.0
MOST_LOST = 3


def take(registry: Registry, cells: Sequence[Cell], worker: Worker) -> Cell | None:
    """The first run that can be trained now, from here on this worker's; `None` if there is none."""
    while True:
        try:
            with registry.database.writing() as connection:
                return _take(registry, connection, cells, worker)
        except IntegrityError:
            # PostgreSQL: another run of the same trunk was taken in the same moment. SQLite never comes here.
            continue


def _take(registry: Registry, connection: sa.Connection, cells: Sequence[Cell], worker: Worker) -> Cell | None:
    now = registry.database.clock_seconds(connection)
    names = {cell.run for cell in cells} | {c.distillation.teacher.run for c in cells if c.distillation}
    query = sa.select(runs.c.run, runs.c.state, runs.c.reason).where(runs.c.run.in_(names))
    found = {row.run: row for row in connection.execute(query)}
    busy = set(connection.execute(sa.select(runs.c.trunk).where(runs.c.state == RUNNING)).scalars())
    for cell in cells:
        if found[cell.run].state != QUEUED or cell.trunk in busy:
            continue
        if cell.distillation and (teacher := found[cell.distillation.teacher.run]).state != DONE:
            if teacher.state == FAILED:
                reason = f"its teacher {teacher.run} failed: {teacher.reason}"
                _set(connection, cell.run, QUEUED, state=FAILED, reason=reason, ended_seconds=now)
            continue
        free = sa.select(runs.c.run).where(runs.c.run == cell.run, runs.c.state == QUEUED)
        if connection.execute(free.with_for_update(skip_locked=True)).first() is None:
            continue
        times = {"started_seconds": now, "alive_seconds": now}
        holder = {"worker": worker.name, "host": worker.host, "pid": worker.pid}
        _set(connection, cell.run, QUEUED, state=RUNNING, **holder, **times)
        return cell
    return None


def give_back(registry: Registry, worker: Worker) -> None:
    """Queue what the worker holds: it stops in good order, and no run is to blame."""
    with registry.database.writing() as connection:
        mine = sa.and_(runs.c.worker == worker.name, runs.c.state == RUNNING)
        connection.execute(sa.update(runs).where(mine).values(**NOBODY, state=QUEUED))


@contextmanager
def beating(registry: Registry, worker: Worker) -> Iterator[None]:
    """Say every few seconds that the worker is alive, for as long as the block runs."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            # A server that is away for a moment is no reason to stop training.
            with suppress(RegistryError), registry.database.writing() as connection:
                now = registry.database.clock_seconds(connection)
                mine = sa.and_(runs.c.worker == worker.name, runs.c.state == RUNNING)
                connection.execute(sa.update(runs).where(mine).values(alive_seconds=now))

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def take_back(registry: Registry, locks: Path) -> list[Entry]:
    """Queue the runs of workers that are gone; those that have cost `MOST_LOST` workers fail. Returns what was taken back."""
    with registry.database.reading() as connection:
        now = registry.database.clock_seconds(connection)
        holders = {row.worker: row for row in connection.execute(sa.select(runs).where(runs.c.state == RUNNING))}
    here = socket.gethostname()
    gone = [
        row.worker
        for row in holders.values()
        if now - row.alive_seconds > LEASE_SECONDS or (row.host == here and is_gone(locks, row.worker))
    ]
    if not gone:
        return []
    with registry.database.writing() as connection:
        query = sa.select(runs).where(runs.c.worker.in_(gone), runs.c.state == RUNNING).with_for_update()
        lost = [Entry(**row) for row in connection.execute(query).mappings()]
        for entry in lost:
            count = entry.lost + 1
            if count < MOST_LOST:
                values = {**NOBODY, "state": QUEUED, "lost": count}
            else:
                values = {"state": FAILED, "lost": count, "reason": f"lost {count} workers", "ended_seconds": now}
            _set(connection, entry.run, RUNNING, **values)
    for name in gone:
        (locks / name).unlink(missing_ok=True)
    return lost


def _set(connection: sa.Connection, run: str, was: str, **values: object) -> None:
    """Change a run that was in that state."""
    connection.execute(sa.update(runs).where(runs.c.run == run, runs.c.state == was).values(**values))
