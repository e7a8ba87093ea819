"""Spoilt text: shifts and worths that were planted, the project's own corruption ladder, and copies found word for word."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.diagnose.data import (
    duplicates,
    pairs,
    shift,
    shingles,
    spoilt_text,
    value_of_cleaning,
    where,
    which_parameter,
)
from kleiber.diagnose.data.one_law import best_fit, one_law
from kleiber.diagnose.data.parameters import two_texts
from kleiber.diagnose.data.shift import fewer, lifted
from kleiber.errors import ColumnError, InputError
from kleiber.runs import RunTable, read

LADDER = Path(__file__).parents[3] / "ladders" / "sotu-data" / "runs.parquet"
SIZES, BUDGETS = np.geomspace(1e4, 1e6, 4), np.geomspace(1e6, 6.4e7, 7)


def planted(*, floor: float = 0.0, worth: float = 1.0, noise: float = 0.0) -> dict[str, Any]:
    params, tokens = (side.ravel() for side in np.meshgrid(SIZES, BUDGETS))
    rng = np.random.default_rng(0)
    terms = 24.0 / params**0.44
    clean = 0.94 + terms + 900.0 / tokens**0.56
    spoilt = 0.94 + floor + terms + 900.0 / (worth * tokens) ** 0.56
    return {"params": params, "tokens": tokens, "clean": clean * np.exp(noise * rng.normal(size=clean.size)), "spoilt":
    spoilt * np.exp(noise * rng.normal(size=clean.size))}  # fmt: skip


def test_a_lifted_floor_is_a_shift_that_depends_on_nothing() -> None:
    given = planted(floor=0.2, noise=0.001)
    found = shift(**given)
    assert found.verdict == "found"
    assert found.value == pytest.approx(0.2, abs=0.005)
    assert where(**given).verdict == "ok"
    assert "floor is lifted" in where(**given).evidence


def test_tokens_that_count_less_are_worth_what_was_planted() -> None:
    found = value_of_cleaning(pairs(**planted(worth=0.6, noise=0.0005)))
    assert found.verdict == "found"
    assert found.value == pytest.approx(1 / 0.6, rel=0.08)
    assert where(**planted(worth=0.6, noise=0.0005)).verdict == "found"


def test_a_high_floor_leaves_no_number_of_tokens() -> None:
    found = value_of_cleaning(pairs(**planted(floor=2.0)))
    assert found.verdict == "problem"
    assert found.value is None
    assert "no number of these tokens" in found.evidence


def test_too_few_pairs_cannot_tell() -> None:
    few = {name: values[:3] for name, values in planted(floor=0.1, noise=0.01).items()}
    assert [measure(**few).verdict for measure in (shift, where)] == ["cannot tell"] * 2
    assert value_of_cleaning(pairs(**few)).verdict == "cannot tell"
    exact = planted()
    exact = {**exact, "clean": np.full(exact["clean"].size, 1.0), "spoilt": np.full(exact["clean"].size, 1.25)}
    assert shift(**exact).verdict == "cannot tell"
    together: dict[str, Any] = {"params": [1e4, 1e5, 1e6, 1e7, 1e8], "tokens": [1e6, 1e7, 1e8, 1e9, 1e10]}
    assert where(**together, clean=[5, 4, 3, 2, 1.5], spoilt=[5.1, 4.2, 3.1, 2.2, 1.6]).verdict == "cannot tell"


@given(st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_the_loss_changes_no_verdict(unit: float) -> None:
    for draw in (lifted, fewer):
        given = draw(np.random.default_rng(3))
        scaled = {**given, "clean": given["clean"] * unit, "spoilt": given["spoilt"] * unit}
        assert where(**scaled).value == pytest.approx(where(**given).value, rel=1e-6)
        assert shift(**scaled).verdict == shift(**given).verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clean": [1.0]}, "different lengths"),
        ({"spoilt": [1.0, 0.0]}, "must be positive"),
        ({"params": [1.0, np.nan]}, "finite"),
    ],
)
def test_bad_pairs_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        shift(**{"params": [1e4, 1e5], "tokens": [1e6, 1e6], "clean": [2.0, 1.5], "spoilt": [2.1, 1.6], **change})


def test_the_corruption_ladder_of_this_project() -> None:
    """Whatever the ladder's length: noise at 30 % costs as its README says, 1.64 times -ln(1 - p)."""
    found = {(each.column, each.value): each for each in spoilt_text(read(LADDER))}
    noisy = {each.name.split(": ")[1]: each for each in found["noise", 0.3].findings}
    assert noisy["shift of the loss"].value == pytest.approx(-1.64 * np.log(1 - 0.3), rel=0.03)
    assert noisy["value of cleaning"].verdict == "problem"
    repeated = {each.name.split(": ")[1] for each in found["kept", 0.015625].findings}
    assert "published worth of repeats" in repeated


