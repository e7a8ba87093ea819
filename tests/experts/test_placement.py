"""Every policy goes through the same checks; window-fill meets its theorem, the bounds are held against exact solutions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.placement import POLICIES, Placement, Policy, find
from kleiber.experts.placement.bounds import bound
from kleiber.experts.placement.fill import fill
from kleiber.experts.placement.migrate import hosts
from kleiber.experts.placement.policy import usual_groups
from kleiber.experts.placement.shares import best_shares
from tests.experts.loads import lognormal, one_hot, zipf

every_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
WINDOW_FILL, REPLICATE = find("window-fill"), find("replicate")
FAMILIES = {**{f"zipf {s}": zipf(s, layers=6) for s in (0.0, 0.3, 0.6, 1.0, 1.3)},
            "log-normal": lognormal(layers=6), "one hot": one_hot(layers=6)}  # fmt: skip
every_family = pytest.mark.parametrize("name", FAMILIES)


def check(found: Placement, groups: int | None = None) -> None:
    """What must hold of any placement: hosts, shares, slots, no expert twice on a device, groups in a node, the bound."""
    experts, device_N = found.experts, found.cluster.device_N
    assert found.expert_LN.shape == found.share_LN.shape == (found.layers, len(device_N))
    assert (found.share_LN >= 0).all()
    for layer in range(found.layers):
        used = found.expert_LN[layer] >= 0
        expert, device = found.expert_LN[layer, used], device_N[used]
        assert np.allclose(np.bincount(expert, found.share_LN[layer, used], minlength=experts), 1, atol=1e-9)
        assert len({*zip(expert.tolist(), device.tolist(), strict=True)}) == len(expert)
        if groups is not None:
            node = found.cluster.node_G[device]
            assert len({*zip((expert // (experts // groups)).tolist(), node.tolist(), strict=True)}) == groups
    assert np.bincount(device_N, minlength=found.cluster.devices).tolist() == found.cluster.slots_G.tolist()
    assert (found.balancedness_L() <= found.bound_L + 1e-9).all()
    assert np.isclose(found.device_load_LG().sum(), found.load_LE.sum())


@every_policy
@every_family
@pytest.mark.parametrize("groups", [None, 8])
def test_every_policy_hosts_every_expert(policy: Policy, name: str, groups: int | None) -> None:
    check(policy.place(FAMILIES[name][:2], Cluster.of(4, 8, 9), groups=groups), groups)


@every_family
def test_window_fill_is_exactly_balanced(name: str) -> None:
    found = WINDOW_FILL.place(FAMILIES[name], Cluster.of(4, 8, 9))
    assert (found.bound_L == 1).all()
    assert (found.balancedness_L() > 1 - 1e-9).all()


@every_family
@pytest.mark.parametrize("nodes", [4, 8])
def test_window_fill_reaches_the_node_bound(name: str, nodes: int) -> None:
    """Eight groups: of all ways to put them into nodes the best one, by enumeration in the bound, and full balance inside."""
    found = WINDOW_FILL.place(FAMILIES[name], Cluster.of(nodes, 32 // nodes, 9), groups=8)
    assert (found.gap_L < 1e-6).all()
    if nodes == 8:  # a group a node: the bound is the mean over the heaviest group, written down here anew
        group_LQ = found.load_LE.reshape(6, 8, 32).sum(axis=2)
        assert np.allclose(found.balancedness_L(), group_LQ.mean(axis=1) / group_LQ.max(axis=1), rtol=1e-9)


# The replicate-the-hottest figures of research/moe.md, section 3 (EPLB, global): mean over 58 layers.
@pytest.mark.parametrize(("exponent", "least"), [(0.3, 0.9986), (0.6, 0.9987), (1.0, 0.9951), (1.3, 0.9333)])
def test_equal_shares_are_at_least_as_balanced_as_eplb(exponent: float, least: float) -> None:
    for seed in (0, 1):
        assert REPLICATE.place(zipf(exponent, seed=seed), Cluster.of(4, 8, 9)).balancedness >= least


def test_ten_thousand_experts_on_a_thousand_devices() -> None:
    found = WINDOW_FILL.place(zipf(1.0, layers=1, experts=10_000), Cluster.of(125, 8, 11))
    assert found.balancedness > 1 - 1e-9


small = st.integers(1, 7)
load = st.one_of(st.just(0.0), st.just(1.0), st.floats(1e-6, 1e6), st.floats(1, 2))


@settings(max_examples=100, deadline=None)
@given(st.data(), small, st.integers(1, 5))
def test_the_theorem(data: st.DataObject, devices: int, slots: int) -> None:
    """E <= G (n - 1) + 1 is enough for any loads."""
    experts = data.draw(st.integers(1, devices * (slots - 1) + 1))
    load_E = np.array(data.draw(st.lists(load, min_size=experts, max_size=experts)))
    mean = load_E.sum() / devices
    expert_BN, share_BN = fill(load_E[None].copy(), np.full((1, devices), mean), np.full(devices, slots))
    used = expert_BN[0] >= 0
    served = np.where(used, load_E[np.maximum(expert_BN[0], 0)] * share_BN[0], 0).reshape(devices, slots).sum(axis=1)
    assert served.max() <= mean * (1 + 1e-9)
    assert used.sum() <= experts + devices - 1


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(POLICIES), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
def test_adversarial_loads(data: st.DataObject, policy: Policy, nodes: int, per_node: int, slots: int) -> None:
    """Zeros, ties, one hot, one device, any number of experts, unequal devices, lost devices."""
    devices = nodes * per_node
    each = st.lists(st.integers(0, slots), min_size=devices, max_size=devices).filter(any)
    own = tuple(data.draw(st.one_of(st.just([slots] * devices), each)))
    speeds = st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=devices, max_size=devices)
    speed = tuple(data.draw(st.one_of(st.just([1.0] * devices), speeds)))
    cluster = Cluster(nodes=nodes, devices_per_node=per_node, slots=own, speed=speed)
    experts = data.draw(st.integers(1, sum(own)))
    rows = st.lists(load, min_size=experts, max_size=experts)
    check(policy.place(np.array(data.draw(st.lists(rows, min_size=1, max_size=3))), cluster))


def exact(load_E: np.ndarray, cluster: Cluster, *, relaxed: bool = False) -> float:
    """The best balancedness of all placements and shares, as a mixed-integer program; `relaxed`: where hosts may be fractions."""
    experts, devices = len(load_E), cluster.devices
    cells = experts * devices
    cost = np.r_[np.zeros(2 * cells), 1.0]
    serve_EG, host_EG = np.eye(cells), np.eye(cells)
    nothing = np.zeros((cells, 1))
    rows = [LinearConstraint(np.hstack([serve_EG, -load_E.repeat(devices)[:, None] * host_EG, nothing]), -np.inf, 0)]
    by_expert = np.kron(np.eye(experts), np.ones(devices))
    rows.append(LinearConstraint(np.hstack([by_expert, 0 * by_expert, np.zeros((experts, 1))]), load_E, load_E))
    rows.append(LinearConstraint(np.hstack([0 * by_expert, by_expert, np.zeros((experts, 1))]), 1, np.inf))
    by_device = np.kron(np.ones(experts), np.eye(devices))
    slots = cluster.slots_G.astype(float)
    rows.append(LinearConstraint(np.hstack([0 * by_device, by_device, np.zeros((devices, 1))]), -np.inf, slots))
    rows.append(LinearConstraint(np.hstack([by_device, 0 * by_device, -cluster.speed_G[:, None]]), -np.inf, 0))
    whole = np.r_[np.zeros(cells), np.full(cells, 1 - relaxed), 0]
    upper = np.r_[np.full(cells, np.inf), np.ones(cells), np.inf]
    found = milp(cost, constraints=rows, integrality=whole, bounds=Bounds(0, upper), options={"mip_rel_gap": 1e-9})
    assert found.status == 0
    return load_E.sum() / cluster.speed_G.sum() / found.x[-1]


CASES = [
    *((Cluster.of(1, 3, 3), experts) for experts in (6, 8, 9)),
    *((Cluster.of(1, 4, 2), experts) for experts in (6, 5)),
    (Cluster(nodes=1, devices_per_node=3, slots=(4, 2, 2), speed=(2.0, 1.0, 1.0)), 6),
    (Cluster(nodes=1, devices_per_node=3, slots=(1, 3, 3)), 5),
]


@pytest.mark.parametrize(("cluster", "experts"), CASES)
def test_bounds_and_gaps_against_exact_solutions(cluster: Cluster, experts: int) -> None:
    """The bound is no lower than the best there is, and window-fill no further from the best than it says."""
    load_LE = np.concatenate([zipf(1.0, layers=2, experts=experts), lognormal(layers=2, experts=experts)])
    best_L = np.array([exact(load_E, cluster) for load_E in load_LE])
    found = WINDOW_FILL.place(load_LE, cluster)
    assert (found.bound_L >= best_L - 1e-6).all()
    assert (found.balancedness_L() <= best_L + 1e-6).all()
    assert (best_L - found.balancedness_L() <= found.gap_L + 1e-6).all()
    equal = len(set(cluster.slots)) == 1
    if equal and cluster.slots_G.sum() - experts >= cluster.devices - 1:
        assert (found.balancedness_L() >= best_L - 1e-6).all()
    assert (found.balancedness_L() >= 0.9 * best_L).all()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(2, 10))
def test_a_linear_program_over_placements_says_no_more_than_the_bound(
    data: st.DataObject, devices: int, experts: int
) -> None:
    """The linear relaxation, hosts in fractions, is a bound as well: never a lower one than ours, which costs nothing."""
    slots = st.lists(st.integers(1, 5), min_size=devices, max_size=devices).filter(lambda own: sum(own) >= experts)
    speeds = st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=devices, max_size=devices)
    own, speed = (tuple(data.draw(drawn)) for drawn in (slots, speeds)) if 5 * devices >= experts else ((10,), (1.0,))
    cluster = Cluster(nodes=1, devices_per_node=len(own), slots=own, speed=speed)
    load_E = np.array(data.draw(st.lists(st.integers(1, 100), min_size=experts, max_size=experts)), dtype=float)
    assert bound(load_E[None], cluster)[0] <= exact(load_E, cluster, relaxed=True) * (1 + 1e-7)


def test_the_bounds_by_hand() -> None:
    flat = Cluster.of(1, 4, 1)
    assert bound(np.array([[8.0, 1, 1]]), flat)[0] == pytest.approx(2.5 / 4)  # one spare slot: 8 on two devices
    assert bound(np.array([[3.0, 3, 3, 3, 3]]), Cluster.of(1, 4, 2))[0] == 1.0
    assert bound(np.array([[3.0] * 5]), Cluster(nodes=1, devices_per_node=4, slots=(2, 1, 1, 1)))[0] == pytest.approx(
        3.75 / 6
    )
    unequal = Cluster(nodes=1, devices_per_node=2, slots=(1, 3))
    assert bound(np.ones((1, 4)), unequal)[0] == pytest.approx(2 / 3)  # one slot serves at most one expert


def test_shares_are_the_best_on_a_placement() -> None:
    share_LN = best_shares(np.array([[0, 1, 0, 2, 0, 2]]), np.array([[6.0, 2, 1]]), np.array([2, 2, 2]), np.ones(3))
    served = np.array(
        [6 * share_LN[0, 0] + 2, 6 * share_LN[0, 2] + share_LN[0, 3], 6 * share_LN[0, 4] + share_LN[0, 5]]
    )
    assert served == pytest.approx([3, 3, 3])


def test_lost_devices_and_memory() -> None:
    whole = Cluster.of(2, 4, 9)
    found = WINDOW_FILL.place(lognormal(layers=3, experts=40), whole.without(1, 6))
    check(found)
    assert not hosts(found.expert_LN, found.cluster, 40)[:, [1, 6]].any()
    assert (found.balancedness_L() > 1 - 1e-9).all()
    short = Cluster(nodes=1, devices_per_node=2, slots=(9, 9), memory_bytes=(4e9, 2.5e9), expert_bytes=1e9)
    assert short.slots_G.tolist() == [4, 2]


def test_what_cannot_be_placed() -> None:
    cluster = Cluster.of(1, 2, 3)
    with pytest.raises(InputError, match="6 slots for 7 experts"):
        WINDOW_FILL.place(np.ones((1, 7)), cluster)
    for wrong, where in ((-1.0, "layer 1, expert 2"), (np.nan, "layer 1, expert 2"), (np.inf, "layer 1, expert 2")):
        load_LE = np.ones((2, 4))
        load_LE[1, 2] = wrong
        with pytest.raises(InputError, match=where):
            WINDOW_FILL.place(load_LE, cluster)
    with pytest.raises(InputError, match="no layers"):
        WINDOW_FILL.place(np.ones((0, 4)), cluster)
    with pytest.raises(InputError, match="equal groups"):
        WINDOW_FILL.place(np.ones((1, 4)), cluster, groups=3)
    with pytest.raises(InputError, match="do not fit into the nodes"):
        WINDOW_FILL.place(np.ones((1, 6)), Cluster.of(3, 1, 2), groups=2)
    with pytest.raises(InputError, match="no capacity"):
        cluster.without(0, 1)
    with pytest.raises(InputError, match="did you mean 'window-fill'"):
        find("windowfill")


def test_usual_groups() -> None:
    assert [usual_groups(256, nodes) for nodes in (1, 4, 8, 16, 3)] == [8, 8, 8, 16, 256]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-3, 1e6))
def test_the_unit_of_load_changes_nothing(seed: int, unit: float) -> None:
    load_LE = lognormal(layers=1, experts=16, seed=seed)
    one, other = (WINDOW_FILL.place(load_LE * scale, Cluster.of(1, 4, 5)) for scale in (1.0, unit))
    assert one.balancedness == pytest.approx(other.balancedness, abs=1e-9)
