"""Of several ways to arrange experts the best in each layer, each tried only where nothing so far has reached the bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kleiber.experts.placement.placement import Floats, Ints, balancedness, by_slot, served_by_device

Arranged = tuple[Ints, Floats]
"""The expert in each slot (L x N, -1 for none) and its share."""
Arrange = Callable[[Floats, Ints, Floats], Arranged]
"""From loads (L x E), slots and speeds of devices."""
NEAR = 1e-6  # of the bound: nothing further is tried for less


def best_of(ways: Sequence[Arrange], load_LE: Floats, slots_G: Ints, speed_G: Floats, bound_L: Floats) -> Arranged:
    """The first way everywhere, the others where they are better; the earlier where they are level."""
    first, *others = ways
    best = first(load_LE, slots_G, speed_G)
    for way in others:
        layer_P = np.flatnonzero(worth(best, load_LE, slots_G, speed_G) < bound_L * (1 - NEAR))
        if len(layer_P):
            load_PE = load_LE[layer_P]
            replace(best, layer_P, way(load_PE, slots_G, speed_G), load_PE, slots_G, speed_G)
    return best


def replace(best: Arranged, layer_P: Ints, tried: Arranged, load_PE: Floats, slots_G: Ints, speed_G: Floats) -> None:
    """Put what was tried for the layers `layer_P` in the place of what is there, where it is better."""
    known_P = worth((best[0][layer_P], best[1][layer_P]), load_PE, slots_G, speed_G)
    better_P = worth(tried, load_PE, slots_G, speed_G) > known_P
    best[0][layer_P[better_P]], best[1][layer_P[better_P]] = tried[0][better_P], tried[1][better_P]


def worth(found: Arranged, load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Floats:
    """Balancedness per layer."""
    expert_LN, share_LN = found
    device_N = np.repeat(np.arange(len(slots_G)), slots_G)
    return balancedness(served_by_device(by_slot(load_LE, expert_LN) * share_LN, device_N, len(slots_G)), speed_G)
