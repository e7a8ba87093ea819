"""A PostgreSQL server of one's own: made, started, stopped and thrown away; reached through a socket, by nobody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class Server:
    """A cluster in a folder with a short name (a socket's path may not be long)."""

    def __init__(self, binaries: Path, folder: Path, owner: str | None) -> None:
        self._binaries, self._folder, self._owner = binaries, folder, owner
        self._count = 0

    def make(self) -> None:
        self._call("initdb", "-D", self._data, "-U", "kleiber", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._folder}'"
        log = self._folder / "log"
        self._call("pg_ctl", "-D", self._data, "-l", str(log), "-w", "-t", "60", "-o", options, "start")

    def stop(self) -> None:
        """At once, as in a crash: nothing that is not on disk survives."""
        self._call("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def new_database(self) -> str:
        """The URL of an empty database."""
        import sqlalchemy as sa

        self._count += 1
        name = f"lab{self._count}"
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return self._url(name)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://kleiber@/{database}?host={self._folder}"

    def _call(self, program: str, *arguments: str) -> None:
        found = subprocess.run(
            [str(self._binaries / program), *arguments],
            user=self._owner,
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert found.returncode == 0, f"{program}: {found.stdout}"


@contextmanager
def server() -> Iterator[Server]:
    """A running server; the test is skipped, with the reason, where none can be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'kleiber[postgres]'")
    on_path = shutil.which("initdb")
    binaries = Path(on_path).resolve().parent if on_path else next(iter(PLACES), None)
    if binaries is None:
        pytest.skip("there is no PostgreSQL server here: apt-get install postgresql")
    # The server refuses to run as root; Debian's packages bring a user for it.
    owner = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if owner:
            shutil.chown(folder, owner)
        found = Server(binaries, folder, owner)
        found.make()
        found.start()
        try:
            yield found
        finally:
            found.stop()
