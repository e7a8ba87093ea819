"""Repeated sampling and matched compute: each closed form against the sum it came from."""

from __future__ import annotations

import pytest

from kleiber.errors import InputError
from kleiber.laws.test_time import COVERAGE, matching_samples, samples_for


@pytest.mark.parametrize("smaller", [1.0, 2.0, 14.0])
@pytest.mark.parametrize("ratio", [0.01, 1.0, 100.0])
def test_matched_models_cost_the_same(smaller: float, ratio: float) -> None:
    """6 N D_pre + 2 N D_inf of the larger against the smaller's, with k times the inference tokens."""
    inference, params = 1e12, 7e9
    pretraining = ratio * inference
    larger = 6 * smaller * params * pretraining + 2 * smaller * params * inference
    k = matching_samples(smaller, pretraining, inference)
    assert 6 * params * pretraining + 2 * params * k * inference == pytest.approx(larger, rel=1e-12)


def test_coverage_rises_from_one_sample_to_all_and_inverts() -> None:
    theta = {"a": 1.5, "b": 0.4}
    found = [float(COVERAGE.evaluate(theta, {"samples": n})) for n in (1, 10, 1e3, 1e12)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(1.0, abs=1e-4)
    for share in (0.3, 0.7, 0.99):
        assert float(COVERAGE.evaluate(theta, {"samples": samples_for(share, **theta)})) == pytest.approx(share)


def test_log_coverage_is_a_power_of_samples() -> None:
    """log c = -a n^-b: the form of Brown et al., whose a and b are both negative."""
    import math

    logs = [math.log(float(COVERAGE.evaluate({"a": 2.0, "b": 0.5}, {"samples": n}))) for n in (1, 4, 16)]
    assert logs == pytest.approx([-2.0, -1.0, -0.5])


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, float("nan")])
def test_no_samples_for_an_impossible_coverage(coverage: float) -> None:
    with pytest.raises(InputError, match="coverage"):
        samples_for(coverage, 1.0, 0.5)


def test_bad_comparisons_are_refused() -> None:
    with pytest.raises(InputError, match="smaller"):
        matching_samples(0.5, 1e12, 1e12)
    with pytest.raises(InputError, match="tokens"):
        matching_samples(2.0, 0.0, 1e12)
    with pytest.raises(InputError, match="positive"):
        samples_for(0.5, -1.0, 0.5)
