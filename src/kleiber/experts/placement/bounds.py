"""What no placement can beat: lower bounds on the longest time of a device, whatever the replicas and their shares.

One idea: each bound counts something that cannot be had twice. With W the load of a layer, w_1 >= w_2 >= ... its experts, S the
speed of all devices, N slots, R = N - E of them to spare:

- mean: all load is served by all devices, T >= W / S;
- slots: the other experts need a slot each, so the q heaviest have at most q + R replicas, on at most q + R devices:
  T >= (w_1 + ... + w_q) / (speed of the q + R fastest). With q = 1 this is the largest load that cannot be split further;
- whole: of the k G + 1 + R heaviest at most R are split, so some device holds k + 1 that are not: T >= the sum of the k + 1
  lightest of these / (the fastest speed);
- reach: devices with few slots cannot serve more than the heaviest experts that fit, the others serve the rest;
- node: a group of experts that stays in one node is served by that node, with the company that finds no slot elsewhere.

A bound on balancedness is (W / S) / T.

Shapes: L layers, E experts, G devices, Q groups, M nodes.
"""

from __future__ import annotations

import numpy as np

from kleiber.experts.cluster import Cluster
from kleiber.experts.placement.few import MOST_GROUPS, best_nodes
from kleiber.experts.placement.placement import Floats, Ints

HALVINGS = 40
ROUNDING = 1e-12  # sums of the same loads in another order


def bound(load_LE: Floats, cluster: Cluster, groups: int | None = None) -> Floats:
    """A balancedness per layer that no placement exceeds; `groups` consecutive groups of experts each stay in a node.

    >>> bound(np.array([[8.0, 1, 1]]), Cluster.of(1, 4, 1)).round(3)  # one slot to spare: the heaviest has two replicas
    array([0.625])
    """
    mean_L = load_LE.sum(axis=1) / cluster.speed_G.sum()
    lowest_L = longest_at_least(load_LE, cluster.slots_G, cluster.speed_G)
    if groups is not None:
        lowest_L = np.maximum(
            lowest_L, _by_node(load_LE.reshape(len(load_LE), groups, -1).sum(axis=2), cluster, load_LE)
        )
    found_L = np.divide(mean_L, lowest_L, out=np.ones_like(mean_L), where=lowest_L > 0)
    return np.where(found_L > 1 - ROUNDING, 1.0, found_L)


def longest_at_least(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Floats:
    """The largest of the bounds that hold without groups, as a time per layer."""
    sum_LE = np.cumsum(-np.sort(-load_LE, axis=1), axis=1)
    alive_G = speed_G > 0
    found = (_by_mean, _by_slots, _by_whole, _by_reach)
    return np.max([one(sum_LE, slots_G[alive_G], speed_G[alive_G]) for one in found], axis=0)


def _by_mean(sum_LE: Floats, slots_G: Ints, speed_G: Floats) -> Floats:
    return sum_LE[:, -1] / speed_G.sum()


def _by_slots(sum_LE: Floats, slots_G: Ints, speed_G: Floats) -> Floats:
    speed_G = np.sort(speed_G)[::-1]
    spare = int(slots_G.sum()) - sum_LE.shape[1]
    replicas_E = np.minimum(np.arange(1, sum_LE.shape[1] + 1) + spare, len(speed_G))
    return (sum_LE / np.cumsum(speed_G)[replicas_E - 1]).max(axis=1)


def _by_whole(sum_LE: Floats, slots_G: Ints, speed_G: Floats) -> Floats:
    experts, devices = sum_LE.shape[1], len(speed_G)
    spare = int(slots_G.sum()) - experts
    together = np.arange(1, (experts - 1 - spare) // devices + 2)  # k + 1
    heaviest = (together - 1) * devices + 1 + spare
    if len(heaviest) == 0:
        return np.zeros(len(sum_LE))
    padded_LE = np.pad(sum_LE, ((0, 0), (1, 0)))
    whole_LK = padded_LE[:, heaviest] - padded_LE[:, np.maximum(heaviest - together, 0)]
    return whole_LK.max(axis=1) / speed_G.max()


def _by_reach(sum_LE: Floats, slots_G: Ints, speed_G: Floats) -> Floats:
    order_G = np.argsort(slots_G / speed_G, kind="stable")[:-1]
    if len(order_G) == 0:
        return np.zeros(len(sum_LE))
    served_LG = sum_LE[:, np.minimum(np.cumsum(slots_G[order_G]), sum_LE.shape[1]) - 1]
    return ((sum_LE[:, -1:] - served_LG) / (speed_G.sum() - np.cumsum(speed_G[order_G]))).max(axis=1)


def _by_node(load_LQ: Floats, cluster: Cluster, load_LE: Floats) -> Floats:
    """The groups as indivisible, the nodes as the devices."""
    size = load_LE.shape[1] // load_LQ.shape[1]
    speed_M = cluster.speed_G.reshape(cluster.nodes, -1).sum(axis=1)
    slots_M = cluster.slots_G.reshape(cluster.nodes, -1).sum(axis=1)
    if load_LQ.shape[1] <= MOST_GROUPS:
        return best_nodes(load_LQ, slots_M // size, speed_M)[1]
    sorted_LQ = -np.sort(-load_LQ, axis=1)
    groups, nodes = load_LQ.shape[1], int((speed_M > 0).sum())
    padded_LQ = np.pad(np.cumsum(sorted_LQ, axis=1), ((0, 0), (1, 0)))
    together = np.arange(1, (groups - 1) // nodes + 2)
    heaviest = (together - 1) * nodes + 1
    whole_L = (padded_LQ[:, heaviest] - padded_LQ[:, heaviest - together]).max(axis=1) / speed_M.max()
    others = np.sort(slots_M)[::-1][: nodes - 1]
    room = int((others // size).sum()) if size > 1 else int(others.sum())
    return np.maximum(whole_L, _with_company(sorted_LQ, padded_LQ, room, speed_M.max(), cluster, size))


def _with_company(sorted_LQ: Floats, padded_LQ: Floats, room: int, speed: float, cluster: Cluster, size: int) -> Floats:
    """The heaviest group's node also takes the groups for which the other nodes have no room: the lightest, at best.

    Single experts need ceil(load / (T speed)) replicas elsewhere, so the bound is the least T that is at least what it implies.
    """
    groups = sorted_LQ.shape[1]
    low_L, high_L = sorted_LQ[:, 0] / speed, padded_LQ[:, -1] / speed
    for _ in range(HALVINGS):
        time_L = (low_L + high_L) / 2
        most_L1 = np.maximum(time_L * cluster.speed_G.max(), np.finfo(float).tiny)[:, None]
        replicas_LQ = (
            np.maximum(np.ceil(sorted_LQ[:, 1:] / most_L1 * (1 - 1e-12)), 1) if size == 1 else np.ones((1, groups - 1))
        )
        company_L = np.clip(replicas_LQ.sum(axis=1) - room, 0, groups - 1).astype(int)
        implied_L = sorted_LQ[:, 0] + padded_LQ[:, -1] - padded_LQ[np.arange(len(sorted_LQ)), groups - company_L]
        enough_L = implied_L <= time_L * speed
        low_L, high_L = np.where(enough_L, low_L, time_L), np.where(enough_L, time_L, high_L)
    return low_L
