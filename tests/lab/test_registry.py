"""The registry: a run is taken by one worker, ends once, and comes back when its worker is gone. On SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the registry needs SQLAlchemy")

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError
from tests.lab.forks import FORK

from kleiber.errors import InputError
from kleiber.lab.cell import Cell
from kleiber.lab.description import Ladder, read_ladder
from kleiber.lab.registry import Registry, claims, open_registry
from kleiber.lab.registry.claims import beating, give_back, take, take_back
from kleiber.lab.registry.database import MIGRATIONS, RegistryError, alembic_config
from kleiber.lab.registry.schema import metadata, runs
from kleiber.lab.registry.worker import Worker, at_work, is_gone


@pytest.fixture
def ladder(ladder_toml: Path) -> Ladder:
    return read_ladder(ladder_toml)


@pytest.fixture
def registry(registry_url: str, ladder: Ladder) -> Registry:
    """The ladder's runs, all queued."""
    found = open_registry(registry_url)
    found.enrol(ladder)
    return found


def state_of(registry: Registry, cell: Cell) -> str:
    return registry.states([cell.run])[cell.run]


# -- the schema ------------------------------------------------------------------------------------------------------------------


def test_the_migrations_lead_to_the_schema(registry_url: str) -> None:
    """From the first revision to the last, with a run in it all along."""
    url = registry_url.replace("%", "%%")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    revisions = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), revisions[0])
        first = {
            "run": "a",
            "trunk": "t",
            "ladder": "l",
            "config": {},
            "state": "queued",
            "lost": 0,
            "queued_seconds": 1.0,
        }
        connection.execute(sa.insert(runs), [first])
        for revision in revisions[1:]:
            command.upgrade(alembic_config(connection), revision)
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
    (entry,) = open_registry(registry_url).entries()
    assert (entry.run, entry.state, entry.queued_seconds) == ("a", "queued", 1.0)


def test_a_registry_of_a_newer_version_is_left_alone(registry_url: str) -> None:
    registry = open_registry(registry_url)
    with registry.database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="another version of Kleiber"):
        open_registry(registry_url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://me:secret@there/x", "this is no registry"),
        ("nonsense", "this is no registry"),
        ("postgresql://me:secret@127.0.0.1:1/x", r"me:\*\*\*@127.0.0.1:1/x does not answer"),
        ("sqlite:////no/such/folder/x", "does not answer"),
        (f"sqlite:///{__file__}", "not a database"),
    ],
)
def test_a_registry_that_cannot_be_opened(url: str, message: str) -> None:
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises((InputError, RegistryError), match=message) as error:
        open_registry(url)
    assert "secret" not in str(error.value)


