"""Kill -9 at random moments, on SQLite and PostgreSQL: every run is done once, to the same bits as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")
pytest.importorskip("sqlalchemy", reason="the registry needs SQLAlchemy")

from tests.lab.forks import FORK

from kleiber.lab.ladder import run
from kleiber.lab.registry import open_registry

WORKERS = 2
MEASURED = ("loss", "loss_se", "unique_tokens", "flops", "max_violation")


def sweep(toml: Path, results: Path, url: str) -> None:
    for _ in run(toml, results, registry=url):
        pass


def started(*arguments: object) -> BaseProcess:
    process = FORK.Process(target=sweep, args=arguments)
    process.start()
    return process


def small(ladder_toml: Path, seeds: int) -> Path:
    """Four runs a seed, on two trunks."""
    text = ladder_toml.read_text().replace("tokens = [4096, 8192]", "tokens = [2048, 4096]")
    ladder_toml.write_text(text.replace("seeds = [0]", f"seeds = {list(range(seeds))}"))
    return ladder_toml


def settled(results: Path, url: str) -> dict[str, tuple[Any, ...]]:
    """Of every finished run, when it was entered and when its file was written: once, whatever comes after."""
    stamps = {path.stem: path.stat().st_mtime_ns for path in (results / "runs").glob("[!.]*.json")}
    done = {entry.run: entry for entry in open_registry(url).entries() if entry.state == "done"}
    return {name: (entry.ended_seconds, stamps[name]) for name, entry in done.items()}


@pytest.mark.parametrize(("kills", "seeds"), [(3, 2), pytest.param(20, 7, marks=pytest.mark.slow)])
def test_runs_survive_kills(registry_url: str, ladder_toml: Path, tmp_path: Path, kills: int, seeds: int) -> None:
    toml = small(ladder_toml, seeds)
    began = time.monotonic()
    whole = {row["run"]: row for row in run(toml, tmp_path / "whole")}
    run_seconds = (time.monotonic() - began) / len(whole)
    assert len(whole) == 4 * seeds

    results, moments = tmp_path / "killed", random.Random(kills)
    crew = [started(toml, results, registry_url) for _ in range(WORKERS)]
    seen: dict[str, tuple[Any, ...]] = {}
    for _ in range(kills):
        time.sleep(moments.uniform(0, 1.5 * run_seconds))
        place = moments.randrange(WORKERS)
        victim = crew[place]
        assert victim.is_alive(), "the sweep ended before its kills: give it more runs"
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        assert victim.exitcode == -signal.SIGKILL
        now = settled(results, registry_url)
        assert seen.items() <= now.items()
        seen = now
        crew[place] = started(toml, results, registry_url)
    for process in crew:
        process.join()
        assert process.exitcode == 0

    assert seen.items() <= settled(results, registry_url).items()
    entries = open_registry(registry_url).entries()
    assert {entry.run: entry.state for entry in entries} == dict.fromkeys(whole, "done")
    for entry in entries:
        assert entry.result is not None
        assert [entry.result[name] for name in MEASURED] == [whole[entry.run][name] for name in MEASURED]
    rows = list(run(toml, results, registry=registry_url))
    assert [row["run"] for row in rows] == list(whole)
