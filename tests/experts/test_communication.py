"""All-to-all: exact reach, the router of greatest entropy against counting, two tiers, and DeepEP's figures."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.cost.collective import nodes_reached
from kleiber.errors import InputError
from kleiber.experts.communication import Wires, all_to_all, even_routing, token_bytes
from kleiber.experts.reach import counted_reach, even_reach, inclusion, needed, reach


def test_the_published_reach() -> None:
    """8 of 256 on eight nodes: 5.295 (moe.md), as `cost` reckons; under a limit of four fewer than four."""
    assert even_reach(256, 8, 8) == pytest.approx(5.295, abs=5e-4)
    assert even_reach(256, 8, 8) == pytest.approx(nodes_reached(256, 8, 8))
    assert even_reach(256, 8, 8, limit=4) == pytest.approx(
        4 * (1 - np.prod((96 - np.arange(8)) / (128 - np.arange(8))))
    )
    assert even_reach(256, 8, 8, limit=8) == even_reach(256, 8, 8)


@settings(deadline=None, max_examples=30)
@given(groups=st.integers(1, 6), each=st.integers(1, 5), data=st.data())
def test_even_loads_are_the_hypergeometric(groups: int, each: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(1, groups * each))
    found = reach(np.ones((2, groups * each)), chosen, np.arange(groups * each) // each, groups)
    assert found.sum(axis=1) == pytest.approx(even_reach(groups * each, chosen, groups), abs=1e-4)


def test_uneven_loads_against_every_choice() -> None:
    """Six experts, three chosen: the router of greatest entropy is P(set) ~ product of odds, summed here over all sets."""
    rng = np.random.default_rng(0)
    odds = rng.uniform(0.2, 3, 6)
    sets = list(combinations(range(6), 3))
    weight = np.array([odds[list(chosen)].prod() for chosen in sets])
    weight /= weight.sum()
    share = np.array([sum(w for w, chosen in zip(weight, sets, strict=True) if e in chosen) for e in range(6)])
    group = np.array([0, 0, 1, 1, 2, 2])
    needed = [
        sum(w for w, chosen in zip(weight, sets, strict=True) if set(chosen) & {2 * g, 2 * g + 1}) for g in range(3)
    ]
    assert reach(share[None], 3, group, 3)[0] == pytest.approx(needed, abs=1e-4)


def test_dropped_choices_against_every_choice() -> None:
    """A token does without a group where all its choices there are dropped: summed over all sets and all ways of dropping."""
    rng = np.random.default_rng(2)
    odds, kept, group = rng.uniform(0.2, 3, 6), rng.uniform(0, 1, 6), np.array([0, 0, 1, 1, 2, 2])
    sets = list(combinations(range(6), 3))
    weight = np.array([odds[list(chosen)].prod() for chosen in sets])
    weight /= weight.sum()
    wanted = [
        sum(
            w * (1 - np.prod([1 - kept[e] for e in chosen if group[e] == g]))
            for w, chosen in zip(weight, sets, strict=True)
        )
        for g in range(3)
    ]
    assert needed(odds[None], 3, group, 3, kept[None])[0] == pytest.approx(wanted)
    assert needed(odds[None], 3, group, 3, np.zeros((1, 6)))[0] == pytest.approx([0, 0, 0])


def test_counted_choices() -> None:
    rng = np.random.default_rng(1)
    choice = rng.random((20_000, 256)).argpartition(8, axis=1)[:, :8]
    found = counted_reach(choice, np.arange(256) // 32, 8)
    assert found.sum() == pytest.approx(5.295, rel=2e-3)
    loads = np.bincount(choice.ravel(), minlength=256)[None].astype(float)
    assert reach(loads, 8, np.arange(256) // 32, 8)[0] == pytest.approx(found, abs=0.015)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), experts=st.integers(2, 40), data=st.data())
def test_inclusion_is_a_probability_that_adds_up(seed: int, experts: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(1, experts))
    loads = np.random.default_rng(seed).pareto(0.7, (3, experts)) + 1e-3
    found = inclusion(loads, chosen)
    assert (found >= 0).all()
    assert (found <= 1 + 1e-12).all()
    assert found.sum(axis=1) == pytest.approx(chosen)


def test_one_hot_needs_one_group() -> None:
    loads = np.zeros((1, 8))
    loads[0, 3] = 5.0
    assert reach(loads, 1, np.arange(8) // 2, 4)[0].tolist() == [0, 1, 0, 0]


def test_bytes_of_a_token() -> None:
    """DeepSeek-V3: 57,344 + 114,688 bytes without removing duplicates (moe.md); the four-node bound is 28,672 + 57,344."""
    found = token_bytes(even_routing(256, 8, 8, 64, limit=4), 7168, 1.0, 2.0)
    assert (found["naive_dispatch"], found["naive_combine"]) == (57344, 114688)
    assert found["deduplicated_dispatch"] <= 28672
    assert found["deduplicated_combine"] == 2 * found["deduplicated_dispatch"]


def test_the_slower_tier_decides() -> None:
    reached = even_routing(256, 8, 8, 64)
    size, tokens = 7168.0, 4096
    crossing = tokens * size * even_reach(256, 8, 8) * 7 / 8
    inside = tokens * size * even_reach(256, 8, 64) * 7 / 8
    slow_network = all_to_all(reached, tokens, size, Wires(link=1e15, network=1e9))
    slow_link = all_to_all(reached, tokens, size, Wires(link=1e9, network=1e15))
    assert slow_network.seconds_L[0] == pytest.approx(crossing / 1e9)
    assert slow_link.seconds_L[0] == pytest.approx(inside / 1e9)
    naive = all_to_all(reached, tokens, size, Wires(link=1e15, network=1e9), deduplicated=False)
    assert naive.seconds_L[0] == pytest.approx(tokens * size * 8 * 7 / 8 / 1e9)


def test_one_device_sends_nothing() -> None:
    assert all_to_all(even_routing(8, 2, 1, 1), 100, 10, Wires(link=1.0, network=1.0, latency=1.0)).seconds_L[0] == 0


def test_bad_input() -> None:
    with pytest.raises(InputError, match="do not fill the groups evenly"):
        even_reach(10, 2, 3)
    with pytest.raises(InputError, match="node limit leaves a token too few experts"):
        even_reach(16, 8, 8, limit=2)
    with pytest.raises(InputError, match="cannot go to so many experts"):
        even_reach(4, 5, 2)
    with pytest.raises(InputError, match="layer 1: a layer has no load"):
        inclusion(np.array([[1.0, 1.0], [0.0, 0.0]]), 1)
