"""A few groups on nodes, exactly: of all ways to put up to ten groups into nodes that which makes the busiest node least busy.

One idea: dynamic programming over subsets. The best time for the groups in a set on the first m nodes is the least, over what
the m-th node takes of it, of the larger of that node's time and the best time for the rest on the m - 1 nodes before.

Shapes: L layers, Q groups, M nodes, B = 2^Q subsets.
"""

from __future__ import annotations

import numpy as np

from kleiber.experts.placement.placement import Floats, Ints

MOST_GROUPS = 10


def best_nodes(load_LQ: Floats, room_M: Ints, speed_M: Floats) -> tuple[Ints, Floats]:
    """The node of each group and the time of the busiest node; `room_M` groups fit into each node.

    >>> best_nodes(np.array([[5.0, 4, 3, 3, 3]]), np.array([3, 3]), np.ones(2))
    (array([[1, 1, 0, 0, 0]]), array([9.]))
    """
    layers, groups = load_LQ.shape
    subset_B = np.arange(1 << groups)
    member_BQ = (subset_B[:, None] >> np.arange(groups)) & 1
    load_LB, size_B = load_LQ @ member_BQ.T, member_BQ.sum(axis=1)
    time_LB = np.where(subset_B == 0, 0.0, np.inf) * np.ones((layers, 1))
    time_LB[:, 0] = 0.0
    taken_MLB = np.zeros((len(room_M), layers, len(subset_B)), dtype=np.int64)
    for node, (room, speed) in enumerate(zip(room_M, speed_M, strict=True)):
        before_LB, time_LB = time_LB, time_LB.copy()
        for taken in subset_B[(size_B > 0) & (size_B <= room)] if speed > 0 else ():
            whole_B = subset_B[(subset_B & taken) == taken]
            tried_LB = np.maximum(before_LB[:, whole_B ^ taken], load_LB[:, taken, None] / speed)
            better_LB = tried_LB < time_LB[:, whole_B]
            time_LB[:, whole_B] = np.where(better_LB, tried_LB, time_LB[:, whole_B])
            taken_MLB[node][:, whole_B] = np.where(better_LB, taken, taken_MLB[node][:, whole_B])
    return _traced(taken_MLB, groups), time_LB[:, -1]


def _traced(taken_MLB: Ints, groups: int) -> Ints:
    """The node of each group, from what each node took."""
    nodes, layers, subsets = taken_MLB.shape
    left_L, rows_L = np.full(layers, subsets - 1), np.arange(layers)
    node_LQ = np.zeros((layers, groups), dtype=np.int64)
    for node in reversed(range(nodes)):
        taken_L = taken_MLB[node, rows_L, left_L]
        node_LQ[((taken_L[:, None] >> np.arange(groups)) & 1) == 1] = node
        left_L = left_L ^ taken_L
    return node_LQ
