"""How a ladder stands, and how that looks at 80 and 120 columns."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tests.lab.planted import cell, ladder, trained

from kleiber.cli.lab_view import view
from kleiber.lab.corruption import Data
from kleiber.lab.description import Ladder
from kleiber.lab.folder import make_folders, write_json
from kleiber.lab.outlook import Outlook
from kleiber.lab.progress import Observer, RunStanding, Standing, labels, left_flops, tokens_per_second

DONE = RunStanding(
    run="a", label="6.14k · 1M · seed 0", state="done", tokens=1_000_000, tokens_done=1_000_000, loss=1.812
)
RUNNING = RunStanding(
    run="b",
    label="13.8k · 2M · seed 1 · lr 0.013",
    state="running",
    tokens=2_000_000,
    tokens_done=1_200_000,
    tokens_per_second=39_100,
    left_seconds=20.4,
    loss_now=1.892,
    outlook=Outlook(share=0.6, centre=float(np.log(1.643)), scale=0.01, freedom=6),
    allowed=1.7,
    remarks=("it left its band: worse than foretold at 25%",),
)
QUEUED = RunStanding(run="c", label="27k · 2M · seed 0", state="queued", tokens=2_000_000, tokens_done=0)


def text(standing: Standing, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view(standing, width=width))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


STANDING = Standing(
    ladder="small",
    runs=(DONE, RUNNING, *[replace(QUEUED, run=str(number)) for number in range(5)]),
    law="dense: 0.938 + 24.3/params^0.438 + 903/tokens^0.556 from 9 runs",
    tokens_per_second=39_100,
    left_seconds=7384,
)


WIDE = """\
small · 7 runs: 1 done, 1 running · 39.1k tokens/s · 2 h 3 min left
run                               done             tokens/s  left  loss now             final loss  limit
✔ 6.14k · 1M · seed 0             done                                                      1.8120
▸ 13.8k · 2M · seed 1 · lr 0.013  ━━━━━━╌╌╌╌  60%     39.1k  20 s     1.892  1.643 (1.603 - 1.684)  1.700
· 27k · 2M · seed 0               queued
· 27k · 2M · seed 0               queued
· 27k · 2M · seed 0               queued
  and 2 more to come
Law so far: dense: 0.938 + 24.3/params^0.438 + 903/tokens^0.556 from 9 runs
! 13.8k · 2M · seed 1 · lr 0.013: it left its band: worse than foretold at 25%"""


def test_all_of_it_at_120_columns() -> None:
    assert text(STANDING, 120) == WIDE


def test_what_matters_at_80_columns() -> None:
    shown = text(STANDING, 80)
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "▸ 13.8k · 2M · seed 1 · lr 0.013  60%     20 s     1.892  1.643 ±0.040" in shown
    assert "…" not in shown


def test_a_stopped_run_is_shown_with_its_reason() -> None:
    ended = replace(DONE, state="stopped", loss=None, tokens_done=400_000, remarks=("stopped: at 40%",))
    shown = text(Standing(ladder="small", runs=(ended,)), 100)
    assert "1 stopped" in shown
    assert "■ 6.14k · 1M · seed 0  stopped" in shown
    assert "! 6.14k · 1M · seed 0: stopped: at 40%" in shown


def test_what_a_file_says_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in text(Standing(ladder="evil\x1b[2J", runs=(replace(DONE, label="x\x1b[2J"),)), 80)


@pytest.fixture
def trained_folder(tmp_path: Path) -> tuple[Ladder, Path]:
    """Eight finished runs, and one that has only begun."""
    rng = np.random.default_rng(0)
    runs = ladder(rng)
    make_folders(tmp_path)
    for run in runs[:-1]:
        write_json(tmp_path / "runs" / f"{run.cell.run}.json", {"run": run.cell.run, "loss": run.loss})
        run.curve.save(tmp_path / "curves" / f"{run.cell.run}.parquet")
    return Ladder(name="planted", corpus="none", hardware="none", cells=tuple(run.cell for run in runs)), tmp_path


def test_an_observer_sees_what_is_done_and_what_is_left(trained_folder: tuple[Ladder, Path]) -> None:
    described, folder = trained_folder
    standing = Observer(described, folder, lambda: None).look()
    assert (standing.count("done"), standing.count("queued")) == (8, 1)
    assert standing.law is not None
    assert standing.law.startswith("dense: ")
    last = described.cells[-1]
    # Its trunk is the one of a shorter run up to there; the branch is its own.
    reached = max(c.recipe.branch_step(c.tokens) for c in described.cells[:-1] if c.trunk == last.trunk)
    steps = last.recipe.steps(last.tokens) - reached
    left = left_flops(described, {run.run: run for run in standing.runs})
    assert left == steps * last.recipe.batch_tokens * last.shape.counted_flops_per_token


def test_the_speed_is_that_of_the_last_half_minute() -> None:
    run = trained(cell(), np.random.default_rng(0))
    assert tokens_per_second(run.curve) == pytest.approx(102_400)
    assert tokens_per_second(run.curve.until(1)) is None


def test_a_label_says_what_tells_runs_apart() -> None:
    one, spoilt = cell(), replace(cell(seed=1), data=Data(noise=0.1))
    other = cell(recipe=replace(one.recipe, lr=0.02))
    named = labels(Ladder(name="x", corpus="none", hardware="none", cells=(one, spoilt)))
    assert named[one.run].endswith("1.02M · seed 0")
    assert named[spoilt.run].endswith("seed 1 · spoilt")
    named = labels(Ladder(name="x", corpus="none", hardware="none", cells=(one, other)))
    assert "lr 0.028" in named[other.run]
