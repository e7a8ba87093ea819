"""Exposure against its exact null, by enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.diagnose.memorisation import exposure, exposures
from kleiber.errors import InputError


def test_an_unseen_canary_has_exposure_k_with_probability_two_to_the_minus_k() -> None:
    """Every rank among 1023 references is as likely: enumerated, not drawn."""
    references = np.arange(1023.0)
    canary_N = np.arange(1024) - 0.5
    bits_N = exposures(canary_N, references)
    for bits in range(11):
        assert (bits_N >= bits).mean() == 2.0**-bits


def test_the_mean_of_the_null_is_log2_e() -> None:
    references = np.arange(99_999.0)
    mean = exposures(np.arange(100_000) - 0.5, references).mean()
    # Stirling: the mean over ranks 1..n is log2 e - log2(2 pi n) / (2 n) - ...
    assert mean == pytest.approx(math.log2(math.e), abs=math.log2(2 * math.pi * 1e5) / 1e5)


def test_a_single_canary_has_the_p_value_of_its_rank() -> None:
    found = exposure([4.5], np.arange(100.0))
    assert found.p_value == pytest.approx(6 / 101)
    assert found.finding.value == pytest.approx(math.log2(101 / 6))
    low, high = found.finding.interval or (0, 0)
    assert low < math.log2(101 / 6) < high


@pytest.mark.parametrize("canary_C", [[0.5, 2.5], [-0.5, 6.5], [1.5, 1.6]])
def test_several_canaries_against_every_order_there_is(canary_C: list[float]) -> None:
    references = np.arange(7.0)
    seen = exposures(canary_C, references).mean()
    every = []
    for places in itertools.combinations(range(9), 2):
        others = np.delete(np.arange(9.0), places)
        every.append(exposures(np.array(places, dtype=float), others).mean())
    exact = np.mean(np.array(every) >= seen - 1e-12)
    found = exposure(canary_C, references)
    assert found.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 1999) + 1e-3)


def test_its_p_values_are_uniform_where_nothing_is_remembered() -> None:
    random = np.random.default_rng(0)
    p_values = [exposure(random.normal(size=5), random.normal(size=60), seed=n).p_value for n in range(150)]
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(p_values) <= level)
        assert abs(share - level) < 4 * math.sqrt(level * (1 - level) / 150)


def test_ties_count_against_the_canary() -> None:
    assert exposures([1.0], [1.0, 1.0, 2.0]).tolist() == [math.log2(4) - math.log2(3)]


@given(st.floats(0.1, 50.0), st.floats(-100, 100))
def test_units_of_loss_do_not_matter(scale: float, shift: float) -> None:
    canary_C, reference_R = np.array([1.0, 3.5, 8.0]), np.arange(40.0)
    assert np.array_equal(
        exposures(scale * canary_C + shift, scale * reference_R + shift), exposures(canary_C, reference_R)
    )


@pytest.mark.parametrize(
    ("canary", "reference", "says"),
    [
        ([np.nan], np.arange(50.0), "nan at row 1"),
        ([1.0], [1.0, np.inf, 2.0], "inf at row 2"),
        ([[1.0]], np.arange(5.0), "one dimension"),
        ([1.0, 1.0], [1.0] * 50, "the same"),
    ],
)
def test_what_is_no_loss_is_refused(canary: object, reference: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        exposure(canary, reference)  # type: ignore[arg-type]


def test_too_few_references_cannot_tell() -> None:
    found = exposure([0.0], np.arange(1.0, 11.0))
    assert (found.finding.verdict, found.p_value) == ("cannot tell", None)
    assert exposure([], np.arange(50.0)).finding.verdict == "cannot tell"
    assert exposure([0.0], []).finding.verdict == "cannot tell"
