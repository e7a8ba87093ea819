"""What goes wrong in a sweep costs what it must and no more: memory, divergence, a lost worker, a full disk, a dead database."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")
pytest.importorskip("sqlalchemy", reason="the registry needs SQLAlchemy")

import torch
from tests.lab import fatal
from tests.lab.postgres import Server

from kleiber.errors import InputError, KleiberError
from kleiber.lab import crew, folder, worker
from kleiber.lab.description import read_ladder
from kleiber.lab.ladder import registry_url, run
from kleiber.lab.registry import open_registry
from kleiber.lab.registry.database import RegistryError
from kleiber.lab.registry.runs import Entry
from kleiber.lab.status import ladder_status
from kleiber.lab.table import table
from kleiber.lab.train import Trainer


def entries(results: Path, url: str | None = None) -> dict[str, Entry]:
    return {entry.run: entry for entry in open_registry(url or registry_url(results)).entries()}


# -- faults of a run -----------------------------------------------------------------------------------------------------------


def ask_torch_for_too_much() -> None:
    torch.empty(10**15)


def ask_python_for_too_much() -> None:
    bytes(10**18)


@pytest.mark.parametrize("ask", [ask_torch_for_too_much, ask_python_for_too_much])
def test_a_run_too_large_for_memory_fails_and_the_sweep_goes_on(
    ask: Callable[[], None], ladder_toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Trainer.train_trunk

    def greedy(self: Trainer, until_step: int) -> None:
        if self.shape.width == 16:
            ask()
        begin(self, until_step)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_trunk", greedy)
        rows = list(run(ladder_toml, tmp_path))
    assert {row["width"] for row in rows} == {8}
    failed = [entry for entry in entries(tmp_path).values() if entry.state == "failed"]
    assert len(failed) == 2
    assert all((entry.reason or "").startswith("out of memory") for entry in failed)
    # It stays failed until somebody asks for it, and then nothing is left of the fault.
    assert len(list(run(ladder_toml, tmp_path))) == 3
    assert len(list(run(ladder_toml, tmp_path, retry=True))) == 5


DIVERGING = """
[[stage]]
widths = [8]
tokens = [{tokens}]
seeds = [5]
teacher = {{ width = 8, tokens = {tokens}, seed = 6, recipe = {{ lr = 1e30 }} }}
"""


@pytest.mark.parametrize("tokens", [2048, 16_384], ids=["found at the end", "found on the way"])
def test_a_run_that_diverged_is_written_down_and_never_fitted(tokens: int, ladder_toml: Path, tmp_path: Path) -> None:
    ladder_toml.write_text(ladder_toml.read_text() + DIVERGING.format(tokens=tokens))
    *_, teacher, student = read_ladder(ladder_toml).cells
    rows = list(run(ladder_toml, tmp_path))
    found = entries(tmp_path)
    diverged = found[teacher.run]
    assert diverged.state == "failed"
    assert diverged.result is not None
    step = diverged.result["diverged_at_step"]
    assert diverged.reason == f"diverged at step {step}"
    assert 0 < step <= tokens // 128
    assert (diverged.result["loss"], diverged.result["lr"]) == (None, teacher.recipe.peak_lr(8))
    assert found[student.run].state == "failed"
    assert found[student.run].reason == f"its teacher {teacher.run} failed: diverged at step {step}"
    assert len(rows) == 5
    assert table(tmp_path).num_rows == 5
    assert not list((tmp_path / "trunks" / teacher.trunk).glob("*.npz"))


def test_a_worker_that_is_killed_loses_no_other_run(
    ladder_toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run kills whoever takes it: three times, then it fails; the other is done."""
    ladder_toml.write_text(
        ladder_toml.read_text().replace("tokens = [4096, 8192]", "tokens = [4096]").replace("[0, 1]", "[0]")
    )
    monkeypatch.setattr(crew, "work_for", fatal.work_until_killed)
    rows = list(run(ladder_toml, tmp_path, workers=2, on="local"))
    found = entries(tmp_path)
    for cell in read_ladder(ladder_toml).cells:
        entry = found[cell.run]
        if cell.shape.width == fatal.FATAL_WIDTH:
            assert (entry.state, entry.reason, entry.lost) == ("failed", "lost 3 workers", 3)
        else:
            assert (entry.state, entry.lost) == ("done", 0)
    assert len(rows) == 1


