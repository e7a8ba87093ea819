"""The curve of a run: every step once, whatever is killed, and no bit of the run changed by keeping it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

from kleiber.lab import one_run
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.curve import Curve, Recorder, lead_to
from kleiber.lab.description import read_ladder
from kleiber.lab.folder import make_folders
from kleiber.lab.one_run import train_cell
from kleiber.lab.train import Trainer


class Killed(BaseException):
    """What nobody catches."""


class Killer:
    """Ends the process after a step, as far as the run can tell; keeps what it is told at the end."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, trainer: Trainer, lr: float, loss: object) -> None:
        if trainer.step == self.step:
            raise Killed

    def end(self, row: object) -> None:
        self.row = row


@pytest.fixture
def corpus(text_folder: Path) -> Corpus:
    return read_corpus(text_folder)


@pytest.fixture(autouse=True)
def _checkpoints_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run, "TOKENS_BETWEEN_CHECKPOINTS", 1280)


def curve_of(results: Path, run: str) -> Curve:
    return Curve.load(results / "curves" / f"{run}.parquet")


def same_losses(one: Curve, other: Curve) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("step_S", "tokens_S", "loss_S", "lr_S")
    )


def test_it_holds_every_step_and_what_was_trained(ladder_toml: Path, corpus: Corpus, tmp_path: Path) -> None:
    cell = read_ladder(ladder_toml).cells[0]
    make_folders(tmp_path)
    row = train_cell(cell, corpus, tmp_path, hardware="test")
    curve = curve_of(tmp_path, cell.run)
    assert curve.step_S.tolist() == list(range(1, 33))
    assert curve.tokens_S[-1] == row["tokens"]
    # A model that has learnt nothing is as good as guessing one of 256 bytes; the last rate is a step away from none.
    assert curve.loss_S[0] == pytest.approx(math.log(256), abs=0.1)
    assert curve.lr_S.max() == pytest.approx(row["lr"])
    assert curve.lr_S[-1] == pytest.approx(row["lr"] / 8)
    assert (np.diff(curve.wall_seconds_S) > 0).all()
    assert curve.wall_seconds_S[-1] <= row["wall_seconds"] + 0.1


@pytest.mark.parametrize("step", [3, 10, 17, 24, 31])
def test_a_kill_leaves_no_gap_and_no_step_twice(ladder_toml: Path, corpus: Corpus, tmp_path: Path, step: int) -> None:
    cell = read_ladder(ladder_toml).cells[0]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    make_folders(whole)
    make_folders(broken)
    expected = train_cell(cell, corpus, whole, hardware="test")
    with pytest.raises(Killed):
        train_cell(cell, corpus, broken, hardware="test", listening=[lambda cell, recorder: Killer(step)])
    row = train_cell(cell, corpus, broken, hardware="test")
    assert row["loss"] == expected["loss"]
    assert same_losses(curve_of(whole, cell.run), curve_of(broken, cell.run))
    assert (np.diff(curve_of(broken, cell.run).wall_seconds_S) > 0).all()


def test_runs_of_one_trunk_share_its_curve_up_to_where_they_part(
    ladder_toml: Path, corpus: Corpus, tmp_path: Path
) -> None:
    short, long = (cell for cell in read_ladder(ladder_toml).cells if cell.shape.width == 8 and cell.seed == 0)
    make_folders(tmp_path)
    # The longer one first: the shorter one branches off behind a checkpoint that lies before its own branch point.
    train_cell(long, corpus, tmp_path, hardware="test")
    train_cell(short, corpus, tmp_path, hardware="test")
    part = short.recipe.branch_step(short.tokens)
    one, other = curve_of(tmp_path, short.run), curve_of(tmp_path, long.run)
    assert same_losses(one.until(part), other.until(part))
    assert one.step_S.tolist() == list(range(1, 33))
    assert not np.array_equal(one.lr_S[part:], other.until(32).lr_S[part:])


def test_a_checkpoint_from_before_there_were_curves(ladder_toml: Path, corpus: Corpus, tmp_path: Path) -> None:
    cell = read_ladder(ladder_toml).cells[0]
    make_folders(tmp_path)
    train_cell(cell, corpus, tmp_path, hardware="test")
    for piece in (tmp_path / "trunks" / cell.trunk).glob("*.parquet"):
        piece.unlink()
    branch = cell.recipe.branch_step(cell.tokens)
    assert len(lead_to(tmp_path / "trunks" / cell.trunk / f"{branch}.npz")) == 0
    train_cell(cell, corpus, tmp_path, hardware="test")
    assert curve_of(tmp_path, cell.run).step_S.tolist() == list(range(branch + 1, 33))


def test_whoever_listens_changes_no_bit(ladder_toml: Path, corpus: Corpus, tmp_path: Path) -> None:
    cell = read_ladder(ladder_toml).cells[0]
    make_folders(tmp_path)
    heard: list[tuple[int, float, float]] = []

    def listen(trainer: Trainer, lr: float, loss) -> None:
        heard.append((trainer.step, lr, float(loss)))

    silent = Trainer(cell.shape, cell.recipe, corpus, seed=0)
    told = Trainer(cell.shape, cell.recipe, corpus, seed=0, listeners=(listen, Recorder(tmp_path, cell.run)))
    for trainer in (silent, told):
        trainer.train_trunk(cell.recipe.branch_step(cell.tokens))
        trainer.train_branch(cell.tokens)
    np.testing.assert_array_equal(silent.state().weights_P, told.state().weights_P)
    assert [step for step, _, _ in heard] == list(range(1, 33))


def test_a_run_that_is_killed_is_told_so(ladder_toml: Path, corpus: Corpus, tmp_path: Path) -> None:
    cell = read_ladder(ladder_toml).cells[0]
    make_folders(tmp_path)
    killer = Killer(5)
    with pytest.raises(Killed):
        train_cell(cell, corpus, tmp_path, hardware="test", listening=[lambda cell, recorder: killer])
    assert killer.row is None
    # What was heard up to there is kept: a stopped run has a curve to look at.
    assert curve_of(tmp_path, cell.run).step_S.tolist() == [1, 2, 3, 4, 5]
    patient = Killer(10**6)
    row = train_cell(cell, corpus, tmp_path, hardware="test", listening=[lambda cell, recorder: patient])
    assert patient.row == row == json.loads((tmp_path / "runs" / f"{cell.run}.json").read_text())
