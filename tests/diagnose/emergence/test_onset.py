"""The onset of induction heads: planted at a look it is told there, and scattered heads have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kleiber.diagnose.emergence import Curve, Onset, curve_of, induction
from kleiber.diagnose.emergence.in_context import attentive, forgetful
from kleiber.diagnose.emergence.induction import matching, scattered
from kleiber.errors import ColumnError, InputError

LOOKS = 12


def looked_at(seed: int, *, heads_from: int = LOOKS, context_from: int = LOOKS, once: int | None = None) -> Curve:
    """Twelve looks 100 steps apart; the first head is one from a look on (or at one look), the context teaches from a look on."""
    rng = np.random.default_rng(seed)
    seen = Onset(blocks=2)
    for look in range(LOOKS):
        draw = matching if look >= heads_from or look == once else scattered
        teaches = attentive if look >= context_from else forgetful
        loss_WT = np.concatenate([teaches(rng)["loss_WT"] for _ in range(4)])
        seen(100 * look, loss_WT, draw(rng)["attention_HTT"], scattered(rng)["attention_HTT"])
    return seen.curve


def test_a_planted_onset_is_told_where_it_is() -> None:
    curve = looked_at(0, heads_from=5, context_from=5)
    found = curve.onset
    assert (found.verdict, found.value, found.interval) == ("found", 500.0, (400.0, 500.0))
    assert found.evidence.startswith("1 induction head (1.1) of 8 from step 500 on")
    assert "falls most between steps 400 and 500, as that head grows most" in found.evidence
    assert curve.bump.verdict == "found"


def test_heads_and_score_apart_are_told_apart() -> None:
    found = looked_at(1, heads_from=8, context_from=3).onset
    assert found.value == 800.0
    assert "falls most between steps 200 and 300, that head grows most between steps 700 and 800" in found.evidence


def test_scattered_heads_have_no_onset() -> None:
    loud = 0
    for seed in range(20):
        found = looked_at(seed).onset
        loud += found.verdict == "found"
        assert found.value is None or found.verdict == "found"
    assert loud == 0


@pytest.mark.parametrize("once", [4, LOOKS - 1])
def test_a_head_at_a_single_look_is_luck(once: int) -> None:
    assert looked_at(2, once=once).onset.verdict == "ok"


def test_a_table_carries_the_curve() -> None:
    curve = looked_at(3, heads_from=4)
    again = curve_of(curve.columns())
    assert again.heads == ("1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "2.3", "2.4")
    np.testing.assert_array_equal(again.prefix_CH, curve.prefix_CH)
    assert again.onset == curve.onset


def test_few_looks_cannot_tell() -> None:
    columns = {name: values[:5] for name, values in looked_at(4, heads_from=2).columns().items()}
    few = curve_of(columns)
    assert few.onset.verdict == few.bump.verdict == "cannot tell"
    assert few.onset.value is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"even": None}, "no column 'even'"),
        ({"head_1_1": None, "head_1_2": None}, "no column holds a head's score"),
        ({"score": [0.0, np.nan, 0.1]}, "nan at row 2"),
        ({"step": [0, 100, 100]}, "steps do not rise .found row 3"),
        ({"head_1_2": [0.1, 1.4, 0.2]}, "1.4 in row 2"),
        ({"error": [0.1, -0.1, 0.1]}, "0 or more"),
        ({"even": [0.1, 0.2, 0.1]}, "same in every row"),
        ({name: [] for name in ("step", "score", "error", "even", "head_1_1", "head_1_2")}, "no rows"),
    ],
)
def test_what_is_no_curve_is_named(change: dict[str, Any], message: str) -> None:
    columns: dict[str, Any] = {
        "step": [0, 100, 200],
        "score": [0.0, -0.1, -0.2],
        "error": [0.01] * 3,
        "even": [0.05] * 3,
        "head_1_1": [0.1, 0.2, 0.3],
        "head_1_2": [0.1, 0.1, 0.1],
    }
    columns = {name: values for name, values in {**columns, **change}.items() if values is not None}
    with pytest.raises((ColumnError, InputError), match=message):
        curve_of(columns)


def test_what_is_no_look_is_named() -> None:
    rng = np.random.default_rng(0)
    seen = Onset(blocks=3)
    with pytest.raises(InputError, match="so many blocks"):
        seen(0, forgetful(rng)["loss_WT"], *(scattered(rng)["attention_HTT"] for _ in range(2)))
    with pytest.raises(InputError, match="too few windows"):
        Onset(blocks=2)(0, forgetful(rng)["loss_WT"][:5], *(scattered(rng)["attention_HTT"] for _ in range(2)))
    with pytest.raises(InputError, match="not been looked at"):
        _ = Onset(blocks=2).curve


def test_a_head_that_always_looks_so_far_back_is_none_beside_its_control() -> None:
    """By position alone it scores like an induction head; where nothing repeats it scores the same."""
    query = np.arange(32, 64)
    positional = dict(scattered(np.random.default_rng(0)))["attention_HTT"]
    positional[3, query] *= 0.2
    positional[3, query, query - 31] += 0.8
    control = dict(scattered(np.random.default_rng(1)))["attention_HTT"]
    control[3] = positional[3]
    assert induction(positional).verdict == "found"
    assert induction(positional, control_HTT=control).verdict == "ok"
    found = induction(matching(np.random.default_rng(2))["attention_HTT"], control_HTT=control)
    assert found.verdict == "found"
    assert found.evidence.startswith("1 of 8 heads puts its weight")
    with pytest.raises(InputError, match="other heads or places"):
        induction(positional, control_HTT=control[:4])
