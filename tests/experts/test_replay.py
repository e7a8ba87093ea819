"""Migration within a budget, after failures, and rules of re-planning over drifting traces."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.drift import random_walk, rotating_zipf
from kleiber.experts.placement import find
from kleiber.experts.placement.migrate import migrate
from kleiber.experts.replay import replay
from kleiber.experts.trace import RoutingTrace
from tests.experts.test_placement import check

WINDOW_FILL = find("window-fill")
CLUSTER = Cluster(nodes=2, devices_per_node=4, slots=(9,) * 8, expert_bytes=1e9)


def walking(steps: int = 4, seed: int = 0) -> np.ndarray:
    trace = random_walk(steps=steps, layers=3, experts=64, spread=0.6, walk=0.15, tokens=10**6, seed=seed)
    return trace.count_SLE


def test_a_larger_budget_never_hurts() -> None:
    before, after = walking()[:2]
    today = WINDOW_FILL.place(before, CLUSTER)
    last = 0.0
    for budget in (0, 4e9, 16e9, 64e9, 1e12):
        found = migrate(today, after, WINDOW_FILL, budget_bytes=budget)
        check(found.placement)
        assert found.moved_bytes is not None
        assert found.moved_bytes <= budget
        assert found.placement.balancedness >= last - 1e-9
        last = found.placement.balancedness
    assert last > 1 - 1e-6
    assert migrate(today, after, WINDOW_FILL).placement.balancedness == pytest.approx(last)


def test_nothing_moves_where_nothing_changes() -> None:
    """A fresh plan of the same loads is laid onto the devices where its replicas already are."""
    today = WINDOW_FILL.place(walking()[0], CLUSTER)
    assert migrate(today, walking()[0], WINDOW_FILL).moved == 0


def test_moved_is_counted_by_hand() -> None:
    today = find("static").place(np.array([[4.0, 4, 1, 1]]), Cluster.of(1, 2, 2))
    found = migrate(today, [[4.0, 4, 1, 1]], find("greedy"))
    assert found.moved == 2  # one heavy expert against one light one
    assert found.saved == pytest.approx(8 - 5)
    assert found.cost(6) == 6  # each device receives one
    assert found.break_even(6) == pytest.approx(2)


def test_after_failures() -> None:
    roomy = Cluster(nodes=2, devices_per_node=4, slots=(10,) * 8, expert_bytes=1e9)
    today = WINDOW_FILL.place(walking()[0], roomy)
    left = roomy.without(5)
    found = migrate(today, walking()[0], WINDOW_FILL, cluster=left, budget_bytes=12e9)
    check(found.placement)
    gone = set(today.expert_LN[0, roomy.device_N == 5]) - set(today.expert_LN[0, roomy.device_N != 5])
    assert found.received_LG[0].sum() >= len(gone) > 0
    assert found.received_LG[:, 5].sum() == 0


def test_budgets_need_bytes() -> None:
    today = WINDOW_FILL.place(walking()[0], Cluster.of(2, 4, 9))
    with pytest.raises(InputError, match="expert_gb"):
        migrate(today, walking()[1], WINDOW_FILL, budget_bytes=1e9)
    with pytest.raises(InputError, match="not those of the placement"):
        migrate(today, walking()[1][:, :60], WINDOW_FILL)


def test_rules_on_a_random_walk() -> None:
    """Never moves nothing, every moves most and is the most even; splitting anew helps at no cost."""
    trace = random_walk(steps=5, layers=2, experts=64, spread=0.6, walk=0.15, tokens=10**6, seed=1)
    found = replay(trace, CLUSTER, WINDOW_FILL, windows=5, move_tokens=100)
    by_name = {one.rule.name: one for one in found.rules}
    assert sum(by_name["never"].moved_W) == sum(by_name["split"].moved_W) == 0
    assert by_name["every"].balancedness > by_name["split"].balancedness > by_name["never"].balancedness
    assert all(sum(by_name["every"].moved_W) >= sum(one.moved_W) for one in found.rules)
    assert found.best.cost <= min(one.cost for one in found.rules)


def test_what_moving_costs_decides() -> None:
    """Hot experts that change hands: free moves are made, dear ones are not."""
    trace = rotating_zipf(steps=6, layers=2, experts=64, exponent=0.8, every=2, tokens=10**6, seed=0)
    cheap, dear = (replay(trace, CLUSTER, WINDOW_FILL, windows=6, move_tokens=price) for price in (1.0, 1e9))
    moved = {
        price: {one.rule.name: sum(one.moved_W) for one in found.rules}
        for price, found in (("cheap", cheap), ("dear", dear))
    }
    assert moved["cheap"]["pays"] > 0
    assert moved["dear"]["pays"] == moved["dear"]["pays-twice"] == 0
    assert moved["dear"]["every"] == moved["cheap"]["every"] > 0
    assert dear.best.rule.name in ("split", "pays", "pays-twice")


def test_windows_are_needed() -> None:
    trace = random_walk(steps=3, layers=1, experts=64, spread=0.6, walk=0.1, tokens=10**6, seed=1)
    for windows in (1, 4):
        with pytest.raises(InputError):
            replay(trace, CLUSTER, WINDOW_FILL, windows=windows)


def test_devices_wait_in_every_step_of_a_window() -> None:
    """Two steps a window, even together and uneven each: by hand, 6 of 8 assignments on one of two devices."""
    step = np.array([[[3.0, 3, 1, 1]], [[1.0, 1, 3, 3]]])
    found = replay(
        RoutingTrace.from_counts(np.concatenate([step, step, step])), Cluster.of(1, 2, 2), find("static"), windows=3
    )
    never = found.rules[0]
    assert never.balancedness == pytest.approx(4 / 6)
    assert never.cost / found.ideal == pytest.approx(6 / 4)