def ladder(**columns: Any) -> RunTable:
    return RunTable.of({"params": [1e4, 1e4], "tokens": [1e6, 1e6], "loss": [2.0, 2.1], **columns})


def test_a_ladder_without_text_columns_says_so() -> None:
    with pytest.raises(ColumnError, match="no column says how the text was spoilt"):
        spoilt_text(ladder())
    with pytest.raises(InputError, match="all runs are on the same text"):
        spoilt_text(ladder(noise=[0.0, 0.0]))
    with pytest.raises(InputError, match="no run is on clean text"):
        spoilt_text(ladder(noise=[0.1, 0.1]))
    with pytest.raises(InputError, match="which value of dirt is clean"):
        spoilt_text(ladder(dirt=[0.1, 0.2]), by="dirt")
    with pytest.raises(ColumnError, match="no column 'nosie'"):
        spoilt_text(ladder(noise=[0.1, 0.2]), by="nosie")
    assert spoilt_text(ladder(dirt=[0.1, 0.2]), by="dirt", clean=0.1)[0].findings[0].verdict == "cannot tell"


def test_shingles_are_runs_of_words_whatever_their_dress() -> None:
    assert shingles("One, two three four five!").size == 1
    assert (shingles("One, two -- three four FIVE") == shingles("one two three four five")).all()
    assert shingles("one two three four five").item() != shingles("five four three two one").item()
    assert shingles("too short").size == 0


def test_a_copy_is_named_with_its_source() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.integers(5000, size=200)) for _ in range(12)]
    found = duplicates(texts[:10], [texts[10], texts[3].upper(), "short"])
    assert found.rows == (2,)
    assert found.value == 0.5
    assert "training document 4" in found.evidence
    assert "(1 are too short to ask)" in found.evidence


def test_containment_is_that_of_a_plain_count() -> None:
    rng = np.random.default_rng(1)
    words = [f"w{word}" for word in rng.integers(3000, size=400)]
    half = words[:200] + [f"x{word}" for word in rng.integers(3000, size=200)]
    runs = [tuple(half[k : k + 5]) for k in range(396)]
    known = {tuple(words[k : k + 5]) for k in range(396)}
    share = len(set(runs) & known) / len(set(runs))
    assert f"{100 * share:.2g} %" in duplicates([" ".join(words)], [" ".join(half)], share=0.9).evidence


def test_many_documents_give_what_sets_of_words_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against Python's sets, with a memory for words and a table of last bits so small that both overflow."""
    module = sys.modules[duplicates.__module__]
    rng = np.random.default_rng(2)
    words = [[f"w{word}" for word in rng.integers(8, size=rng.integers(2, 30))] for _ in range(80)]
    texts = [" ".join(each) for each in words]
    runs = [{tuple(each[k : k + 4]) for k in range(len(each) - 3)} for each in words]
    known = set().union(*runs[:50])
    copies = [at for at, each in enumerate(runs[50:]) if each and 10 * len(each & known) >= 3 * len(each)]
    asked_of = {"train": texts[:50], "held_out": texts[50:], "words": 4, "share": 0.3}
    whole = duplicates(**asked_of)
    assert whole.rows == tuple(at + 1 for at in copies)
    assert 0 < len(copies) < 30
    monkeypatch.setattr(module, "MOST_WORDS", 3)
    monkeypatch.setattr(module, "MOST_BITS", 4)
    assert duplicates(**asked_of) == whole


