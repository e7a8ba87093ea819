"""Greedy bin packing: experts by load, the heaviest first, each to the device that would be done first; no replicas."""

from __future__ import annotations

import numpy as np

from kleiber.experts.placement.best import Arranged
from kleiber.experts.placement.deal import deal
from kleiber.experts.placement.placement import Floats, Ints
from kleiber.experts.placement.policy import Policy


def arrange(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Arranged:
    """Whole experts, dealt."""
    expert_LN = deal(load_LE, np.broadcast_to(np.arange(load_LE.shape[1]), load_LE.shape), slots_G, speed_G)
    return expert_LN, np.where(expert_LN >= 0, 1.0, 0.0)


GREEDY = Policy(name="greedy", title="greedy bin packing, no replicas", arrange=arrange)
