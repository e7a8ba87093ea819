"""The sieve against brute force, and what is read off a frontier against closed forms."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.plan.architecture.frontier import reading, sieve
from kleiber.plan.architecture.frontier.reading import behind, knee, stretches
from kleiber.plan.architecture.frontier.sieve import unbeaten


def brute(points_NA: np.ndarray) -> list[int]:
    """Every pair, one by one; of equal points the first."""
    kept = []
    for place, point in enumerate(points_NA.tolist()):
        beaten = any(
            all(one <= two for one, two in zip(other, point, strict=True)) and (other != point or rival < place)
            for rival, other in enumerate(points_NA.tolist())
            if rival != place
        )
        if not beaten:
            kept.append(place)
    return kept


@st.composite
def clouds(draw: st.DrawFn) -> np.ndarray:
    """Points on a coarse grid, so that ties abound, or anywhere."""
    axes, count = draw(st.integers(2, 3)), draw(st.integers(0, 60))
    values = st.integers(0, draw(st.sampled_from([2, 6, 30]))).map(float) | st.floats(-1e6, 1e6)
    flat = draw(st.lists(values, min_size=axes * count, max_size=axes * count))
    return np.array(flat, dtype=float).reshape(count, axes)


@settings(max_examples=80, deadline=None)
@given(clouds(), st.sampled_from([1, 3, 4096]))
def test_the_sieve_keeps_what_brute_force_keeps(points_NA: np.ndarray, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sieve, "BLOCK", block)
        assert unbeaten(points_NA).tolist() == brute(points_NA)


@settings(max_examples=30, deadline=None)
@given(clouds(), st.randoms(use_true_random=False))
def test_neither_order_nor_growing_units_change_what_is_kept(points_NA: np.ndarray, shuffled) -> None:
    points_NA = np.unique(points_NA, axis=0)
    order = list(range(len(points_NA)))
    shuffled.shuffle(order)
    kept = {tuple(point) for point in points_NA[unbeaten(points_NA)]}
    assert {tuple(point) for point in points_NA[order][unbeaten(points_NA[order])]} == kept
    assert {tuple(point) for point in points_NA[unbeaten(4.0 * points_NA)]} == kept


@pytest.mark.parametrize("axes", [2, 3])
def test_a_sphere_is_its_own_frontier(axes: int) -> None:
    """On the lower left part of a sphere no point beats another; all points further out are beaten."""
    directions = np.abs(np.random.default_rng(0).normal(size=(3000, axes)))
    sphere = -directions / np.linalg.norm(directions, axis=1, keepdims=True)
    further = np.concatenate([sphere, sphere + 1e-3])
    assert unbeaten(further).tolist() == list(range(3000))


def test_a_hundred_thousand_points_take_a_moment() -> None:
    points_NA = np.random.default_rng(1).random((100_000, 3))
    begin = time.perf_counter()
    unbeaten(points_NA)
    assert time.perf_counter() - begin < 1.0


def bend_of(x: np.ndarray, y: np.ndarray) -> float:
    """Where |y''| / (1 + y'^2)^1.5 of ln y over ln x, both scaled to the unit square, is largest: by differences."""
    u, v = ((np.log(each) - np.log(each).min()) / np.ptp(np.log(each)) for each in (x, y))
    slope = np.gradient(v, u)
    curved = np.gradient(slope, u) / (1 + slope**2) ** 1.5
    return float(u[curved.argmax()])


@pytest.mark.parametrize(("floor", "power"), [(1.0, 1.0), (1.8, 0.3), (0.5, 0.5)])
def test_the_knee_is_where_the_curve_bends_most(floor: float, power: float) -> None:
    x = np.geomspace(1e-4, 1e6, 4000)
    y = floor + 5.0 * x**-power
    u = np.log(x / x[0]) / np.log(x[-1] / x[0])
    found = knee(x, y)
    assert found is not None
    assert u[found] == pytest.approx(bend_of(x, y), abs=reading.REACH / 2)


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_units_do_not_move_the_knee(along: float, up: float) -> None:
    x = np.geomspace(1, 1e5, 300)
    y = 1.0 + 20.0 / x**0.5
    assert knee(along * x, up * y) == knee(x, y)


@pytest.mark.parametrize("power", [0.05, 0.5, 3.0])
def test_a_power_law_has_no_knee(power: float) -> None:
    x = np.geomspace(1, 1e5, 300)
    assert knee(x, x**-power) is None


def test_a_bulge_is_no_knee() -> None:
    """Less and less for less and less: it bends the other way."""
    x = np.geomspace(1, 1e5, 300)
    assert knee(x, 10.0 - x / 2e4) is None


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(["dense", "ssm", "hybrid"]), min_size=1, max_size=40), st.randoms(use_true_random=False)
)
def test_stretches_follow_one_another_and_cover_all(families: list[str], chance) -> None:
    x = np.cumprod([chance.uniform(1.01, 3.0) for _ in families])
    found = stretches(x, families)
    assert (found[0].low, found[-1].high) == pytest.approx((x[0], x[-1]))
    least = np.log(x[-1] / x[0]) * reading.SHORT
    for one, other in itertools.pairwise(found):
        assert one.high == pytest.approx(other.low)
        assert one.family != other.family
    assert len(found) == 1 or min(np.log(part.high / part.low) for part in found) >= least * (1 - 1e-9)
    assert {part.family for part in found} <= set(families)


def test_behind_is_the_gap_between_steps() -> None:
    x, y = np.array([1.0, 2.0, 4.0, 8.0]), np.array([4.0, 3.0, 2.0, 1.0])
    assert behind(x, y, x, y).tolist() == [0, 0, 0, 0]
    assert behind(x, y, np.array([3.0]), np.array([2.5])).tolist() == [np.inf, np.inf, 0.5, 1.5]
