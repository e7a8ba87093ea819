"""Groups of experts kept in a node: deal the groups to nodes, exchange, then ask the policy once per node.

One idea: a node's time cannot fall below its load over its speed, so the nodes are balanced first, as if each were one device
and each group one expert; inside a node the policy does what it does on a cluster. Two ways of counting a node's room are
tried and the better is kept per layer: room that leaves enough spare slots to split exactly (slots - devices + 1), and all
slots, which lets a node that serves little take experts off one that serves much.

Shapes: L layers, E experts, Q groups, M nodes, G devices, N slots.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.placement.deal import deal
from kleiber.experts.placement.placement import EMPTY, Floats, Ints, balancedness, by_slot, served_by_device
from kleiber.experts.placement.swap import swap_search

Arrange = Callable[[Floats, Ints, Floats], tuple[Ints, Floats]]
ROUNDS = 64


def by_node(arrange: Arrange, load_LE: Floats, cluster: Cluster, groups: int) -> tuple[Ints, Floats]:
    """Experts and shares of every slot, each group within one node; raises `InputError` where groups find no room."""
    size = load_LE.shape[1] // groups
    slots_M = cluster.slots_G.reshape(cluster.nodes, -1).sum(axis=1)
    alive_M = (cluster.slots_G > 0).reshape(cluster.nodes, -1).sum(axis=1)
    all_M, exact_M = slots_M // size, np.maximum(slots_M - alive_M + (alive_M > 0), 0) // size
    if all_M.sum() < groups:
        raise InputError(
            "the groups do not fit into the nodes",
            found=f"{groups} groups of {size} experts, room for {int(all_M.sum())}",
            remedy="smaller groups, or more slots per node",
        )
    best: tuple[Ints, Floats] | None = None
    for room_M in (exact_M, all_M):
        if room_M.sum() < groups:
            continue
        node_LQ = _nodes(load_LE.reshape(len(load_LE), groups, size).sum(axis=2), room_M, cluster)
        found = _inside(arrange, load_LE, cluster, np.repeat(node_LQ, size, axis=1))
        best = found if best is None else better(best, found, load_LE, cluster.slots_G, cluster.speed_G)
        if np.array_equal(exact_M, all_M):
            break
    assert best is not None
    return best


def better(
    one: tuple[Ints, Floats], other: tuple[Ints, Floats], load_LE: Floats, slots_G: Ints, speed_G: Floats
) -> tuple[Ints, Floats]:
    """Of two placements the better one in each layer; the first where they are level."""
    first_L, second_L = (worth(found, load_LE, slots_G, speed_G) for found in (one, other))
    second_L1 = (second_L > first_L)[:, None]
    return np.where(second_L1, other[0], one[0]), np.where(second_L1, other[1], one[1])


def worth(found: tuple[Ints, Floats], load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Floats:
    """Balancedness per layer of experts and shares."""
    expert_LN, share_LN = found
    device_N = np.repeat(np.arange(len(slots_G)), slots_G)
    return balancedness(served_by_device(by_slot(load_LE, expert_LN) * share_LN, device_N, len(slots_G)), speed_G)


def _nodes(load_LQ: Floats, room_M: Ints, cluster: Cluster) -> Ints:
    """The node of each group."""
    speed_M = cluster.speed_G.reshape(cluster.nodes, -1).sum(axis=1)
    names_LQ = np.broadcast_to(np.arange(load_LQ.shape[1]), load_LQ.shape)
    group_LN = deal(load_LQ, names_LQ, room_M, speed_M)
    node_N = np.repeat(np.arange(len(room_M)), room_M)
    moved_LN = swap_search(by_slot(load_LQ, group_LN), group_LN, node_N, speed_M, rounds=ROUNDS)
    group_LN = np.take_along_axis(group_LN, moved_LN, axis=1)
    node_LQ = np.full(load_LQ.shape, EMPTY)
    layer, slot = np.nonzero(group_LN >= 0)
    node_LQ[layer, group_LN[layer, slot]] = node_N[slot]
    return node_LQ


def _inside(arrange: Arrange, load_LE: Floats, cluster: Cluster, node_LE: Ints) -> tuple[Ints, Floats]:
    """The policy in every node, for all layers that put equally many experts there at once."""
    expert_LN = np.full((len(load_LE), len(cluster.device_N)), EMPTY)
    share_LN = np.zeros(expert_LN.shape)
    for node in range(cluster.nodes):
        inside_G, inside_N = cluster.node_G == node, cluster.node_G[cluster.device_N] == node
        count_L = (node_LE == node).sum(axis=1)
        for count in np.unique(count_L[count_L > 0]):
            layer_P = np.flatnonzero(count_L == count)
            own_PE = np.nonzero(node_LE[layer_P] == node)[1].reshape(len(layer_P), count)
            load_PE = np.take_along_axis(load_LE[layer_P], own_PE, axis=1)
            placed_PN, part_PN = arrange(load_PE, cluster.slots_G[inside_G], cluster.speed_G[inside_G])
            named_PN = np.take_along_axis(own_PE, np.maximum(placed_PN, 0), axis=1)
            expert_LN[np.ix_(layer_P, inside_N)] = np.where(placed_PN >= 0, named_PN, EMPTY)
            share_LN[np.ix_(layer_P, inside_N)] = part_PN
    return expert_LN, share_LN