@pytest.mark.parametrize(
    ("train", "held_out", "options", "message"),
    [
        ([], ["a"], {}, "no documents"),
        (["a"], ["b"], {"share": 0.0}, "a share above 0"),
        (["a"], ["b"], {"words": 1}, "two words"),
    ],
)
def test_what_cannot_be_compared(train: list[str], held_out: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        duplicates(train, held_out, **options)


def test_short_documents_cannot_tell() -> None:
    assert duplicates(["one two three four five six"], ["too short"]).verdict == "cannot tell"


@pytest.mark.parametrize(
    ("factors", "named"), [({"E": 1.6}, "E is"), ({"A": 1.6}, "A is"), ({"beta": 0.93}, "beta changes")]
)
def test_the_parameter_that_was_planted_is_named_or_none_is(factors: dict[str, float], named: str) -> None:
    """Ten draws each: the planted one is named in at least three, and another in no more than two."""
    found = [which_parameter(**two_texts(stream, **factors)) for stream in np.random.default_rng(3).spawn(10)]
    loud = [each for each in found if each.verdict == "found"]
    right = [each for each in loud if each.evidence.startswith(named)]
    assert len(right) >= 3
    assert len(loud) - len(right) <= 2
    assert all(each.interval and each.value and each.interval[0] <= each.value <= each.interval[1] for each in right)


def test_a_law_of_two_texts_gives_back_what_it_was_made_of() -> None:
    params, tokens = (np.tile(side.ravel(), 2) for side in np.meshgrid(SIZES, BUDGETS))
    spoilt = np.arange(params.size) >= params.size // 2
    loss = np.where(spoilt, 1.3, 0.9) + 24 / params**0.44 + 900 / tokens**0.56
    theta, left = best_fit(one_law(params, tokens, spoilt, ("E",)), np.log(loss))
    assert left < 1e-10
    assert np.exp(theta[0]) == pytest.approx(0.9, rel=1e-4)
    assert np.exp(theta[5]) == pytest.approx(1.3 / 0.9, rel=1e-4)
    assert theta[3:5] == pytest.approx([0.44, 0.56], rel=1e-3)


def test_one_size_or_few_trunks_cannot_tell_a_parameter() -> None:
    given = dict(two_texts(np.random.default_rng(0), E=1.6))
    few = which_parameter(**{**given, "trunk": given["spoilt"]})
    assert (few.verdict, "2 trunks" in few.evidence) == ("cannot tell", True)
    one = np.asarray(given["params"]) < 2e4
    rows: dict[str, Any] = {name: np.asarray(values)[one] for name, values in given.items() if name != "draws"}
    assert "1 sizes" in which_parameter(**rows).evidence
    with pytest.raises(InputError, match="different lengths"):
        which_parameter(**{**given, "spoilt": [True]})
    with pytest.raises(InputError, match="must be positive"):
        which_parameter(**{**given, "loss": -np.asarray(given["loss"])})


def test_no_parameter_of_the_corruption_ladder_is_named() -> None:
    """A and B are refuted; E fits best, and alpha and beta cannot be left out."""
    found = {each.value: each for each in spoilt_text(read(LADDER)) if each.column == "noise"}[0.3]
    which = next(each for each in found.findings if each.name.endswith("which parameter"))
    assert which.verdict == "cannot tell"
    assert "E or alpha or beta" in which.evidence
