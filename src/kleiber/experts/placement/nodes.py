"""Groups of experts kept in a node: put the groups into nodes, then ask the policy once per node.

One idea: a node's time cannot fall below its load over its speed, so the nodes are balanced first, as if each were one device
and each group one expert (exactly where groups are few); inside a node the policy does what it does on a cluster. How many
experts a node should take is tried between room that leaves enough spare slots to split exactly (slots - devices + 1) and all
slots, which lets a node that serves little take experts off one that serves much.

Shapes: L layers, E experts, Q groups, M nodes, G devices, N slots.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.placement.best import Arrange, Arranged, best_of
from kleiber.experts.placement.deal import deal
from kleiber.experts.placement.few import MOST_GROUPS, best_nodes
from kleiber.experts.placement.placement import EMPTY, Floats, Ints, by_slot
from kleiber.experts.placement.swap import swap_search

ROUNDS = 64
ROOMS = 4  # ways of counting a node's room that are tried


def by_node(arrange: Arrange, load_LE: Floats, cluster: Cluster, groups: int, bound_L: Floats) -> Arranged:
    """Experts and shares of every slot, each group within one node; raises `InputError` where groups find no room."""
    size = load_LE.shape[1] // groups
    slots_M = cluster.slots_G.reshape(cluster.nodes, -1).sum(axis=1)
    alive_M = (cluster.slots_G > 0).reshape(cluster.nodes, -1).sum(axis=1)
    if (slots_M // size).sum() < groups:
        raise InputError(
            "the groups do not fit into the nodes",
            found=f"{groups} groups of {size} experts, room for {int((slots_M // size).sum())}",
            remedy="smaller groups, or more slots per node",
        )
    rooms = [(slots_M - np.maximum(alive_M - 1, 0) * keep // (ROOMS - 1)) // size for keep in reversed(range(ROOMS))]
    rooms = list({tuple(room_M): room_M for room_M in rooms if room_M.sum() >= groups}.values())
    ways = [partial(_by_room, arrange=arrange, cluster=cluster, room_M=room_M, size=size) for room_M in rooms]
    return best_of(ways, load_LE, cluster.slots_G, cluster.speed_G, bound_L)


def _by_room(
    load_LE: Floats, slots_G: Ints, speed_G: Floats, *, arrange: Arrange, cluster: Cluster, room_M: Ints, size: int
) -> Arranged:
    """Groups into nodes of that room, then the policy in every node, for all layers that put equally many experts there."""
    load_LQ = load_LE.reshape(len(load_LE), -1, size).sum(axis=2)
    node_LE = np.repeat(_nodes(load_LQ, room_M, speed_G.reshape(cluster.nodes, -1).sum(axis=1)), size, axis=1)
    node_N = cluster.node_G[cluster.device_N]
    expert_LN = np.full((len(load_LE), len(node_N)), EMPTY)
    share_LN = np.zeros(expert_LN.shape)
    for node in range(cluster.nodes):
        inside_G, inside_N = cluster.node_G == node, np.flatnonzero(node_N == node)
        count_L = (node_LE == node).sum(axis=1)
        for count in np.unique(count_L[count_L > 0]):
            layer_P = np.flatnonzero(count_L == count)
            own_PE = np.nonzero(node_LE[layer_P] == node)[1].reshape(len(layer_P), count)
            load_PE = np.take_along_axis(load_LE[layer_P], own_PE, axis=1)
            placed_PN, part_PN = arrange(load_PE, slots_G[inside_G], speed_G[inside_G])
            named_PN = np.take_along_axis(own_PE, np.maximum(placed_PN, 0), axis=1)
            expert_LN[layer_P[:, None], inside_N] = np.where(placed_PN >= 0, named_PN, EMPTY)
            share_LN[layer_P[:, None], inside_N] = part_PN
    return expert_LN, share_LN


def _nodes(load_LQ: Floats, room_M: Ints, speed_M: Floats) -> Ints:
    """The node of each group."""
    if load_LQ.shape[1] <= MOST_GROUPS:
        return best_nodes(load_LQ, room_M, speed_M)[0]
    names_LQ = np.broadcast_to(np.arange(load_LQ.shape[1]), load_LQ.shape)
    group_LN = deal(load_LQ, names_LQ, room_M, speed_M)
    node_N = np.repeat(np.arange(len(room_M)), room_M)
    moved_LN = swap_search(by_slot(load_LQ, group_LN), group_LN, node_N, speed_M, rounds=ROUNDS)
    group_LN = np.take_along_axis(group_LN, moved_LN, axis=1)
    node_LQ = np.full(load_LQ.shape, EMPTY)
    layer, slot = np.nonzero(group_LN >= 0)
    node_LQ[layer, group_LN[layer, slot]] = node_N[slot]
    return node_LQ
