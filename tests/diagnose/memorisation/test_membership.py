"""Membership scores: the true generator tells nothing, the area by counting pairs, intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from kleiber.diagnose.memorisation import (
    auroc,
    extraction,
    membership,
    min_k,
    min_k_plus,
    queries_needed,
    true_positives,
)
from kleiber.errors import InputError

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=20)


def generator_scores(random: np.random.Generator, documents: int) -> np.ndarray:
    """Min-K%++ by the true probabilities of a Markov chain, of documents drawn from that chain."""
    chance_VV = np.random.default_rng(7).dirichlet(np.full(6, 0.5), size=6)
    log_VV = np.log(chance_VV)
    mean_V = (chance_VV * log_VV).sum(axis=1)
    sd_V = np.sqrt((chance_VV * (log_VV - mean_V[:, None]) ** 2).sum(axis=1))
    found = []
    for _ in range(documents):
        text = [0]
        for _ in range(60):
            text.append(random.choice(6, p=chance_VV[text[-1]]))
        before, after = np.array(text[:-1]), np.array(text[1:])
        found.append(min_k_plus(log_VV[before, after], mean_V[before], sd_V[before]))
    return np.array(found)


def test_by_the_true_generator_the_area_is_a_half() -> None:
    random = np.random.default_rng(0)
    found = membership(generator_scores(random, 90), generator_scores(random, 90))
    low, high = found.finding.interval or (0, 0)
    assert low < 0.5 < high
    assert abs((found.finding.value or 0) - 0.5) < 3 * 0.5 / np.sqrt(3 * 90)


def test_min_k_plus_is_the_standard_score_of_the_lowest_tokens() -> None:
    log_T, mean_T, sd_T = np.log([0.5, 0.25, 0.1, 0.9]), np.full(4, -1.0), np.array([1.0, 0.5, 2.0, 1.0])
    z_T = (log_T - mean_T) / sd_T
    assert min_k_plus(log_T, mean_T, sd_T, share=0.5) == pytest.approx(np.sort(z_T)[:2].mean())
    assert min_k(log_T, share=1.0) == pytest.approx(log_T.mean())


def test_a_uniform_prediction_is_no_division_by_zero() -> None:
    log_T = np.full(8, np.log(1 / 256))
    assert min_k_plus(log_T, log_T, np.zeros(8)) == 0.0


@given(scores, scores)
def test_the_area_counts_pairs(train: list[float], held_out: list[float]) -> None:
    pairs = np.array(train)[:, None] - np.array(held_out)
    assert auroc(train, held_out) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


@given(scores, scores)
def test_sides_change_places(train: list[float], held_out: list[float]) -> None:
    assert auroc(train, held_out) == pytest.approx(1 - auroc(held_out, train))


def test_the_interval_covers_the_area_of_two_normals() -> None:
    """AUROC = Phi(d / sqrt 2) for unit normals d apart."""
    random = np.random.default_rng(3)
    truth, inside, times = float(norm.cdf(1.0 / np.sqrt(2))), 0, 200
    for _ in range(times):
        found = membership(random.normal(1.0, 1.0, 40), random.normal(0.0, 1.0, 50)).finding
        low, high = found.interval or (0, 0)
        inside += low < truth < high
    assert abs(inside / times - 0.95) < 4 * np.sqrt(0.05 * 0.95 / times)


def test_a_perfect_split_has_an_interval() -> None:
    found = membership(np.arange(20.0) + 100, np.arange(20.0)).finding
    low, high = found.interval or (0, 0)
    assert found.value == 1.0
    assert (low, high) == (0.025 ** (1 / 20), 1.0)
    assert membership(np.arange(20.0), np.arange(20.0) + 100).finding.interval == (0.0, 1 - 0.025 ** (1 / 20))


def test_true_positives_hold_the_false_ones_below_their_share() -> None:
    random = np.random.default_rng(1)
    train_D, held_H = random.normal(2.0, 1.0, 20_000), random.normal(0.0, 1.0, 20_000)
    # P(N(2, 1) > z_0.99) in closed form.
    assert true_positives(train_D, held_H) == pytest.approx(norm.sf(norm.isf(0.01) - 2), abs=0.03)
    assert true_positives([5.0], np.arange(10.0)) == 0.0


def test_the_end_of_the_curve_needs_a_hundred_documents() -> None:
    assert "lie above" in membership(np.arange(30.0), np.arange(120.0)).finding.evidence
    few = membership(np.arange(30.0), np.arange(99.0)).finding
    assert "lie above" not in few.evidence
    assert any("100 held-out" in caveat for caveat in few.caveats)


def test_sides_of_different_length_are_not_one_text() -> None:
    random = np.random.default_rng(0)
    found = membership(
        random.normal(size=60), random.normal(size=60), train_length_D=np.full(60, 90), held_out_length_H=np.arange(60)
    )
    assert found.finding.verdict == "cannot tell"
    assert "length" in found.finding.evidence


def test_a_small_area_is_not_material() -> None:
    random = np.random.default_rng(0)
    found = membership(random.normal(0.08, 1, 20_000), random.normal(0, 1, 20_000))
    assert (found.finding.verdict, found.material) == ("warning", False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([0.1, -1.0], [0.0, 0.0], [1.0, 1.0]), "no log-probabilities"),
        (([-1.0], [0.0, 0.0], [1.0]), "three numbers"),
        (([-1.0], [0.0], [-1.0]), "negative"),
        (([np.nan], [0.0], [1.0]), "nan at row 1"),
        (([], [], []), "no tokens"),
    ],
)
def test_bad_tokens_are_refused(arguments: tuple[list[float], ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        min_k_plus(*arguments)


def test_too_few_or_equal_documents_cannot_tell() -> None:
    assert membership(np.arange(5.0), np.arange(50.0)).finding.verdict == "cannot tell"
    assert membership(np.ones(50), np.ones(50)).finding.verdict == "cannot tell"


@given(st.floats(1e-12, 0.9), st.floats(0.05, 0.95))
def test_queries_give_the_probability_that_was_asked(q: float, probability: float) -> None:
    (needed,) = queries_needed([np.log(q)], probability=probability)
    reached = -np.expm1(needed * np.log1p(-q))
    assert reached >= probability * (1 - 1e-9)
    assert needed == 1 or reached == pytest.approx(probability)


def test_extraction_beside_text_held_out() -> None:
    found = extraction([-1.0] * 10 + [-500.0] * 10, [-500.0] * 20).finding
    assert (found.verdict, found.value, found.rows) == ("warning", 0.5, tuple(range(1, 11)))
    assert extraction([-1.0] * 20, [-1.0] * 20).finding.verdict == "ok"
    assert extraction([-1.0] * 4, [-1.0] * 20).finding.verdict == "cannot tell"
    # A certain passage takes one try, one that cannot be takes for ever: neither is a warning of NumPy.
    assert queries_needed([0.0, -1e4]).tolist() == [1.0, np.inf]
    with pytest.raises(InputError, match="no log-probabilities"):
        extraction([0.5] * 9, [-1.0] * 9)
