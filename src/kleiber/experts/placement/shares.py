"""The best shares on a given placement: a linear program per layer, solved by HiGHS.

One idea: with the replicas fixed, only the load x_n that each serves is free, and the longest time is linear in it:

    minimise T  subject to  sum of x_n over the replicas of e = w_e,  sum of x_n on device g <= T speed_g,  x_n >= 0.

Experts with one replica are constants, so only replicated ones enter the program.

Shapes: L layers, E experts, N slots, G devices.
"""

from __future__ import annotations

import numpy as np

from kleiber.experts.placement.placement import Floats, Ints


def best_shares(expert_LN: Ints, load_LE: Floats, slots_G: Ints, speed_G: Floats) -> Floats:
    """The shares that make the longest time shortest.

    >>> best_shares(np.array([[0, 1, 0, 2]]), np.array([[3.0, 2, 1]]), np.array([2, 2]), np.ones(2)).round(3)
    array([[0.333, 1.   , 0.667, 1.   ]])
    """
    device_N = np.repeat(np.arange(len(slots_G)), slots_G)
    share_LN = np.zeros(expert_LN.shape)
    for layer, expert_N in enumerate(expert_LN):
        used = np.flatnonzero(expert_N >= 0)
        share_LN[layer, used] = _layer(expert_N[used], device_N[used], load_LE[layer], speed_G)
    return share_LN


def _layer(expert_N: Ints, device_N: Ints, load_E: Floats, speed_G: Floats) -> Floats:
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    count_E = np.bincount(expert_N, minlength=len(load_E))
    share_N = 1.0 / count_E[expert_N]
    free = np.flatnonzero((count_E[expert_N] > 1) & (load_E[expert_N] > 0))
    total = load_E.sum()
    if len(free) == 0:
        return share_N
    fixed_N = np.ones(len(expert_N), dtype=bool)
    fixed_N[free] = False
    # Loads in units of the mean per device, so that the solver's tolerances are relative.
    unit = total / (speed_G > 0).sum()
    held_G = np.bincount(device_N[fixed_N], (load_E[expert_N] * share_N)[fixed_N], minlength=len(speed_G)) / unit
    split_E, row_F = np.unique(expert_N[free], return_inverse=True)
    count = len(free)
    whole = coo_array((np.ones(count), (row_F, np.arange(count))), shape=(len(split_E), count + 1))
    busy = coo_array(
        (
            np.concatenate([np.ones(count), -speed_G]),
            (
                np.concatenate([device_N[free], np.arange(len(speed_G))]),
                np.r_[np.arange(count), np.full(len(speed_G), count)],
            ),
        ),
        shape=(len(speed_G), count + 1),
    )
    cost = np.zeros(count + 1)
    cost[-1] = 1.0
    found = linprog(
        cost, A_ub=busy.tocsr(), b_ub=-held_G, A_eq=whole.tocsr(), b_eq=load_E[split_E] / unit, method="highs"
    )
    assert found.status == 0, found.message
    served_F = np.maximum(found.x[:count], 0.0)
    share_N[free] = served_F / np.bincount(row_F, served_F)[row_F]
    return share_N
