"""Avalanches and branching: mean-field exponents, subsampling, events and thresholds, mean shapes, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.diagnose.criticality import (
    Avalanches,
    Branching,
    Exponents,
    avalanches,
    binned,
    branching_ratio,
    exponents,
)
from kleiber.diagnose.criticality.branching import fit_ratio
from kleiber.diagnose.criticality.cascades import branching_avalanches, driven_branching, separated_avalanches
from kleiber.errors import InputError
from kleiber.finding import Finding


@pytest.fixture(scope="module")
def critical() -> Exponents:
    sizes, durations = branching_avalanches(100_000, 1.0, np.random.default_rng(0))
    found = exponents(Avalanches(sizes_A=sizes, durations_A=durations), draws=40)
    assert isinstance(found, Exponents)
    return found


def test_mean_field_exponents(critical: Exponents) -> None:
    """3/2, 2 and 2; of the last, durations that do not scale yet take a little."""
    assert critical.size.alpha == pytest.approx(1.5, abs=0.02)
    assert critical.duration.alpha == pytest.approx(2.0, abs=0.06)
    assert critical.gamma == pytest.approx(2.0, abs=0.1)
    assert critical.predicted == pytest.approx(2.0, abs=0.1)
    assert critical.finding.verdict == "found"
    assert "hang together" in critical.finding.evidence


def test_sizes_follow_borel() -> None:
    """Total progeny of a critical Poisson process: P(s) = exp(-s) s^(s-1) / s!."""
    sizes, _ = branching_avalanches(200_000, 1.0, np.random.default_rng(1))
    for size, expected in ((1, np.exp(-1)), (2, np.exp(-2)), (3, np.exp(-3) * 1.5)):
        assert np.mean(sizes == size) == pytest.approx(expected, abs=4 * np.sqrt(expected / sizes.size))


@pytest.mark.parametrize("ratio", [0.7, 0.9])
def test_a_subcritical_process_is_not_critical(ratio: float) -> None:
    sizes, durations = branching_avalanches(20_000, ratio, np.random.default_rng(2))
    found = exponents(Avalanches(sizes_A=sizes, durations_A=durations), draws=20)
    assert (found if isinstance(found, Finding) else found.finding).verdict != "found"


def test_shapes_collapse_at_the_critical_point() -> None:
    rng = np.random.default_rng(3)
    found = avalanches(separated_avalanches(8000, 1.0, rng, longest=5000))
    result = exponents(found, draws=0)
    assert isinstance(result, Exponents)
    assert result.collapse is not None
    assert result.collapse < 0.4
    assert found.sizes_A.size == pytest.approx(7999, abs=1)


@pytest.mark.parametrize(("ratio", "seen"), [(0.98, 1.0), (0.98, 0.1), (0.9, 0.05)])
def test_the_ratio_survives_what_is_not_seen(ratio: float, seen: float) -> None:
    found = branching_ratio(driven_branching(50_000, ratio, 20 * (1 - ratio), np.random.default_rng(2), seen=seen))
    assert isinstance(found, Branching)
    assert found.ratio == pytest.approx(ratio, abs=0.03)
    if seen < 1:
        assert found.naive < 0.8


def test_an_exact_decay_is_fitted_exactly() -> None:
    lags = np.arange(1, 30)
    assert fit_ratio(lags, 0.3 * 0.87**lags) == pytest.approx((0.87, 0.3), abs=1e-5)


def test_runs_thresholds_and_units() -> None:
    found = avalanches([1, 0, 2, 2, 0, 0, 5, 0, 3])  # the first and last are cut by the record
    assert found.sizes_A.tolist() == [4.0, 5.0]
    assert found.durations_A.tolist() == [2.0, 1.0]
    units = np.array([[0, 0], [1, 1], [2, 0], [0, 0], [0, 5], [0, 0]])
    assert avalanches(units).sizes_A.tolist() == [4.0, 5.0]
    assert avalanches([3, 5, 6, 3, 4, 4, 3, 9, 3], threshold=4).sizes_A.tolist() == [3.0, 5.0]


def test_events_are_counted_in_bins() -> None:
    assert binned([0.0, 0.1, 0.9, 2.5], width=1.0).tolist() == [3.0, 0.0, 1.0]
    assert binned([5.0, 6.0, 7.0]).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(InputError, match="positive width"):
        binned([0.0, 1.0], width=0.0)
    with pytest.raises(InputError, match="two times"):
        binned([1.0, 1.0])


def test_too_little_is_said() -> None:
    for activity in ([], [0.0] * 900, [1.0] * 900, [0.0, 1.0] * 30):
        found = exponents(avalanches(activity))
        assert isinstance(found, Finding)
        assert found.verdict == "cannot tell"
    for activity in ([], [2.0] * 900, [0.0, 1.0] * 30):
        ratio = branching_ratio(activity)
        assert isinstance(ratio, Finding)
        assert ratio.verdict == "cannot tell"
    with pytest.raises(InputError, match="counts events"):
        branching_ratio(np.linspace(-1, 1, 600))
    with pytest.raises(InputError, match="nan at row 1"):
        avalanches([np.nan, 1.0])
