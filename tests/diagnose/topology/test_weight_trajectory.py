"""The path of the weights: dimension of cubes, closed forms of magnitude, random walks that are exact nulls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from kleiber.diagnose.topology import (
    dimension,
    distances,
    lifetime_sum,
    magnitude,
    trajectory_dimension,
    trajectory_findings,
    trajectory_lifetimes,
    trajectory_magnitude,
)
from kleiber.diagnose.topology import walks as walks_module
from kleiber.errors import InputError, Refusal

EVERY = (trajectory_dimension, trajectory_lifetimes, trajectory_magnitude)
# Uniform cubes, 1,000 points: mean and standard deviation over five draws of the published algorithm on ripser's lifetimes.
CUBES = {1: (1.01, 0.005), 2: (1.96, 0.03), 3: (2.87, 0.05), 5: (4.56, 0.09)}


@pytest.mark.parametrize("cube", CUBES)
def test_dimension_of_a_cube(cube: int) -> None:
    mean, spread = CUBES[cube]
    found = [dimension(_cube(cube, seed), seed=seed).dimension for seed in range(5)]
    # Three standard errors of the difference of two means of five; our own spread is the larger.
    own = float(np.std(found, ddof=1))
    assert abs(float(np.mean(found)) - mean) < 3 * np.hypot(spread, own) / np.sqrt(5)


def _cube(sides: int, seed: int) -> np.ndarray:
    return distances(np.random.default_rng(seed).random((1000, sides)))


@pytest.mark.slow
def test_dimension_of_a_cube_of_ten_sides() -> None:
    """8.84 with a standard deviation of 0.24 over five draws there; 8.39 with 0.35 over sixty of ours."""
    found = [dimension(_cube(10, seed), seed=seed).dimension for seed in range(5)]
    assert abs(np.mean(found) - 8.84) < 3 * np.hypot(0.24, 0.35) / np.sqrt(5)


def test_a_random_walk_has_dimension_2_26_by_itself() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(1000, 1000)), axis=0)
    assert dimension(distances(walk)).dimension == pytest.approx(2.26, abs=0.04)


def test_power_of_the_edges_leaves_the_dimension() -> None:
    square = _cube(2, 0)
    found = [dimension(square, alpha=alpha).dimension for alpha in (0.5, 1.0)]
    assert found == pytest.approx([2.0, 2.0], abs=0.1)


def test_a_slope_of_one_or_more_has_no_dimension() -> None:
    """Points that fly apart: the tree grows faster than their number, and 1 / (1 - m) would be negative."""
    place = np.cumsum(3.0 ** np.arange(60))[:, None]
    found = dimension(distances(place))
    assert found.slope >= 1
    assert found.dimension is None
    finding = trajectory_dimension(place)
    assert finding.verdict == "cannot tell"
    assert finding.value is None


@pytest.mark.parametrize("apart", [0.1, 1.0, 5.0])
def test_magnitude_of_two_points(apart: float) -> None:
    two = np.array([[0.0, apart], [apart, 0.0]])
    assert magnitude(two).magnitude == pytest.approx(2 / (1 + np.exp(-apart)))
    assert magnitude(two, scale=2.0).magnitude == pytest.approx(2 / (1 + np.exp(-2 * apart)))


def test_magnitude_of_one_point_of_copies_and_of_far_points() -> None:
    assert magnitude(np.zeros((1, 1))).magnitude == 1
    copies = magnitude(np.zeros((5, 5)))
    assert (copies.magnitude, copies.points) == (1, 1)
    far = magnitude(distances(1e3 * np.eye(7)))
    assert far.magnitude == pytest.approx(7)
    assert far.positive == pytest.approx(7)


@given(st.integers(2, 12), st.floats(0.01, 3.0))
@settings(max_examples=30, deadline=None)
def test_magnitude_of_points_on_a_line(points: int, gap: float) -> None:
    """1 + sum of tanh(gap / 2): Leinster, The Magnitude of Metric Spaces (2013), and here every weight is positive."""
    place = gap * np.arange(points, dtype=float)
    found = magnitude(np.abs(place[:, None] - place))
    assert found.magnitude == pytest.approx(1 + (points - 1) * np.tanh(gap / 2), rel=1e-6)
    assert found.positive == pytest.approx(found.magnitude, rel=1e-6)


def test_positive_magnitude_leaves_out_negative_weights() -> None:
    """A hub amid a star of far leaves has a negative weight: w_leaf + e^-d w_hub + ... = 1 solved by hand."""
    leaves, near, far = 6, 0.5, 1.0
    star = np.full((7, 7), far)
    star[0, :] = star[:, 0] = near
    np.fill_diagonal(star, 0)
    a, b = np.exp(-near), np.exp(-far)
    leaf = (1 - a) / (1 + (leaves - 1) * b - leaves * a**2)
    hub = 1 - leaves * a * leaf
    assert hub < 0 < leaf
    found = magnitude(star)
    assert found.magnitude == pytest.approx(leaves * leaf + hub)
    assert found.positive == pytest.approx(leaves * leaf)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_magnitude_without_a_scale(scale: float) -> None:
    with pytest.raises(InputError, match="above 0"):
        magnitude(np.zeros((2, 2)), scale=scale)


def test_magnitude_that_cannot_be_solved_for_is_refused() -> None:
    place = 1e-12 * np.random.default_rng(0).random((40, 3))
    with pytest.raises(Refusal, match="too near"):
        magnitude(distances(place))


def test_lifetime_sum_is_a_sum_of_powers() -> None:
    line = distances(np.array([[0.0], [1.0], [3.0], [6.0]]))
    assert float(lifetime_sum(line, alpha=1.0)) == 6
    assert float(lifetime_sum(line, alpha=2.0)) == 14


def _walk(rng: np.random.Generator, weights: int) -> np.ndarray:
    return np.cumsum(rng.normal(size=(60, weights)) * np.exp(rng.normal(size=(60, 1))), axis=0)


@given(st.floats(1e-6, 1e6), st.integers(0, 50))
@settings(max_examples=4, deadline=None)
def test_unit_and_place_of_the_weights_change_nothing(unit: float, seed: int) -> None:
    path = _walk(np.random.default_rng(seed), 5)
    for ask in EVERY:
        assert ask(unit * (path - 3)).verdict == ask(path).verdict
    assert trajectory_dimension(unit * path).value == pytest.approx(trajectory_dimension(path).value, rel=1e-6)


def test_walks_of_more_weights_than_steps_keep_their_law() -> None:
    """Bartlett's decomposition against normal vectors: mean and spread of all distances of many walks."""
    rng = np.random.default_rng(0)
    turned = walks_module._directions(rng, 4000, 6, 9)
    plain = rng.normal(size=(4000, 6, 9))
    ours, theirs = (distances(np.cumsum(one, axis=1))[:, *np.triu_indices(6, k=1)] for one in (turned, plain))
    error = np.sqrt((ours.var(0) + theirs.var(0)) / 4000)
    assert (np.abs(ours.mean(0) - theirs.mean(0)) < 4 * error).all()
    np.testing.assert_allclose(ours.std(0), theirs.std(0), rtol=0.08)


