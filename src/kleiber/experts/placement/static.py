"""Static: experts in order, as many per device as its part of the slots, no replicas. What one has before doing anything."""

from __future__ import annotations

import numpy as np

from kleiber.experts.placement.best import Arranged
from kleiber.experts.placement.placement import EMPTY, Floats, Ints
from kleiber.experts.placement.policy import Policy


def arrange(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Arranged:
    """Consecutive experts on each device."""
    layers, experts = load_LE.shape
    end_G = np.cumsum(slots_G)
    until_G = end_G * experts // end_G[-1]
    rank_E = np.arange(experts) - np.repeat(until_G - np.diff(until_G, prepend=0), np.diff(until_G, prepend=0))
    slot_E = np.repeat(end_G - slots_G, np.diff(until_G, prepend=0)) + rank_E
    return in_slots(slot_E, layers, int(end_G[-1]))


def in_slots(slot_E: Ints, layers: int, slots: int) -> Arranged:
    """Every expert whole in its slot, alike in all layers."""
    expert_LN = np.full((layers, slots), EMPTY)
    expert_LN[:, slot_E] = np.arange(len(slot_E))
    return expert_LN, np.where(expert_LN >= 0, 1.0, 0.0)


STATIC = Policy(name="static", title="experts in order, no replicas", arrange=arrange)