def test_looking_makes_no_registry(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no registry"):
        open_registry(f"sqlite:///{tmp_path / 'none.sqlite'}", make=False)
    assert list(tmp_path.iterdir()) == []


def open_once(url: str, done: Any) -> None:
    open_registry(url)
    done.put(True)


def test_many_may_open_a_new_registry_at_once(registry_url: str) -> None:
    done = FORK.SimpleQueue()
    crew = [FORK.Process(target=open_once, args=(registry_url, done)) for _ in range(4)]
    for process in crew:
        process.start()
    for process in crew:
        process.join()
        assert process.exitcode == 0
    assert open_registry(registry_url).entries() == []


# -- claims ----------------------------------------------------------------------------------------------------------------------


def test_a_trunk_is_held_by_one_worker(registry: Registry, ladder: Ladder, tmp_path: Path) -> None:
    with at_work(tmp_path) as one, at_work(tmp_path) as two:
        first, second = take(registry, ladder.cells, one), take(registry, ladder.cells, two)
        assert first is not None
        assert second is not None
        assert first.trunk != second.trunk
        # The database itself refuses what no transaction may do.
        (other,) = [cell for cell in ladder.cells if cell.trunk == first.trunk and cell.run != first.run]
        with pytest.raises(IntegrityError), registry.database.writing() as connection:
            connection.execute(sa.update(runs).where(runs.c.run == other.run).values(state="running"))
        registry.finish({"run": first.run, "loss": 1.0})
        again = take(registry, [other], two)
        assert again == other


def test_a_finished_run_is_final(registry: Registry, ladder: Ladder) -> None:
    cell = ladder.cells[0]
    loss = 0.1 + 0.2
    registry.finish({"run": cell.run, "loss": loss})
    registry.finish({"run": cell.run, "loss": 7.0})
    registry.fail(cell.run, "too late")
    registry.enrol(ladder)
    registry.begin_again([cell.run], failed=True)
    (entry,) = registry.entries([cell.run])
    assert (entry.state, entry.reason, entry.result) == ("done", None, {"run": cell.run, "loss": loss})


def test_a_failed_run_is_taken_again_only_when_asked(registry: Registry, ladder: Ladder, tmp_path: Path) -> None:
    cell = ladder.cells[0]
    registry.fail(cell.run, "out of memory")
    with at_work(tmp_path) as worker:
        registry.begin_again([cell.run], failed=False)
        assert take(registry, [cell], worker) is None
        registry.begin_again([cell.run], failed=True)
        assert take(registry, [cell], worker) == cell
        assert registry.entries([cell.run])[0].reason is None


def test_a_run_given_back_is_free(registry: Registry, ladder: Ladder, tmp_path: Path) -> None:
    with at_work(tmp_path) as worker:
        cell = take(registry, ladder.cells, worker)
        assert cell is not None
        give_back(registry, worker)
        assert state_of(registry, cell) == "queued"
        assert registry.entries([cell.run])[0].lost == 0


def hold(url: str, toml: Path, locks: Path, held: Any) -> None:
    """Take a run and never let go."""
    with at_work(locks) as worker:
        cell = take(open_registry(url), read_ladder(toml).cells, worker)
        held.put(cell.run if cell else None)
        time.sleep(600)


def test_a_killed_worker_loses_its_run_at_once(
    registry: Registry, registry_url: str, ladder: Ladder, ladder_toml: Path, tmp_path: Path
) -> None:
    """Three times: the third worker lost is one too many."""
    locks = tmp_path / "claims"
    locks.mkdir()
    for count in (1, 2, 3):
        held = FORK.SimpleQueue()
        process = FORK.Process(target=hold, args=(registry_url, ladder_toml, locks, held))
        process.start()
        run = held.get()
        assert run == ladder.cells[0].run
        assert take_back(registry, locks) == []
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert [entry.run for entry in take_back(registry, locks)] == [run]
        (entry,) = registry.entries([run])
        assert entry.lost == count
        assert entry.state == ("queued" if count < 3 else "failed")
    assert entry.reason == "lost 3 workers"
    assert list(locks.iterdir()) == []


def test_a_silent_worker_elsewhere_loses_its_run_when_its_lease_ends(
    registry: Registry, ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Worker(name="far", host="another-machine", pid=1, locks=tmp_path)
    cell = take(registry, ladder.cells, far)
    assert cell is not None
    assert take_back(registry, tmp_path) == []
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.02)
    before = registry.entries([cell.run])[0].alive_seconds
    with beating(registry, far):
        time.sleep(0.3)
    after = registry.entries([cell.run])[0].alive_seconds
    assert before is not None
    assert after is not None
    assert after > before
    monkeypatch.setattr(claims, "LEASE_SECONDS", 0.0)
    assert [entry.run for entry in take_back(registry, tmp_path)] == [cell.run]
    # Should it come back after all with its result, nothing is wrong with that.
    registry.fail(cell.run, "cannot say so any more", worker="far")
    assert state_of(registry, cell) == "queued"
    registry.finish({"run": cell.run, "loss": 1.0})
    assert state_of(registry, cell) == "done"


def test_a_lock_tells_who_is_gone(tmp_path: Path) -> None:
    with at_work(tmp_path) as worker:
        assert not is_gone(tmp_path, worker.name)
    assert not is_gone(tmp_path, worker.name)
    (tmp_path / "left").touch()
    assert is_gone(tmp_path, "left")


def take_all(url: str, toml: Path, locks: Path, taken: Any) -> None:
    registry, cells = open_registry(url), read_ladder(toml).cells
    with at_work(locks) as worker:
        while "queued" in registry.states(cell.run for cell in cells).values():
            if (cell := take(registry, cells, worker)) is None:
                continue
            began = time.monotonic()
            taken.put((cell.run, cell.trunk, began, time.monotonic()))
            registry.finish({"run": cell.run, "loss": 1.0})
    taken.put(None)


def test_workers_that_rush_never_take_the_same(registry_url: str, ladder_toml: Path, tmp_path: Path) -> None:
    text = ladder_toml.read_text().replace("seeds = [0]", f"seeds = {list(range(5))}")
    ladder_toml.write_text(text)
    ladder = read_ladder(ladder_toml)
    open_registry(registry_url).enrol(ladder)
    locks = tmp_path / "claims"
    locks.mkdir()
    taken = FORK.SimpleQueue()
    crew = [FORK.Process(target=take_all, args=(registry_url, ladder_toml, locks, taken)) for _ in range(3)]
    for process in crew:
        process.start()
    found, ended = [], 0
    while ended < len(crew):
        item = taken.get()
        ended += item is None
        found += [item] if item else []
    for process in crew:
        process.join()
    assert sorted(run for run, *_ in found) == sorted(cell.run for cell in ladder.cells)
    by_trunk: dict[str, list[tuple[float, float]]] = {}
    for _, trunk, began, ended_at in found:
        by_trunk.setdefault(trunk, []).append((began, ended_at))
    for spans in by_trunk.values():
        spans.sort()
        assert all(one[1] <= two[0] for one, two in pairwise(spans))
