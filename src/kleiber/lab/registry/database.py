"""A URL -> a database with today's schema, and its transactions.

The way the data takes: a URL -> an engine -> missing migrations run -> `reading()` and `writing()`. The one idea: every
question is a connection and a transaction of its own, so that nothing is held open while a run trains for hours, and a server
that was restarted in between is no fault. A transaction that writes has the database to itself on SQLite (`BEGIN IMMEDIATE`);
on PostgreSQL it locks the rows that it is about to change.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from kleiber.errors import InputError, KleiberError

LOCK_SECONDS = 60.0
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_046_029_254  # any number will do: it is the name of the lock on PostgreSQL


class RegistryError(KleiberError):
    """The registry does not answer: the server is gone, the disk is full, the file is no database."""


class Database:
    """A registry's database, opened by URL and brought up to date."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        self._engine = _engine(url)
        self.name = self._engine.url.render_as_string(hide_password=True)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        # Looked for first: SQLite makes a file by opening it.
        is_there = not self.is_sqlite or Path(self._engine.url.database or "").exists()
        revision = self._revision() if make or is_there else None
        if revision is None and not make:
            raise InputError("there is no registry", where=self.name, remedy="`kleiber lab run` makes one")
        if revision != _head():
            self._upgrade()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the registry."""
        with self._answering(), self._engine.connect().execution_options(reads_only=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction: all that is written within is there afterwards, or none of it."""
        with self._answering(), self._engine.begin() as connection:
            yield connection

    def clock_seconds(self, connection: sa.Connection) -> float:
        """What time it is for everyone: the server's clock, where there is a server."""
        if self.is_sqlite:
            return time.time()
        return float(connection.execute(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))).scalar_one())

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            what = str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
            raise RegistryError(f"the registry {self.name} does not answer: {what}") from error

    def _revision(self) -> str | None:
        from alembic.migration import MigrationContext

        with self.reading() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def _upgrade(self) -> None:
        """Run what is missing in one transaction; whoever comes second waits, and finds it done."""
        from alembic import command
        from alembic.util import CommandError

        with self.writing() as connection:
            if not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            try:
                command.upgrade(alembic_config(connection), "head")
            except CommandError as error:
                raise InputError(
                    "the registry was written by another version of Kleiber",
                    found=str(error),
                    where=self.name,
                    remedy="install the newer version, or name another --registry",
                ) from error


def alembic_config(connection: sa.Connection) -> Any:
    """What Alembic must know to work on an open connection: where the steps are. There is no alembic.ini."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _head() -> str | None:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError(parsed.drivername)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        options = {"timeout": LOCK_SECONDS} if is_sqlite else {"connect_timeout": 10}
        engine = sa.create_engine(parsed, poolclass=sa.pool.NullPool, connect_args=options)
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError(
            "this is no registry",
            found=url.split("@")[-1],
            expected="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME",
            where="--registry",
        ) from error
    except ModuleNotFoundError as error:
        raise InputError(
            f"this registry needs {error.name}, which is not installed", remedy="pip install 'kleiber[postgres]'"
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Leave transactions to us, let readers and a writer work at once (WAL), and wait for the disk at every commit."""
    connection.isolation_level = None
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    # Immediate: whoever is to write says so at once, as two readers that both come to write would have to give up.
    reads_only = connection.get_execution_options().get("reads_only")
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