# -- faults of the machine -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 KiB: less than one checkpoint."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_stops_the_sweep_and_a_larger_one_resumes_it(
    ladder_toml: Path, tmp_path: Path, small_disk: Path
) -> None:
    whole = {row["run"]: row["loss"] for row in run(ladder_toml, tmp_path / "whole")}
    url = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    with pytest.raises(OSError, match="No space left on device"):
        list(run(ladder_toml, small_disk, registry=url))
    assert not [path for path in small_disk.rglob(".*") if path.is_file()]
    assert not list(small_disk.rglob("*.npz"))
    assert {entry.state for entry in entries(small_disk, url).values()} == {"queued"}
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert {row["run"]: row["loss"] for row in run(ladder_toml, small_disk, registry=url)} == whole


def test_a_full_disk_under_the_registry_is_said(ladder_toml: Path, small_disk: Path) -> None:
    with pytest.raises((RegistryError, OSError), match=r"full|No space left|disk I/O"):
        list(run(ladder_toml, small_disk))
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert len(list(run(ladder_toml, small_disk))) == 5


def test_a_file_that_does_not_fit_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_json(tmp_path / "run.json", {"loss": 1.0})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write_json(tmp_path / "run.json", {"loss": 2.0})
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert json.loads((tmp_path / "run.json").read_text()) == {"loss": 1.0}


def test_a_database_that_dies_loses_no_finished_run(
    postgres_server: Server, ladder_toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, train = postgres_server.new_database(), worker.train_cell
    trained: list[str] = []

    def trained_then_dead(cell: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        row = train(cell, *arguments, **options)
        trained.append(cell.run)
        if len(trained) == 2:
            postgres_server.stop()
        return row

    monkeypatch.setattr(worker, "train_cell", trained_then_dead)
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", (0.01,))
    try:
        with pytest.raises(KleiberError, match="does not answer") as error:
            list(run(ladder_toml, tmp_path, registry=url))
    finally:
        postgres_server.start()
    kept = tmp_path / "runs" / f"{trained[1]}.json"
    assert str(kept) in str(error.value)
    assert entries(tmp_path, url)[trained[1]].state == "running"
    rows = {row["run"]: row for row in run(ladder_toml, tmp_path, registry=url)}
    assert rows[trained[1]] == json.loads(kept.read_text())
    # Five runs, five trainings: what was finished when the server died was not done again.
    assert sorted(trained) == sorted(rows)
    assert {entry.state for entry in entries(tmp_path, url).values()} == {"done"}


# -- folders from before there was a registry ----------------------------------------------------------------------------------


def test_finished_runs_of_an_old_folder_are_entered_and_not_trained_again(
    ladder_toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(run(ladder_toml, tmp_path))
    (tmp_path / "registry.sqlite").unlink()
    ladder = read_ladder(ladder_toml)
    assert ladder_status(ladder, tmp_path, None).counts == {"done": 5, "running": 0, "queued": 0, "failed": 0}
    last = tmp_path / "runs" / f"{before[-1]['run']}.json"
    last.write_text(json.dumps({**before[-1], "loss": float("nan")}))

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(worker, "train_cell", never)
    assert list(run(ladder_toml, tmp_path)) == before[:-1]
    found = entries(tmp_path)[before[-1]["run"]]
    assert (found.state, found.reason) == ("failed", "diverged")
    assert table(tmp_path).num_rows == 4


def test_a_table_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished run"):
        table(tmp_path)
