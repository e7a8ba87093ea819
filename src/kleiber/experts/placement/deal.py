"""Deal: hand out pieces one by one, the heaviest first, each to whoever would be done with it first and has room.

One idea: the longest-processing-time rule (Graham 1969) serves three times: experts to devices, replicas to devices, groups of
experts to nodes. Pieces of one name never meet; a piece whose only room is beside its name is left out, which only a further
replica can be, since every slot that is taken beyond the first of each name is one to spare.

Shapes: L layers, R pieces, G bins (devices or nodes), N slots.
"""

from __future__ import annotations

import numpy as np

from kleiber.experts.placement.placement import EMPTY, Floats, Ints


def deal(load_LR: Floats, name_LR: Ints, slots_G: Ints, speed_G: Floats) -> Ints:
    """The piece in each slot (L x N), -1 where it stays empty. Pieces of one name must weigh the same.

    >>> deal(np.array([[3.0, 3, 2, 2, 2]]), np.arange(5)[None], np.array([3, 3]), np.ones(2))
    array([[ 0,  2,  4,  1,  3, -1]])
    """
    layers, pieces = load_LR.shape
    rows_L = np.arange(layers)
    order_LR = np.lexsort((name_LR, -load_LR), axis=1)
    load_LR = np.take_along_axis(load_LR, order_LR, axis=1)
    name_LR = np.take_along_axis(name_LR, order_LR, axis=1)
    again_LR = np.pad(name_LR[:, 1:] == name_LR[:, :-1], ((0, 0), (1, 0)))
    piece_LN = np.full((layers, int(slots_G.sum())), EMPTY)
    slower_G = np.divide(1.0, speed_G, out=np.zeros(len(speed_G)), where=speed_G > 0)
    equal = len(np.unique(speed_G[speed_G > 0])) == 1
    time_LG = np.where(slots_G > 0, 0.0, np.inf) * np.ones((layers, 1))
    next_LG = np.tile(np.cumsum(slots_G) - slots_G, (layers, 1))
    end_G = np.cumsum(slots_G)
    holds_LG = np.zeros(time_LG.shape)
    for place in range(pieces):
        load_L, again_L = load_LR[:, place], again_LR[:, place]
        done_LG = time_LG if equal else time_LG + load_L[:, None] * slower_G
        if again_L.any():
            holds_LG[~again_L] = 0.0
            bin_L = (done_LG + holds_LG).argmin(axis=1)
        else:
            holds_LG[:] = 0.0
            bin_L = done_LG.argmin(axis=1)
        fits_L = np.isfinite(done_LG[rows_L, bin_L] + np.where(again_L, holds_LG[rows_L, bin_L], 0.0))
        row, into = (rows_L, bin_L) if fits_L.all() else (rows_L[fits_L], bin_L[fits_L])
        slot = next_LG[row, into]
        piece_LN[row, slot] = order_LR[row, place]
        next_LG[row, into] = slot + 1
        time_LG[row, into] = np.where(slot + 1 < end_G[into], time_LG[row, into] + load_L[row] * slower_G[into], np.inf)
        holds_LG[row, into] = np.inf
    return piece_LN
