"""Capacity: what a table of strings has stored, what one that never saw them can seem to have, and the budget."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kleiber.diagnose.memorisation import budget, capacity, stored_bits
from kleiber.errors import InputError


def test_a_lookup_table_has_stored_what_it_was_given() -> None:
    """A model that knows 30 of 100 strings and is uniform on the rest has stored 30 S log2 V bits, less its doubt."""
    tokens, vocabulary = 16, 256
    log_N = np.full(100, -tokens * math.log(vocabulary))
    log_N[:30] = -0.01
    found = capacity(log_N, tokens=tokens, vocabulary=vocabulary, params=1000)
    assert found.finding.value == pytest.approx(30 * (128 - 0.01 / math.log(2)) / 1000)
    low, high = found.finding.interval or (0, 0)
    assert low < 3.84 < high


def test_unseen_strings_seem_stored_by_k_bits_no_oftener_than_two_to_the_minus_k() -> None:
    """Markov on the likelihood ratio, for a model that is as wrong about uniform tokens as it likes."""
    random = np.random.default_rng(0)
    chance_V = random.dirichlet(np.full(4, 0.5))
    bits_N = stored_bits(np.log(chance_V)[random.integers(4, size=(200_000, 3))].sum(axis=1), tokens=3, vocabulary=4)
    for bits in (0, 1, 2, 3):
        share = (bits_N >= bits).mean()
        assert share <= 2.0**-bits + 4 * math.sqrt(2.0**-bits / 200_000)
    # And the mean is negative: minus the divergence of the uniform from the model.
    assert bits_N.mean() == pytest.approx(3 * (2 + np.log2(chance_V).mean()), abs=0.05)


def test_the_budget_is_a_ratio() -> None:
    fits, holds = budget(1.8e6, 1e6), budget(3.6e8, 1e6)
    assert (fits.value, fits.verdict) == (0.5, "warning")
    assert "2 times as much unique text" in fits.remedy
    assert "500k parameters" in fits.remedy
    assert (holds.value, holds.verdict, holds.remedy) == (100.0, "ok", "")
    low, high = fits.interval or (0, 0)
    assert low < 0.5 < high


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": 0}, "tokens"),
        ({"vocabulary": 1}, "vocabulary"),
        ({"tokens": 2.5}, "whole number"),
        ({"params": 0}, "params"),
        ({"params": float("nan")}, "params"),
        ({"logprob_N": [0.5] * 9}, "no log-probabilities"),
        ({"logprob_N": [float("nan")] * 9}, "nan at row 1"),
    ],
)
def test_bad_input_is_refused(change: dict[str, object], says: str) -> None:
    given = {"logprob_N": [-30.0] * 9, "tokens": 8, "vocabulary": 256} | change
    with pytest.raises(InputError, match=says):
        capacity(**given)  # type: ignore[arg-type]


def test_too_few_strings_cannot_tell() -> None:
    assert capacity([-30.0] * 4, tokens=8, vocabulary=256).finding.verdict == "cannot tell"
    for bad in (0.0, float("inf"), float("nan"), -1.0):
        with pytest.raises(InputError, match="positive"):
            budget(bad, 1e6)
