"""Window-fill as a policy: weighted shares, exactly balanced wherever there is one slot per device but one to spare.

One idea: pack, then fill. Where G devices have R = slots - experts spare slots and R >= G - 1, `fill` balances all of them
together. Where R is less, the devices form G - R cells, each of which has exactly as many spare slots as `fill` needs inside
it; experts are dealt to cells as to devices, so what is lost is only how unevenly whole experts fall into cells. R = 0 is
plain bin packing. Equal cells suit an even load, one cell as large as possible suits one hot expert; and a third way is to
replicate the hottest with the shares that suit it best. Each is tried on the layers that are not yet at their bound.

Unequal devices: the level to which all are filled is raised from the bound until everything fits below it.

Shapes: L layers, E experts, G devices, N slots, C cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from kleiber.experts.placement import replicate
from kleiber.experts.placement.best import NEAR, Arrange, Arranged, best_of, replace, worth
from kleiber.experts.placement.bounds import longest_at_least
from kleiber.experts.placement.deal import deal
from kleiber.experts.placement.fill import fill
from kleiber.experts.placement.placement import EMPTY, Floats, Ints, by_slot
from kleiber.experts.placement.policy import Policy
from kleiber.experts.placement.shares import best_shares
from kleiber.experts.placement.swap import swap_search

ROUNDS = 64
HALVINGS = 12


def arrange(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Arranged:
    """Experts and shares of every slot: of the ways at hand the best in each layer."""
    alive = np.flatnonzero(slots_G > 0)
    count = max(1, len(alive) - (int(slots_G.sum()) - load_LE.shape[1]))
    ways: list[Arrange] = [partial(_in_cells, cells=np.array_split(alive, count))]
    if 1 < count < len(alive):
        ways.append(partial(_in_cells, cells=np.split(alive, range(len(alive) - count + 1, len(alive)))))
    ways.append(_replicated)
    mean_L = load_LE.sum(axis=1) / speed_G.sum()
    bound_L = mean_L / np.maximum(longest_at_least(load_LE, slots_G, speed_G), np.finfo(float).tiny)
    expert_LN, share_LN = best_of(ways, load_LE, slots_G, speed_G, bound_L)
    return _stand_by(expert_LN, load_LE, slots_G), share_LN


def _replicated(load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Arranged:
    expert_LN, _ = replicate.arrange(load_LE, slots_G, speed_G)
    return expert_LN, best_shares(expert_LN, load_LE, slots_G, speed_G)


def _in_cells(load_LE: Floats, slots_G: Ints, speed_G: Floats, *, cells: Sequence[Ints]) -> Arranged:
    """Deal the experts to cells of devices, then fill each cell."""
    cell_LE = _cell_of(load_LE, slots_G, speed_G, cells)
    device_N = np.repeat(np.arange(len(slots_G)), slots_G)
    expert_LN, share_LN = np.full((len(load_LE), len(device_N)), EMPTY), np.zeros((len(load_LE), len(device_N)))
    for cell, device_C in enumerate(cells):
        load_BM = np.where(cell_LE == cell, load_LE, np.inf)
        inside_N = np.isin(device_N, device_C)
        expert_LN[:, inside_N], share_LN[:, inside_N] = _level(load_BM, slots_G[device_C], speed_G[device_C])
    return expert_LN, share_LN


def _cell_of(load_LE: Floats, slots_G: Ints, speed_G: Floats, cells: Sequence[Ints]) -> Ints:
    """The cell of each expert."""
    if len(cells) == 1:
        return np.zeros(load_LE.shape, dtype=np.int64)
    room_C = np.array([slots_G[device_C].sum() - len(device_C) + 1 for device_C in cells])
    speed_C = np.array([speed_G[device_C].sum() for device_C in cells])
    cell_N = np.repeat(np.arange(len(cells)), room_C)
    expert_LN = deal(load_LE, np.broadcast_to(np.arange(load_LE.shape[1]), load_LE.shape), room_C, speed_C)
    order_LN = swap_search(by_slot(load_LE, expert_LN), expert_LN, cell_N, speed_C, rounds=ROUNDS)
    expert_LN = np.take_along_axis(expert_LN, order_LN, axis=1)
    cell_LE = np.zeros(load_LE.shape, dtype=np.int64)
    layer, slot = np.nonzero(expert_LN >= 0)
    cell_LE[layer, expert_LN[layer, slot]] = cell_N[slot]
    return cell_LE


def _level(load_BM: Floats, slots_G: Ints, speed_G: Floats) -> Arranged:
    """Fill to the lowest level under which everything fits: the mean, or else by halving between it and what was reached."""
    known_BM = np.where(np.isfinite(load_BM), load_BM, 0.0)
    low_B = known_BM.sum(axis=1) / speed_G.sum()
    best = fill(load_BM.copy(), low_B[:, None] * speed_G, slots_G)
    high_B = low_B / worth(best, known_BM, slots_G, speed_G)
    for _ in range(HALVINGS):
        row_P = np.flatnonzero(high_B > low_B * (1 + NEAR))
        if len(row_P) == 0:
            break
        level_P = (low_B[row_P] + high_B[row_P]) / 2
        tried = fill(load_BM[row_P], level_P[:, None] * speed_G, slots_G)
        part_PM = known_BM[row_P]
        reached_P = part_PM.sum(axis=1) / speed_G.sum() / worth(tried, part_PM, slots_G, speed_G)
        replace(best, row_P, tried, part_PM, slots_G, speed_G)
        high_B[row_P] = np.minimum(high_B[row_P], reached_P)
        low_B[row_P] = np.where(reached_P > level_P * (1 + NEAR), level_P, low_B[row_P])
    return best


def _stand_by(expert_LN: Ints, load_LE: Floats, slots_G: Ints) -> Ints:
    """Empty slots hold a further replica, with no share as long as the loads stay: the busiest expert not yet on the device."""
    device_N = np.repeat(np.arange(len(slots_G)), slots_G)
    count_LE = replicate.counted(expert_LN, load_LE.shape[1])
    for slot in np.flatnonzero((expert_LN == EMPTY).any(axis=0)):
        layer_P = np.flatnonzero(expert_LN[:, slot] == EMPTY)
        busy_PE = load_LE[layer_P] / count_LE[layer_P]
        row, there = np.nonzero((device_N == device_N[slot]) & (expert_LN[layer_P] >= 0))
        busy_PE[row, expert_LN[layer_P[row], there]] = -1.0
        hottest_P = busy_PE.argmax(axis=1)
        free_P = busy_PE.max(axis=1) >= 0
        expert_LN[layer_P[free_P], slot] = hottest_P[free_P]
        count_LE[layer_P[free_P], hottest_P[free_P]] += 1
    return expert_LN


WINDOW_FILL = Policy(
    name="window-fill",
    title="split one expert per device at most, weighted shares, exact where it can be",
    arrange=arrange,
)
