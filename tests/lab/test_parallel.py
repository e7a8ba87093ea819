"""A run trained by two processes is the run of one, but for the order of sums, and may move between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

from ranks import together_on
from shapes_of_ranks import SHAPES
from train_by_ranks import train

from kleiber.lab.description import read_ladder
from kleiber.lab.ladder import run
from kleiber.lab.parallel.ranks import LostRank
from kleiber.lab.train import State

every_family = pytest.mark.parametrize("name", SHAPES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, text_folder: Path) -> Path:
    """States and losses of every family, by one process (`alone`) and by two (`two`)."""
    found = tmp_path_factory.mktemp("ranks")
    for name in ("alone", "two"):
        (found / name).mkdir()
    train(found / "alone", text_folder)
    together_on(Path(__file__).with_name("train_by_ranks.py"), 2, str(found / "two"), str(text_folder))
    return found


@every_family
@pytest.mark.parametrize("moment", ["trunk", "end"])
def test_two_processes_reach_the_state_of_one(folder: Path, name: str, moment: str) -> None:
    one, two = (State.load(folder / who / f"{name}-{moment}.npz") for who in ("alone", "two"))
    assert one.step == two.step
    assert np.array_equal(one.kept_Q, two.kept_Q)
    # Measured: at most 5e-6, 3e-7 and 4e-7 of the largest entry.
    for part in ("weights_P", "first_P", "second_P"):
        alone_P, shared_P = getattr(one, part), getattr(two, part)
        assert np.abs(alone_P - shared_P).max() < 1e-5 * np.abs(alone_P).max(), part


@every_family
def test_two_processes_measure_the_loss_of_one(folder: Path, name: str) -> None:
    one, two = (float((folder / who / f"{name}.txt").read_text()) for who in ("alone", "two"))
    assert two == pytest.approx(one, abs=1e-6)


def torchrun(ladder: Path, *words: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--standalone"]
    return subprocess.run(
        [*command, "-m", "kleiber.lab.parallel", str(ladder), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_torchrun_trains_a_run_of_a_ladder_that_one_process_then_finds(ladder_toml: Path, tmp_path: Path) -> None:
    cells = read_ladder(ladder_toml).cells
    done = torchrun(ladder_toml, "--only", cells[1].run, "--results", str(tmp_path / "two"), "--json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["schema"], row["run"], row["tokens"]) == ("kleiber/lab-run/1", cells[1].run, cells[1].tokens)
    alone = {found["run"]: found["loss"] for found in run(ladder_toml, tmp_path / "alone")}
    assert row["loss"] == pytest.approx(alone[row["run"]], abs=1e-5)
    # The trunk that two ranks trained is the one that one process goes on from.
    again = {found["run"]: found["loss"] for found in run(ladder_toml, tmp_path / "two")}
    assert again == pytest.approx(alone, abs=1e-5)
    assert again[row["run"]] == row["loss"]


@pytest.mark.slow
def test_what_cannot_be_split_is_said_without_a_traceback(ladder_toml: Path, tmp_path: Path) -> None:
    done = torchrun(ladder_toml, "--results", str(tmp_path / "three"), processes=3)
    assert done.returncode != 0
    assert "a batch cannot be split evenly (found 4 windows over 3 processes)" in done.stderr
    missing = torchrun(ladder_toml, "--only", "nobody", processes=1)
    assert "no such run in the ladder (found nobody)" in missing.stderr


def test_outside_torchrun_the_way_in_is_named(ladder_toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kleiber.lab.parallel.__main__ import main

    assert main([str(ladder_toml)]) == 2
    assert "torchrun --nproc-per-node 2 -m kleiber.lab.parallel LADDER.toml" in capsys.readouterr().err


def test_a_lost_rank_is_named(tmp_path: Path, text_folder: Path) -> None:
    script = tmp_path / "lost.py"
    script.write_text(
        "import os, sys, torch\n"
        "from kleiber.lab.parallel.ranks import LostRank, leave_at_once, together\n"
        "try:\n"
        "    with together() as ranks:\n"
        "        ranks.agree(0)\n"
        f"        if ranks.rank == 1: os._exit({LostRank.exit_code})\n"
        "        ranks.average(torch.ones(3))\n"
        "        ranks.average(torch.ones(3))\n"
        "except LostRank as error:\n"
        "    sys.stderr.write(str(error))\n"
        "    leave_at_once(error.exit_code)\n"
    )
    said = together_on(script, 2, expected=LostRank.exit_code)
    assert "another process of the run was lost" in said[0]
