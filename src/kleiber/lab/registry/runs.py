"""Runs in and out of the registry: queued by a ladder, finished with a row, failed with a reason.

The one idea: a finished run is final. Whoever comes with a result writes it in one transaction, unless one is there already; as
a run's result follows from its configuration, it does not matter whose is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from kleiber.lab.registry.database import Database
from kleiber.lab.registry.schema import DONE, FAILED, QUEUED, RUNNING, runs

if TYPE_CHECKING:
    from kleiber.lab.description import Ladder

NOBODY = {"worker": None, "host": None, "pid": None, "alive_seconds": None}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run as the registry knows it: `config` is what its name is a hash of, `lost` counts the workers that died over it.

    Times are seconds since 1970.
    """

    run: str
    trunk: str
    ladder: str
    config: dict[str, Any]
    state: str
    reason: str | None
    result: dict[str, Any] | None
    lost: int
    worker: str | None
    host: str | None
    pid: int | None
    queued_seconds: float
    started_seconds: float | None
    alive_seconds: float | None
    ended_seconds: float | None


class Registry:
    """All runs of all ladders that share a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def enrol(self, ladder: Ladder) -> None:
        """Queue the runs that are not known yet."""
        known = {entry.run for entry in self.entries(cell.run for cell in ladder.cells)}
        new = [cell for cell in ladder.cells if cell.run not in known]
        if not new:
            return
        try:
            with self.database.writing() as connection:
                now = self.database.clock_seconds(connection)
                fixed = {"ladder": ladder.name, "state": QUEUED, "lost": 0, "queued_seconds": now}
                rows = [{"run": cell.run, "trunk": cell.trunk, "config": cell.facts(), **fixed} for cell in new]
                connection.execute(sa.insert(runs), rows)
        except IntegrityError:
            # Somebody else has just queued one of them: what is still missing is asked for anew.
            self.enrol(ladder)

    def entries(self, names: Iterable[str] | None = None) -> list[Entry]:
        """The runs of those names, or all, in the order in which they were queued."""
        columns = [runs.c[field.name] for field in fields(Entry)]
        query = sa.select(*columns).order_by(runs.c.queued_seconds, runs.c.run)
        if names is not None:
            query = query.where(runs.c.run.in_(list(names)))
        with self.database.reading() as connection:
            return [Entry(**row) for row in connection.execute(query).mappings()]

    def states(self, names: Iterable[str]) -> dict[str, str]:
        """The state of each run of those names that is known."""
        query = sa.select(runs.c.run, runs.c.state).where(runs.c.run.in_(list(names)))
        with self.database.reading() as connection:
            return {row.run: row.state for row in connection.execute(query)}

    def finish(self, row: dict[str, Any]) -> None:
        """Write a result down; a run that is finished already keeps the one it has."""
        self._end(row["run"], runs.c.state != DONE, state=DONE, reason=None, result=row)

    def fail(self, run: str, reason: str, *, row: dict[str, Any] | None = None, worker: str | None = None) -> None:
        """Write down that a run has failed, why, and what is known of it; with `worker` only while that worker holds it."""
        held = runs.c.worker == worker if worker else sa.true()
        self._end(run, sa.and_(runs.c.state.not_in((DONE, FAILED)), held), state=FAILED, reason=reason, result=row)

    def _end(self, run: str, condition: sa.ColumnElement[bool], **values: Any) -> None:
        with self.database.writing() as connection:
            ended = self.database.clock_seconds(connection)
            connection.execute(
                sa.update(runs).where(runs.c.run == run, condition).values(**values, ended_seconds=ended)
            )

    def begin_again(self, names: Sequence[str], *, failed: bool) -> None:
        """A new call, a new chance: forget how many workers the runs have cost; queue the failed ones too if asked."""
        mine = runs.c.run.in_(list(names))
        with self.database.writing() as connection:
            if failed:
                connection.execute(
                    sa.update(runs)
                    .where(mine, runs.c.state == FAILED)
                    .values(**NOBODY, state=QUEUED, reason=None, result=None, ended_seconds=None)
                )
            connection.execute(sa.update(runs).where(mine, runs.c.state.in_((QUEUED, RUNNING))).values(lost=0))


def open_registry(url: str, *, make: bool = True) -> Registry:
    """The registry at a URL, brought up to date: `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`.

    One that is not there yet is made, unless `make` is False. Raises `InputError` for a URL that is none, a registry of a newer
    version and one that is not there, `RegistryError` where it does not answer.
    """
    return Registry(Database(url, make=make))
