"""Runs of `examples/in_context_study.py`, trained again: two blocks form an induction head and one cannot."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

from tests.scripts import script


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return script("examples/in_context_study.py")


def test_a_string_is_said_four_times_and_lengths_vary(study: ModuleType) -> None:
    corpus = study.repeats(20_000)
    text, lengths, at = corpus.train_documents[0], [], 0
    while at < text.size:
        length = next(n for n in range(5, 11) if np.array_equal(text[at : at + n], text[at + n : at + 2 * n]))
        string = text[at : at + length]
        np.testing.assert_array_equal(text[at : at + 4 * length], np.tile(string, 4))
        assert np.unique(string).size == length
        lengths.append(length)
        at += 4 * length
    assert set(lengths) == set(range(5, 11))


@pytest.mark.slow
def test_two_blocks_form_an_induction_head_and_one_cannot(study: ModuleType) -> None:
    two, one = (study.trained(run, study.text_of(run))[1] for run in study.RUNS[:2])
    found = two.onset
    assert found.verdict == "found"
    assert found.value is not None
    assert 500 <= found.value <= 1500
    head = two.heads[int(two.prefix_CH[-1].argmax())]
    assert head.startswith("2.")
    assert two.prefix_CH[-1].max() > 0.3
    assert one.onset.verdict == "ok"
    # The score falls in both: it is not what tells them apart.
    assert one.score_C[-1] < -0.5
    assert two.loss_C[-1] < one.loss_C[-1] - 0.3
