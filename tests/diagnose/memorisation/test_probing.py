"""Answers to a probe, and the delay between two curves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from kleiber.diagnose.memorisation import grokking, probe, probe_gap
from kleiber.errors import InputError

STEPS = np.arange(1, 21) * 100


def test_above_chance_is_a_binomial_tail() -> None:
    found = probe([1] * 12 + [0] * 48, chance=0.1)
    assert found.p_value == pytest.approx(binom.sf(11, 60, 0.1))
    assert found.finding.value == 0.2


def test_a_little_above_chance_is_not_material() -> None:
    right = np.r_[np.ones(300), np.zeros(1700)]
    found = probe(right, chance=0.1)
    assert found.finding.verdict == "found"
    assert (found.material, found.informative) == (False, True)
    assert probe(np.r_[np.ones(800), np.zeros(1200)], chance=0.1).material


def test_rows_are_said_beside_structure() -> None:
    assert "held out by row 100.0 %" in probe([0] * 50, chance=0.1, row_right_N=[1] * 20).finding.evidence


def test_the_gap() -> None:
    found = probe_gap([1] * 50, [1] * 10 + [0] * 40)
    assert (found.finding.value, found.finding.verdict, found.material) == (0.8, "warning", True)
    assert probe_gap([1] * 50, [1] * 50).finding.verdict == "ok"
    assert probe_gap([1] * 50, [1] * 3).finding.verdict == "cannot tell"


def test_bad_answers() -> None:
    with pytest.raises(InputError, match=r"0\.5 at row 2"):
        probe([1, 0.5], chance=0.1)
    with pytest.raises(InputError, match="chance"):
        probe([1, 1], chance=1.0)
    assert probe([1], chance=0.1).finding.verdict == "cannot tell"
    assert probe([], chance=0.1).finding.verdict == "cannot tell"


def curve(crossing: int) -> np.ndarray:
    return np.where(crossing <= STEPS, 1.0, 0.1)


def delay(train: np.ndarray, held_out: np.ndarray, **more: object):
    return grokking(STEPS, train, held_out, train_examples=400, held_out_examples=400, **more)  # type: ignore[arg-type]


def test_the_delay_is_the_difference_of_crossings() -> None:
    found = delay(curve(200), curve(1500), norm_S=np.linspace(50, 10, 20))
    assert (found.value, found.verdict) == (1300.0, "found")
    assert found.interval == (1200.0, 1400.0)
    assert "47.89 to 20.53" in found.evidence


def test_curves_that_rise_together_have_none() -> None:
    assert delay(curve(300), curve(400)).verdict == "ok"


def test_a_dip_is_not_a_crossing() -> None:
    held = curve(500)
    held[10] = 0.2
    assert delay(curve(100), held).value == 1100.0


def test_a_run_that_ends_before_has_a_delay_of_unknown_length() -> None:
    found = delay(curve(200), np.full(20, 0.1))
    assert (found.verdict, found.value) == ("warning", None)
    assert "1800 steps or more" in found.evidence
    assert delay(curve(1500), np.full(20, 0.1)).verdict == "cannot tell"
    assert delay(np.full(20, 0.5), np.full(20, 0.1)).verdict == "cannot tell"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"step_S": STEPS[::-1]}, "do not rise"),
        ({"train_accuracy_S": np.full(20, 1.2)}, r"1\.2 at row 1"),
        ({"held_out_accuracy_S": np.full(20, np.nan)}, "nan at row 1"),
        ({"held_out_accuracy_S": np.full(19, 0.5)}, "different lengths"),
        ({"tau": 1.0}, "threshold"),
        ({"train_examples": 0}, "one example"),
        ({"norm_S": np.ones(3)}, "one norm for each step"),
    ],
)
def test_bad_curves(change: dict[str, object], says: str) -> None:
    given = {
        "step_S": STEPS,
        "train_accuracy_S": curve(200),
        "held_out_accuracy_S": curve(900),
        "train_examples": 50,
        "held_out_examples": 50,
    } | change
    with pytest.raises(InputError, match=says):
        grokking(**given)  # type: ignore[arg-type]


def test_few_evaluations_cannot_tell() -> None:
    found = grokking([1, 2], [0.1, 1.0], [0.1, 1.0], train_examples=9, held_out_examples=9)
    assert found.verdict == "cannot tell"
