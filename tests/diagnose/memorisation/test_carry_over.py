"""Carry-over: the planted share is found, the interval covers it, and units do not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.diagnose.memorisation import carry_over
from kleiber.errors import InputError


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_interval_covers_the_planted_share(share: float) -> None:
    random = np.random.default_rng(4)
    inside, times = 0, 150
    for _ in range(times):
        found = carry_over(random.normal(1.0, 0.3, 40), random.normal(share, 0.4, 30))
        low, high = found.interval or (0, 0)
        inside += low < share < high
    # Fieller with the smaller of two degrees of freedom: a little wide, never narrow.
    assert inside / times > 0.95 - 4 * np.sqrt(0.05 * 0.95 / times)
    assert inside / times < 1


@settings(max_examples=20)
@given(st.floats(0.01, 100))
def test_nats_and_bits_say_the_same(scale: float) -> None:
    random = np.random.default_rng(1)
    train_D, held_H = random.normal(1.0, 0.2, 30), random.normal(0.6, 0.2, 25)
    one, other = carry_over(train_D, held_H), carry_over(scale * train_D, scale * held_H)
    assert one.share == pytest.approx(other.share)
    assert one.interval == pytest.approx(other.interval)
    assert one.memorising.p_value == pytest.approx(other.memorising.p_value)


def test_both_ends() -> None:
    random = np.random.default_rng(2)
    train_D = random.normal(1.0, 0.1, 60)
    words = {}
    for share in (-0.3, 0.5, 1.0):
        found = carry_over(train_D, random.normal(share, 0.1, 60))
        words[share] = (found.memorising.finding.verdict, found.generalising.finding.verdict)
    assert words == {-0.3: ("warning", "ok"), 0.5: ("warning", "found"), 1.0: ("ok", "found")}


def test_nothing_learnt_cannot_carry_over() -> None:
    random = np.random.default_rng(0)
    found = carry_over(random.normal(0.0, 1.0, 50), random.normal(0.0, 1.0, 50))
    assert found.share is None
    assert {found.memorising.finding.verdict, found.generalising.finding.verdict} == {"cannot tell"}
    assert carry_over(np.ones(50), np.ones(50)).share is None
    assert carry_over(np.arange(5.0), np.arange(50.0)).share is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_gains_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="row 3"):
        carry_over([1.0, 2.0, bad] * 10, np.arange(30.0))
    with pytest.raises(InputError, match="below a half"):
        carry_over(np.arange(30.0), np.arange(30.0), material=0.6)
