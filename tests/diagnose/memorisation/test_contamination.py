"""Overlap against comparison by hand; the test by order against every relabelling."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.diagnose.memorisation import order_contamination, overlap
from kleiber.errors import InputError

documents = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=4)


def by_hand(train: list[list[int]], test: list[list[int]], n: int) -> list[float]:
    known = {tuple(text[at : at + n]) for text in train for at in range(len(text) - n + 1)}
    shares = []
    for text in test:
        covered = np.zeros(len(text), dtype=bool)
        for at in range(len(text) - n + 1):
            if tuple(text[at : at + n]) in known:
                covered[at : at + n] = True
        shares.append(float(covered.mean()) if text else 0.0)
    return shares


@settings(max_examples=60)
@given(documents, documents, st.integers(2, 5))
def test_overlap_is_what_comparing_by_hand_finds(train: list[list[int]], test: list[list[int]], n: int) -> None:
    assert overlap(train, test, n=n).covered_D.tolist() == pytest.approx(by_hand(train, test, n))


def test_a_stretch_over_two_training_documents_is_none() -> None:
    assert overlap([[1, 2, 3], [4, 5, 6]], [[2, 3, 4, 5]], n=3).covered_D.tolist() == [0.0]


def test_fifty_tokens_find_copies_and_pass_over_phrases() -> None:
    random = np.random.default_rng(0)
    train = [random.integers(1000, size=300) for _ in range(20)]
    phrase, copy = random.integers(1000, size=200), random.integers(1000, size=200)
    phrase[50:70], copy[20:120] = train[3][10:30], train[4][100:200]
    assert overlap(train, [phrase, copy], n=13).covered_D.tolist() == [0.1, 0.5]
    assert overlap(train, [phrase, copy], n=50).covered_D.tolist() == [0.0, 0.5]


def test_with_documents_that_cannot_have_been_seen_set_phrases_are_no_warning() -> None:
    random = np.random.default_rng(1)
    phrase = np.arange(20)

    def letters(count: int, known: float) -> list[np.ndarray]:
        drawn = [random.integers(1000, size=60) for _ in range(count)]
        for text in drawn:
            if random.random() < known:
                text[:20] = phrase
        return drawn

    train = letters(50, 0.5)
    alike = overlap(train, letters(40, 0.5), control=letters(40, 0.5)).finding
    assert alike.verdict == "ok"
    assert alike.value is not None
    assert alike.value > 0.2
    assert overlap(train, letters(40, 0.5)).finding.verdict == "warning"
    assert overlap(train, letters(40, 1.0), control=letters(40, 0.4)).finding.verdict == "warning"


@pytest.mark.parametrize("bad", [[[1.5, 2.5]], [[-1, 2, 3]], [[[1, 2]]], [["a", "b"]]])
def test_what_is_no_token_is_refused(bad: list[object]) -> None:
    with pytest.raises(InputError, match="token numbers"):
        overlap([[1, 2, 3]], bad, n=2)  # type: ignore[arg-type]


def test_short_documents_cannot_tell() -> None:
    assert overlap([[1, 2, 3]], [[1, 2]], n=13).finding.verdict == "cannot tell"
    assert overlap([], [list(range(20))], n=13).finding.verdict == "ok"
    with pytest.raises(InputError, match="two tokens"):
        overlap([[1]], [[1]], n=1)


def test_order_against_every_relabelling() -> None:
    random = np.random.default_rng(0)
    published_S, shuffled_SP = random.normal(0.7, 1, size=4), random.normal(size=(4, 3))
    rest_SQ = np.concatenate([published_S[:, None], shuffled_SP], axis=1)
    rest_SQ = rest_SQ - rest_SQ.mean(axis=1, keepdims=True)
    sums = [sum(choice) for choice in itertools.product(*rest_SQ)]
    exact = np.mean(np.array(sums) >= rest_SQ[:, 0].sum() - 1e-9)
    found = order_contamination(published_S, shuffled_SP)
    assert f"p = {exact:.2g}" in found.evidence


def test_one_part_has_the_p_value_of_its_rank() -> None:
    shuffled = np.arange(99.0)
    for published, rank in ((98.5, 1), (95.5, 4), (90.5, 9)):
        found = order_contamination([published], [shuffled])
        assert f"p = {rank / 100:.2g}" in found.evidence
        assert found.verdict == ("problem" if rank <= 5 else "ok")


def test_order_by_many_relabellings_is_exact() -> None:
    """Skewed log-probabilities, many parts: by chance no oftener than stated."""
    random = np.random.default_rng(5)
    loud = 0
    for n in range(150):
        every_SQ = -(random.exponential(size=(12, 6)) ** 2)
        loud += order_contamination(every_SQ[:, 0], every_SQ[:, 1:], seed=n).verdict == "problem"
    assert loud / 150 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 150)


def test_bad_orders() -> None:
    assert order_contamination([1.0], [[1.0, 2.0]]).verdict == "cannot tell"
    assert order_contamination([1.0] * 9, [[1.0] * 5] * 9).verdict == "cannot tell"
    with pytest.raises(InputError, match="one row for each part"):
        order_contamination([1.0, 2.0], [[1.0, 2.0]])
    with pytest.raises(InputError, match="not a finite number"):
        order_contamination([1.0], [[1.0, np.nan]])