@pytest.mark.parametrize("ask", EVERY)
def test_too_few_or_still_iterates_give_no_number(ask) -> None:
    for path in (np.random.default_rng(0).normal(size=(39, 5)), np.ones((100, 5)), np.full((100, 5), 1e8)):
        finding = ask(path)
        assert finding.verdict == "cannot tell"
        assert finding.value is None
    with pytest.raises(InputError, match="nan at row 3, column 1"):
        ask(np.where(np.arange(500).reshape(100, 5) == 10, np.nan, np.random.default_rng(0).normal(size=(100, 5))))
    with pytest.raises(InputError, match="too large"):
        ask(1e200 * np.random.default_rng(0).normal(size=(100, 5)))


@pytest.mark.slow
def test_three_questions_of_one_path_stay_at_one_level() -> None:
    """At 5 % each the three would be loud on about one walk in eight; together they are so on one in twenty at most."""
    times = 200
    loud = 0
    for stream in np.random.default_rng(5).spawn(times):
        walk = np.cumsum(stream.normal(size=(40, 30)), axis=0)
        loud += any(finding.verdict == "found" for finding in trajectory_findings(walk))
    assert loud <= int(binom.isf(1e-3, times, 0.05))


def test_a_path_that_is_no_walk_is_found_by_three_questions_at_once() -> None:
    about_one_place = np.random.default_rng(0).normal(size=(60, 30))
    found = trajectory_findings(about_one_place)
    assert [finding.verdict for finding in found] == ["found"] * 3
    assert all("(Holm)" in finding.caveats[-1] for finding in found)
    assert "119 random walks" in found[0].evidence
    # The tree of a line is the path itself, whatever its direction: two of the three are rejected and the last is not.
    line = np.linspace(0, 1, 60)[:, None] * np.ones(30) + 1e-3 * about_one_place
    assert [finding.verdict for finding in trajectory_findings(line)] == ["found", "ok", "found"]
    assert trajectory_findings(np.ones((50, 8)))[0].verdict == "cannot tell"
