"""Swap search: exchange what is in two slots while that lowers the busiest device.

One idea: of the exchanges between a slot of the busiest device and a slot of the least busy ones, take that after which the
busier of the two is least busy; where there is none, of all exchanges. All layers move together, each until nothing helps. An
empty slot is a replica of no load, so a move is an exchange too. Nothing is exchanged that would put two replicas of an
expert on one device.

Shapes: L layers (A of them active), N slots, G devices, S slots of the busiest device, P slots of its partners.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.experts.placement.placement import Floats, Ints, served_by_device

WORTHWHILE = 1e-9  # of the longest time
PARTNERS = 3
MOST_EXCHANGES = 4_000_000  # weighed at a time: bounds the memory


@dataclass(frozen=True, kw_only=True)
class _Devices:
    """The devices and their slots; `slot_GS` is padded with -1."""

    device_N: Ints
    speed_G: Floats
    slot_GS: Ints


@dataclass(frozen=True, kw_only=True)
class _Slots:
    """What the slots hold, changed in place."""

    load_LN: Floats
    expert_LN: Ints
    from_LN: Ints


def swap_search(load_LN: Floats, expert_LN: Ints, device_N: Ints, speed_G: Floats, *, rounds: int) -> Ints:
    """What each slot should hold (slots of `load_LN`), after at most `rounds` exchanges per layer.

    `expert_LN` names what must not meet on a device; negative names may.

    >>> swap_search(np.array([[5.0, 4, 1, 2]]), np.array([[0, 1, 2, 3]]), np.array([0, 0, 1, 1]), np.ones(2), rounds=9)
    array([[3, 1, 2, 0]])
    """
    devices = _Devices(device_N=device_N, speed_G=speed_G, slot_GS=_slots_of(device_N, len(speed_G)))
    from_LN = np.tile(np.arange(load_LN.shape[1]), (len(load_LN), 1))
    slots = _Slots(load_LN=load_LN.copy(), expert_LN=expert_LN.copy(), from_LN=from_LN)
    few = min(PARTNERS, len(speed_G) - 1)
    active_L = np.arange(len(load_LN)) if few else np.arange(0)
    for _ in range(rounds):
        if len(active_L) == 0:
            break
        moved_L = _round(slots, devices, active_L, few)
        if few < len(speed_G) - 1:
            stuck_L = np.setdiff1d(active_L, moved_L, assume_unique=True)
            moved_L = np.concatenate([moved_L, _round(slots, devices, stuck_L, len(speed_G) - 1)])
        active_L = np.sort(moved_L)
    return from_LN


def _round(slots: _Slots, devices: _Devices, active_L: Ints, partners: int) -> Ints:
    """One exchange in each of the layers `active_L`, a block of layers at a time; the layers in which there was one."""
    block = max(1, MOST_EXCHANGES // (partners * devices.slot_GS.shape[1] ** 2))
    parts = [active_L[start : start + block] for start in range(0, len(active_L), block)]
    return np.concatenate([_exchange(slots, devices, part_L, partners) for part_L in parts] or [active_L])


def _exchange(slots: _Slots, devices: _Devices, active_L: Ints, partners: int) -> Ints:
    rows_A = np.arange(len(active_L))
    load_AN, expert_AN = slots.load_LN[active_L], slots.expert_LN[active_L]
    served_AG = served_by_device(load_AN, devices.device_N, len(devices.speed_G))
    slower_G = np.divide(1.0, devices.speed_G, out=np.zeros(len(devices.speed_G)), where=devices.speed_G > 0)
    time_AG = served_AG * slower_G
    busiest_A = time_AG.argmax(axis=1)
    partner_AJ = _least_busy(time_AG, busiest_A, devices.speed_G, partners)
    own_AS, other_AP = devices.slot_GS[busiest_A], devices.slot_GS[partner_AJ].reshape(len(active_L), -1)
    device_AP = devices.device_N[other_AP]
    more_ASP = load_AN[rows_A[:, None], own_AS][:, :, None] - load_AN[rows_A[:, None], other_AP][:, None, :]
    longest_A = time_AG[rows_A, busiest_A]
    here_ASP = longest_A[:, None, None] - more_ASP * slower_G[busiest_A][:, None, None]
    more_ASP *= slower_G[device_AP][:, None, :]
    more_ASP += time_AG[rows_A[:, None], device_AP][:, None, :]
    np.maximum(here_ASP, more_ASP, out=here_ASP)
    here_ASP[_barred(expert_AN, own_AS, other_AP)] = np.inf
    flat_AX = here_ASP.reshape(len(active_L), -1)
    best_A = flat_AX.argmin(axis=1)
    better_A = flat_AX[rows_A, best_A] < longest_A * (1 - WORTHWHILE)
    layer_A, rows_A, best_A = active_L[better_A], rows_A[better_A], best_A[better_A]
    one_A, other_A = own_AS[rows_A, best_A // other_AP.shape[1]], other_AP[rows_A, best_A % other_AP.shape[1]]
    for array_LN in (slots.load_LN, slots.expert_LN, slots.from_LN):
        array_LN[layer_A, one_A], array_LN[layer_A, other_A] = array_LN[layer_A, other_A], array_LN[layer_A, one_A]
    return layer_A


def _least_busy(time_AG: Floats, busiest_A: Ints, speed_G: Floats, partners: int) -> Ints:
    """The least busy devices, the busiest never among them."""
    ranked_AG = np.where(speed_G > 0, time_AG, np.inf)
    ranked_AG[np.arange(len(busiest_A)), busiest_A] = np.inf
    if partners < time_AG.shape[1] - 1:
        return np.argpartition(ranked_AG, partners - 1, axis=1)[:, :partners]
    return np.argsort(ranked_AG, axis=1, kind="stable")[:, :partners]


def _barred(expert_AN: Ints, own_AS: Ints, other_AP: Ints) -> NDArray[np.bool_]:
    """Exchanges that involve padding, or would bring an expert to where it already is."""
    rows_A = np.arange(len(expert_AN))[:, None]
    own_expert_AS, other_expert_AP = expert_AN[rows_A, own_AS], expert_AN[rows_A, other_AP]
    width = own_AS.shape[1]
    same_ASP = (own_expert_AS[:, :, None] == other_expert_AP[:, None, :]) & (own_expert_AS >= 0)[:, :, None]
    barred_ASP = (own_AS < 0)[:, :, None] | (other_AP < 0)[:, None, :] | same_ASP.any(axis=1)[:, None, :]
    met_ASJ = same_ASP.reshape(*same_ASP.shape[:2], -1, width).any(axis=3)
    return barred_ASP | np.repeat(met_ASJ, width, axis=2)


def _slots_of(device_N: Ints, devices: int) -> Ints:
    """The slots of each device, padded with -1."""
    count_G = np.bincount(device_N, minlength=devices)
    slot_GS = np.full((devices, int(count_G.max())), -1)
    rank_N = np.arange(len(device_N)) - (np.cumsum(count_G) - count_G)[device_N]
    slot_GS[device_N, rank_N] = np.arange(len(device_N))
    return slot_GS
