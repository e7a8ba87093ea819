"""Local search: replicate the hottest, then in turns the best shares for the replicas and the best exchanges for the shares.

One idea: shares and places are each easy with the other fixed (a linear program, an exchange), so they take turns until
neither helps. It needs no structure, so it serves where window-fill has no theorem: few spare slots, unequal devices.
"""

from __future__ import annotations

import numpy as np

from kleiber.experts.placement import replicate
from kleiber.experts.placement.best import Arranged, replace
from kleiber.experts.placement.placement import Floats, Ints, by_slot
from kleiber.experts.placement.policy import Policy
from kleiber.experts.placement.shares import best_shares
from kleiber.experts.placement.swap import swap_search

TURNS, ROUNDS = 3, 32


def arrange(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Arranged:
    """The best arrangement of all turns."""
    expert_LN, share_LN = replicate.arrange(load_LE, slots_G, speed_G)
    best = expert_LN, share_LN
    device_N = np.repeat(np.arange(len(slots_G)), slots_G)
    for turn in range(TURNS):
        if turn:
            served_LN = by_slot(load_LE, expert_LN) * share_LN
            order_LN = swap_search(served_LN, expert_LN, device_N, speed_G, rounds=ROUNDS)
            expert_LN = np.take_along_axis(expert_LN, order_LN, axis=1)
        share_LN = best_shares(expert_LN, load_LE, slots_G, speed_G)
        best = best[0].copy(), best[1].copy()
        replace(best, np.arange(len(load_LE)), (expert_LN, share_LN), load_LE, slots_G, speed_G)
    return best


LOCAL_SEARCH = Policy(
    name="local-search", title="shares by linear programming and exchanges, in turns", arrange=arrange
)
