"""Swap search: exchange what is in two slots while that lowers the busiest device.

One idea: of all exchanges between a slot of the busiest device and any other slot, take the one after which the busier of the two is
least busy; all layers move together, each until nothing helps. An empty slot is a replica of no load, so a move is an
exchange too. Nothing is exchanged that would put two replicas of an expert on one device.

Shapes: L layers, N slots, G devices, S slots of one device.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kleiber.experts.placement.placement import Floats, Ints

WORTHWHILE = 1e-9  # of the longest time
MOST_CELLS = 4_000_000  # exchanges weighed at a time: bounds the memory


def swap_search(load_LN: Floats, expert_LN: Ints, device_N: Ints, speed_G: Floats, *, rounds: int) -> Ints:
    """What each slot should hold (slots of `load_LN`), after at most `rounds` exchanges per layer.

    `expert_LN` names what must not meet on a device; negative names may.

    >>> swap_search(np.array([[5.0, 4, 1, 2]]), np.array([[0, 1, 2, 3]]), np.array([0, 0, 1, 1]), np.ones(2), rounds=9)
    array([[2, 1, 0, 3]])
    """
    load_LN, expert_LN = load_LN.copy(), expert_LN.copy()
    from_LN = np.broadcast_to(np.arange(load_LN.shape[1]), load_LN.shape).copy()
    slot_GS = _slots_of(device_N, len(speed_G))
    active_L = np.arange(len(load_LN))
    for _ in range(rounds):
        block = max(1, MOST_CELLS // (load_LN.shape[1] * slot_GS.shape[1]))
        moved = [
            _exchange(load_LN, expert_LN, from_LN, part_L, device_N, speed_G, slot_GS)
            for part_L in np.split(active_L, range(block, len(active_L), block))
        ]
        active_L = np.concatenate(moved)
        if len(active_L) == 0:
            break
    return from_LN


def _exchange(
    load_LN: Floats,
    expert_LN: Ints,
    from_LN: Ints,
    active_L: Ints,
    device_N: Ints,
    speed_G: Floats,
    slot_GS: Ints,
) -> Ints:
    """The best exchange of each of the layers `active_L`, made; the layers in which there was one."""
    load_AN, expert_AN = load_LN[active_L], expert_LN[active_L]
    rows_A = np.arange(len(active_L))
    time_AG = _times(load_AN, device_N, speed_G)
    busiest_A = time_AG.argmax(axis=1)
    own_AS = slot_GS[busiest_A]
    real_AS, own_AS = own_AS >= 0, np.maximum(own_AS, 0)
    more_ASN = load_AN[rows_A[:, None], own_AS][:, :, None] - load_AN[:, None, :]
    here_ASN = time_AG[rows_A, busiest_A][:, None, None] - more_ASN / speed_G[busiest_A][:, None, None]
    there_ASN = time_AG[:, device_N][:, None, :] + more_ASN / np.where(speed_G > 0, speed_G, np.inf)[device_N]
    worse_ASN = np.maximum(here_ASN, there_ASN)
    barred_ASN = _meets(expert_AN, own_AS, device_N, busiest_A, len(speed_G)) | ~real_AS[:, :, None]
    worse_ASN = np.where(barred_ASN, np.inf, worse_ASN)
    best_A = worse_ASN.reshape(len(active_L), -1).argmin(axis=1)
    found_A = worse_ASN.reshape(len(active_L), -1)[rows_A, best_A]
    better_A = found_A < time_AG[rows_A, busiest_A] * (1 - WORTHWHILE)
    one_A, other_A = own_AS[rows_A, best_A // load_LN.shape[1]], best_A % load_LN.shape[1]
    layer_A, one_A, other_A = active_L[better_A], one_A[better_A], other_A[better_A]
    for array_LN in (load_LN, expert_LN, from_LN):
        array_LN[layer_A, one_A], array_LN[layer_A, other_A] = array_LN[layer_A, other_A], array_LN[layer_A, one_A]
    return layer_A


def _meets(expert_AN: Ints, own_AS: Ints, device_N: Ints, busiest_A: Ints, devices: int) -> NDArray[np.bool_]:
    """Whether an exchange would stay on the device, or bring an expert to where it already is."""
    rows_A = np.arange(len(expert_AN))
    own_expert_AS = expert_AN[rows_A[:, None], own_AS]
    there_ASG = np.zeros((*own_AS.shape, devices), dtype=bool)
    same_ASN = (own_expert_AS[:, :, None] == expert_AN[:, None, :]) & (own_expert_AS >= 0)[:, :, None]
    row, place, slot = np.nonzero(same_ASN)
    there_ASG[row, place, device_N[slot]] = True
    comes_AN = same_ASN.any(axis=1)
    stays_AN = device_N[None, :] == busiest_A[:, None]
    return there_ASG[:, :, device_N] | comes_AN[:, None, :] | stays_AN[:, None, :]


def _times(load_AN: Floats, device_N: Ints, speed_G: Floats) -> Floats:
    key_AN = np.arange(len(load_AN))[:, None] * len(speed_G) + device_N
    served = np.bincount(key_AN.ravel(), weights=load_AN.ravel(), minlength=len(load_AN) * len(speed_G))
    served_AG = served.reshape(len(load_AN), len(speed_G))
    return np.divide(served_AG, speed_G, out=np.zeros_like(served_AG), where=speed_G > 0)


def _slots_of(device_N: Ints, devices: int) -> Ints:
    """The slots of each device, padded with -1."""
    count_G = np.bincount(device_N, minlength=devices)
    slot_GS = np.full((devices, int(count_G.max())), -1)
    rank_N = np.arange(len(device_N)) - (np.cumsum(count_G) - count_G)[device_N]
    slot_GS[device_N, rank_N] = np.arange(len(device_N))
    return slot_GS
