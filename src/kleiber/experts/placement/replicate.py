"""Replicate the hottest: every spare slot goes to the expert whose replicas are busiest; equal shares, then deal and exchange.

One idea: as long as there are slots, another replica of argmax(load / replicas). It is what equal shares allow, and it is the
rule of the expert-parallelism load balancer of DeepSeek (EPLB), here for all layers at once, never with two replicas of an
expert on a device, and followed by exchanges.

Source: deepseek-ai/EPLB, eplb.py (`replicate_experts`, `balanced_packing`).
"""

from __future__ import annotations

import numpy as np

from kleiber.experts.placement.deal import deal
from kleiber.experts.placement.placement import EMPTY, Floats, Ints, by_slot
from kleiber.experts.placement.policy import Policy
from kleiber.experts.placement.swap import swap_search

ROUNDS = 32


def arrange(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> tuple[Ints, Floats]:
    """Experts and equal shares of every slot."""
    expert_LR = replicas(load_LE, int(slots_G.sum()), most=int((speed_G > 0).sum()))
    count_LE = counted(expert_LR, load_LE.shape[1])
    served_LE = load_LE / count_LE
    piece_LN = deal(by_slot(served_LE, expert_LR), expert_LR, slots_G, speed_G)
    device_N = np.repeat(np.arange(len(slots_G)), slots_G)
    expert_LN = np.where(piece_LN >= 0, np.take_along_axis(expert_LR, np.maximum(piece_LN, 0), axis=1), EMPTY)
    better_LN = swap_search(by_slot(served_LE, expert_LN), expert_LN, device_N, speed_G, rounds=ROUNDS)
    expert_LN = np.take_along_axis(expert_LN, better_LN, axis=1)
    return expert_LN, equal_shares(expert_LN, load_LE.shape[1])


def replicas(load_LE: Floats, slots: int, *, most: int) -> Ints:
    """The expert of each replica (L x slots), -1 where every expert already has the `most` that it may.

    >>> replicas(np.array([[6.0, 1, 1]]), 5, most=4)
    array([[0, 1, 2, 0, 0]])
    """
    layers, experts = load_LE.shape
    rows_L = np.arange(layers)
    expert_LR = np.full((layers, slots), EMPTY)
    expert_LR[:, :experts] = np.arange(experts)
    count_LE, busy_LE = np.ones((layers, experts)), load_LE.copy()
    if most == 1:
        return expert_LR
    for place in range(experts, slots):
        hottest_L = busy_LE.argmax(axis=1)
        wanted_L = busy_LE[rows_L, hottest_L] >= 0
        expert_LR[wanted_L, place] = hottest_L[wanted_L]
        count_LE[rows_L, hottest_L] += 1
        more_L = count_LE[rows_L, hottest_L]
        busy_LE[rows_L, hottest_L] = np.where(more_L < most, load_LE[rows_L, hottest_L] / more_L, -1.0)
    return expert_LR


def counted(expert_LN: Ints, experts: int) -> Ints:
    """Replicas of each expert."""
    layers = len(expert_LN)
    key_LN = np.arange(layers)[:, None] * (experts + 1) + np.where(expert_LN >= 0, expert_LN, experts)
    return np.bincount(key_LN.ravel(), minlength=layers * (experts + 1)).reshape(layers, experts + 1)[:, :experts]


def equal_shares(expert_LN: Ints, experts: int) -> Floats:
    """One over the number of replicas, 0 in empty slots."""
    count_LE = np.maximum(counted(expert_LN, experts), 1)
    share_LN = 1.0 / np.take_along_axis(count_LE, np.maximum(expert_LN, 0), axis=1)
    return np.where(expert_LN >= 0, share_LN, 0.0)


REPLICATE = Policy(name="replicate", title="replicate the hottest expert, equal shares", arrange=arrange)
