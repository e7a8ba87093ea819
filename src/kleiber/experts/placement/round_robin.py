"""Round-robin: one expert to each device in turn, no replicas."""

from __future__ import annotations

import numpy as np

from kleiber.experts.placement.best import Arranged
from kleiber.experts.placement.placement import Floats, Ints
from kleiber.experts.placement.policy import Policy
from kleiber.experts.placement.static import in_slots


def arrange(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Arranged:
    """The first slot of every device, then the second of every one that has two, and so on."""
    turn_N = np.concatenate([np.arange(slots) for slots in slots_G])
    slot_E = np.argsort(turn_N, kind="stable")[: load_LE.shape[1]]
    return in_slots(slot_E, len(load_LE), len(turn_N))


ROUND_ROBIN = Policy(name="round-robin", title="one expert to each device in turn, no replicas", arrange=arrange)
