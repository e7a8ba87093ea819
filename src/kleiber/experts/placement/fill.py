"""Window-fill: give every device exactly its part of the load, by splitting one expert between two devices at most once a device.

The way the data takes: loads and targets of B independent problems -> per device a window of consecutive experts in order of
load -> which expert is in which slot, with which share. Only the loop over devices is Python; the problems (layers, nodes) go
together.

**Theorem.** E experts with any loads, G equal devices of n slots each: if E <= G (n - 1) + 1, every device can be given
exactly the mean load t, no device holding an expert twice. (E = k G experts and n = k + 1 slots are a special case.)

*Proof*, by what the code does. Let m experts be left for G devices, j = floor(m / G), sorted by load a_1 <= ... <= a_m,
adding up to G t. The j smallest add up to at most j / m of the whole, G t j / m <= t. The j + 1 largest, if there are as
many, add up to at least G t (j + 1) / m > t. So among the windows of j + 1 consecutive experts, which grow from left to
right, there is a first one that holds at least t. Its first j experts hold at most t: they are the j smallest, or lie in the
window before, which holds less than t. The device takes these j whole and as much of the last one as is missing; the rest of
that one goes back. It uses j + 1 slots, and what it holds is distinct. Left are m - j experts, G - 1 devices and (G - 1) t.
With m = j G + r, 0 <= r < G, the next j' = floor((j (G - 1) + r) / (G - 1)) exceeds j only if r >= G - 1, by one, and then
the next r is 0 and stays so. From E <= (n - 1) G + 1: if j < n - 1, then j' + 1 <= n; if j = n - 1, then r <= 1, so j'
exceeds j only where one device is left, which takes its m - j = n experts whole. So n slots always suffice.

The splits are G - 1, hence E + G - 1 replicas; for loads of which no two subsets have sums in a ratio of whole numbers of
devices fewer replicas cannot do, because then devices and experts fall into parts that share no expert and each part would
have to balance alone. So the condition is also necessary for loads in general position.

Unequal devices: t becomes a target per device, devices are filled in the order of target per slot, and the window's width
follows the slots that are left. Then no theorem holds; `bounds.py` says how far from the best the result can be.

Shapes: B problems, M experts (padded with infinite loads), G devices, N slots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.experts.placement.placement import EMPTY, Floats, Ints

ROUNDING = 1e-13  # of a target: less than this of an expert is not worth a replica


@dataclass(kw_only=True)
class _Left:
    """What is left to place, in ascending order of load; the columns beyond `count_B` are padding of infinite load."""

    load_BM: Floats
    part_BM: Floats
    expert_BM: Ints
    count_B: Ints

    def sort(self) -> None:
        """Restore the order and drop columns that are padding everywhere."""
        order_BM = np.argsort(self.load_BM, axis=1, kind="stable")[:, : max(1, int(self.count_B.max()))]
        self.load_BM = np.take_along_axis(self.load_BM, order_BM, axis=1)
        self.part_BM = np.take_along_axis(self.part_BM, order_BM, axis=1)
        self.expert_BM = np.take_along_axis(self.expert_BM, order_BM, axis=1)


@dataclass(kw_only=True)
class _Window:
    """The experts that one device takes: `width_B` of them from `start_B` on, all but the last of them whole."""

    start_B: Ints
    width_B: Ints
    all_whole_B: NDArray[np.bool_]


def fill(load_BM: Floats, target_BG: Floats, slots_G: Ints) -> tuple[Ints, Floats]:
    """Experts and shares of every slot (B x N): window-fill.

    `load_BM` is infinite where a problem has fewer than M experts; `target_BG` is what each device should serve. Where targets
    add up to the loads and the theorem's condition holds, they are met to rounding.

    >>> expert_BN, share_BN = fill(np.array([[3.0, 3, 1, 1]]), np.array([[4.0, 4]]), np.array([3, 3]))
    >>> expert_BN, share_BN.round(3)
    (array([[ 2,  3,  0,  0,  1, -1]]), array([[1.   , 1.   , 0.667, 0.333, 1.   , 0.   ]]))
    """
    left = _Left(
        load_BM=load_BM,
        part_BM=np.ones_like(load_BM),
        expert_BM=np.broadcast_to(np.arange(load_BM.shape[1]), load_BM.shape),
        count_B=np.isfinite(load_BM).sum(axis=1),
    )
    left.sort()
    first_G = np.cumsum(slots_G) - slots_G
    expert_BN = np.full((len(target_BG), int(slots_G.sum())), EMPTY)
    share_BN = np.zeros(expert_BN.shape)
    order_G = np.argsort(-(target_BG.mean(axis=0) / np.maximum(slots_G, 1)), kind="stable")
    order_G = order_G[slots_G[order_G] > 0]
    for place, device in enumerate(order_G):
        window = _window(left, target_BG[:, device], int(slots_G[device]), slots_G[order_G[place + 1 :]])
        own = slice(first_G[device], first_G[device] + slots_G[device])
        _take(left, window, target_BG[:, device], expert_BN[:, own], share_BN[:, own])
    assert (left.count_B == 0).all()
    return expert_BN, share_BN


def _window(left: _Left, target_B: Floats, slots: int, later_G: Ints) -> _Window:
    """The first window that holds the target, of the width that leaves the later devices what they can hold."""
    sum_BM = np.pad(np.cumsum(np.where(np.isfinite(left.load_BM), left.load_BM, 0.0), axis=1), ((0, 0), (1, 0)))
    count_B = left.count_B
    width_B, all_whole_B = _width(sum_BM, count_B, target_B, slots, later_G)
    start_M = np.arange(sum_BM.shape[1])
    end_BM = np.minimum(start_M + width_B[:, None], count_B[:, None])
    held_BM = np.take_along_axis(sum_BM, end_BM, axis=1) - sum_BM
    enough_BM = (held_BM >= target_B[:, None] * (1 - ROUNDING)) & (end_BM - start_M == width_B[:, None])
    start_B = np.where(enough_BM.any(axis=1), enough_BM.argmax(axis=1), count_B - width_B)
    # Experts that must all be taken whole: the window before the first that holds the target overfills nothing.
    start_B = np.where(all_whole_B & enough_BM.any(axis=1), np.maximum(start_B - 1, 0), start_B)
    return _Window(start_B=start_B, width_B=width_B, all_whole_B=all_whole_B)


def _width(
    sum_BM: Floats, count_B: Ints, target_B: Floats, slots: int, later_G: Ints
) -> tuple[Ints, NDArray[np.bool_]]:
    """Experts that the device takes, and whether all of them must be whole lest some find no slot later."""
    most_B = np.minimum(slots, count_B)
    if len(later_G) == 0:
        return most_B, np.ones(len(count_B), dtype=bool)
    width_C = np.arange(1, slots + 1)
    ends_BC = np.minimum(width_C, count_B[:, None])
    least_BC = np.take_along_axis(sum_BM, ends_BC - (ends_BC > 0), axis=1)
    largest_BC = np.take_along_axis(sum_BM, count_B[:, None], axis=1)
    largest_BC = largest_BC - np.take_along_axis(sum_BM, count_B[:, None] - ends_BC, axis=1)
    narrowest_B = 1 + (largest_BC < target_B[:, None] * (1 - ROUNDING)).sum(axis=1)
    widest_B = (least_BC <= target_B[:, None]).sum(axis=1)
    spare = (slots - 1) + int((later_G - 1).sum())
    even_B = 1 + (count_B * (slots - 1)) // max(spare, 1)
    # Later devices hold at most one expert per slot, and split without loss if one slot each but one is to spare.
    whole_B = np.maximum(count_B - int(later_G.sum()), 0)
    exact_B = count_B - int(later_G.sum()) + len(later_G)
    width_B = np.minimum(np.maximum(np.maximum(even_B, narrowest_B), exact_B), np.maximum(widest_B, 1))
    width_B = np.clip(width_B, np.minimum(1, count_B), most_B)
    all_whole_B = width_B - 1 < whole_B
    return np.where(all_whole_B, np.maximum(width_B, whole_B), width_B), all_whole_B


def _take(left: _Left, window: _Window, target_B: Floats, expert_BS: Ints, share_BS: Floats) -> None:
    """Move the window's experts into the slots of one device, and what remains of the last one back."""
    place_S = np.arange(expert_BS.shape[1])
    inside_BS = place_S < window.width_B[:, None]
    at_BS = np.minimum(window.start_B[:, None] + place_S, left.load_BM.shape[1] - 1)
    load_BS = np.where(inside_BS, np.take_along_axis(left.load_BM, at_BS, axis=1), 0.0)
    part_BS = np.where(inside_BS, np.take_along_axis(left.part_BM, at_BS, axis=1), 0.0)
    last_BS = place_S == window.width_B[:, None] - 1
    missing_B = target_B - np.where(last_BS, 0.0, load_BS).sum(axis=1)
    last_B = np.where(last_BS, load_BS, 0.0).sum(axis=1)
    small_B = ROUNDING * target_B
    kept_B = np.where(window.all_whole_B | (missing_B >= last_B - small_B), last_B, np.maximum(missing_B, 0.0))
    none_B = ~window.all_whole_B & (kept_B <= small_B) & (last_B > small_B)
    kept_B = np.where(none_B, 0.0, kept_B)
    taken_B = np.divide(kept_B, last_B, out=np.ones_like(kept_B), where=last_B > 0)
    used_BS = inside_BS & ~(last_BS & none_B[:, None])
    given_BS = np.where(last_BS, part_BS * taken_B[:, None], part_BS)
    expert_BS[:] = np.where(used_BS, np.take_along_axis(left.expert_BM, at_BS, axis=1), EMPTY)
    share_BS[:] = np.where(used_BS, given_BS, 0.0)
    rest_BS = np.where(last_BS & (kept_B < last_B)[:, None], load_BS - kept_B[:, None], np.inf)
    rows_BS = np.broadcast_to(np.arange(len(at_BS))[:, None], at_BS.shape)
    left.load_BM[rows_BS[inside_BS], at_BS[inside_BS]] = rest_BS[inside_BS]
    left.part_BM[rows_BS[inside_BS], at_BS[inside_BS]] = (part_BS - given_BS)[inside_BS]
    left.count_B = left.count_B - np.where(kept_B < last_B, window.width_B - 1, window.width_B)
    left.sort()
