"""Static: experts in order, as many per device as its part of the slots, no replicas. What one has before doing anything."""

from __future__ import annotations

import numpy as np

from kleiber.experts.cluster import Cluster
from kleiber.experts.placement.best import Arranged
from kleiber.experts.placement.placement import EMPTY, Floats, Ints
from kleiber.experts.placement.policy import Policy, check_room


def arrange(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Arranged:
    """Consecutive experts on each device."""
    layers, experts = load_LE.shape
    return in_slots(_slots(experts, slots_G), layers, int(slots_G.sum()))


def in_order(experts: int, cluster: Cluster) -> Ints:
    """The device of each expert. Raises `InputError` where there are fewer slots than experts.

    >>> in_order(4, Cluster.of(1, 2, 3))
    array([0, 0, 1, 1])
    """
    check_room(experts, cluster)
    return cluster.device_N[_slots(experts, cluster.slots_G)]


def _slots(experts: int, slots_G: Ints) -> Ints:
    """The slot of each expert."""
    end_G = np.cumsum(slots_G)
    until_G = end_G * experts // end_G[-1]
    count_G = np.diff(until_G, prepend=0)
    return np.repeat(end_G - slots_G, count_G) + np.arange(experts) - np.repeat(until_G - count_G, count_G)


def in_slots(slot_E: Ints, layers: int, slots: int) -> Arranged:
    """Every expert whole in its slot, alike in all layers."""
    expert_LN = np.full((layers, slots), EMPTY)
    expert_LN[:, slot_E] = np.arange(len(slot_E))
    return expert_LN, np.where(expert_LN >= 0, 1.0, 0.0)


STATIC = Policy(name="static", title="experts in order, no replicas", arrange=arrange)
