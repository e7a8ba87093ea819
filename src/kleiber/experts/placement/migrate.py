"""Migrate: from today's placement to the best that may be reached by moving so many bytes.

One idea: layers are independent, so each has a short ladder of options (leave it and only split anew; a few exchanges; a
fresh plan laid onto today's devices so that as few replicas as possible move), each with what it moves and how long its
busiest device takes. The budget goes where it shortens the step most per replica moved. A re-plan after failures is the same:
what sat on lost devices is gone, and experts that sat nowhere else must move whatever the budget.

Laying a fresh plan onto today's devices is an assignment problem: like devices may trade places, and the one that keeps
most replicas where they are is found by `scipy.optimize.linear_sum_assignment`.

Shapes: L layers, E experts, G devices, N slots, O options.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.placement.best import Arranged
from kleiber.experts.placement.placement import EMPTY, Floats, Ints, Placement, by_slot
from kleiber.experts.placement.policy import Policy
from kleiber.experts.placement.shares import best_shares
from kleiber.experts.placement.swap import swap_search

EXCHANGES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A new placement and what it takes to get there.

    `received_LG`: replicas that each device must be sent; `longest_before_L` and `longest_L`: the busiest device's load over
    its speed, today (with shares as they are) and after.
    """

    placement: Placement
    received_LG: Ints
    longest_before_L: Floats
    longest_L: Floats

    @property
    def moved(self) -> int:
        """Replicas sent in all."""
        return int(self.received_LG.sum())

    @property
    def moved_bytes(self) -> float | None:
        """Bytes sent in all; None where the cluster does not say what an expert takes."""
        each = self.placement.cluster.expert_bytes
        return None if each is None else self.moved * each

    @property
    def saved(self) -> float:
        """What a step like those planned for gets shorter by, in assignments of a device of speed 1, over all layers."""
        return float((self.longest_before_L - self.longest_L).sum())

    def cost(self, move_tokens: float) -> float:
        """What the migration takes, in assignments of a device, where receiving a replica takes as long as `move_tokens` of them.

        Devices receive at the same time, so the one that receives most decides.
        """
        return move_tokens * float(self.received_LG.sum(axis=0).max(initial=0))

    def break_even(self, move_tokens: float, *, steps: int = 1) -> float:
        """Steps after which the migration has paid, infinite where it saves nothing; the loads are those of `steps` steps."""
        return self.cost(move_tokens) / (self.saved / steps) if self.saved > 0 else float("inf" if self.moved else 0)


def migrate(
    current: Placement,
    loads: ArrayLike,
    policy: Policy,
    *,
    cluster: Cluster | None = None,
    groups: int | None = None,
    budget_bytes: float | None = None,
) -> Migration:
    """The best placement for `loads` within `budget_bytes` of `current`; None: no limit.

    `cluster`: what is left of it, where devices have been lost since; `groups` as in `Policy.place`. Raises `InputError`
    where a budget is given and the cluster does not say what an expert takes, or where experts no longer fit.
    """
    cluster = current.cluster if cluster is None else cluster
    fresh = policy.place(loads, cluster, groups=groups)
    if fresh.load_LE.shape != current.load_LE.shape:
        raise InputError(
            "the loads are not those of the placement", found=fresh.load_LE.shape, expected=current.load_LE.shape
        )
    if budget_bytes is not None and cluster.expert_bytes is None:
        raise InputError("a budget in bytes needs expert_gb in the cluster", found=budget_bytes)
    most = np.inf if budget_bytes is None else np.floor(budget_bytes / cluster.expert_bytes)  # type: ignore[operator]
    today_LN = carried(current, fresh)
    options = _options(today_LN, current, fresh, exchanges=groups is None and most < np.inf)
    moved_OL = np.array([_received(current, expert_LN, cluster).sum(axis=1) for expert_LN, _ in options])
    time_OL = np.array([_with(fresh, option).longest_L() for option in options])
    choice_L = _chosen(time_OL, moved_OL, most)
    expert_LN = np.stack([options[choice][0][layer] for layer, choice in enumerate(choice_L)])
    share_LN = np.stack([options[choice][1][layer] for layer, choice in enumerate(choice_L)])
    lost = bool(set(cluster.lost) - set(current.cluster.lost))
    return Migration(
        placement=_with(fresh, (expert_LN, share_LN)),
        received_LG=_received(current, expert_LN, cluster),
        longest_before_L=time_OL[0] if lost else current.longest_L(fresh.load_LE),
        longest_L=np.take_along_axis(time_OL, choice_L[None], axis=0)[0],
    )


def carried(current: Placement, fresh: Placement) -> Ints:
    """Today's replicas in the slots of the fresh plan's cluster; experts left without any take the least useful slots."""
    expert_LN = np.full(fresh.expert_LN.shape, EMPTY)
    before_N, after_N = current.cluster.device_N, fresh.cluster.device_N
    for device in np.unique(after_N):
        own, old = np.flatnonzero(after_N == device), np.flatnonzero(before_N == device)
        shared = min(len(own), len(old))
        expert_LN[:, own[:shared]] = current.expert_LN[:, old[:shared]]
    for layer in range(len(expert_LN)):
        count_E = np.bincount(expert_LN[layer][expert_LN[layer] >= 0], minlength=fresh.experts)
        for expert in np.flatnonzero(count_E == 0):
            value_N = by_slot((fresh.load_LE[layer] / np.maximum(count_E, 1))[None], expert_LN[layer][None])[0]
            free_N = (expert_LN[layer] == EMPTY) | (count_E[np.maximum(expert_LN[layer], 0)] > 1)
            slot = int(np.where(free_N, value_N, np.inf).argmin())
            if expert_LN[layer, slot] >= 0:
                count_E[expert_LN[layer, slot]] -= 1
            expert_LN[layer, slot] = expert
            count_E[expert] = 1
    return expert_LN


def _options(today_LN: Ints, current: Placement, fresh: Placement, *, exchanges: bool) -> list[Arranged]:
    """Leave and split anew; a few exchanges; the fresh plan on like devices."""
    slots_G, speed_G, load_LE = fresh.cluster.slots_G, fresh.cluster.speed_G, fresh.load_LE
    share_LN = best_shares(today_LN, load_LE, slots_G, speed_G)
    options = [(today_LN, share_LN)]
    for rounds in EXCHANGES if exchanges else ():
        served_LN = by_slot(load_LE, today_LN) * share_LN
        order_LN = swap_search(served_LN, today_LN, fresh.cluster.device_N, speed_G, rounds=rounds)
        moved_LN = np.take_along_axis(today_LN, order_LN, axis=1)
        options.append((moved_LN, best_shares(moved_LN, load_LE, slots_G, speed_G)))
    return [*options, _laid(current, fresh)]


def _laid(current: Placement, fresh: Placement) -> Arranged:
    """The fresh plan with like devices of a node exchanged so that it keeps the most replicas where they are."""
    from scipy.optimize import linear_sum_assignment

    cluster = fresh.cluster
    before_LGE, after_LGE = (hosts(found.expert_LN, found.cluster, fresh.experts) for found in (current, fresh))
    kind_G = np.unique(
        np.stack([cluster.node_G, cluster.slots_G, cluster.speed_G], axis=1), axis=0, return_inverse=True
    )[1].ravel()
    like_GG = kind_G[:, None] == kind_G
    first_G = np.cumsum(cluster.slots_G) - cluster.slots_G
    expert_LN, share_LN = fresh.expert_LN.copy(), fresh.share_LN.copy()
    for layer in range(fresh.layers):
        kept_GG = after_LGE[layer].astype(float) @ before_LGE[layer].T.astype(float)
        _, target_G = linear_sum_assignment(np.where(like_GG, kept_GG, -1e6), maximize=True)
        for device in np.flatnonzero((target_G != np.arange(len(target_G))) & (cluster.slots_G > 0)):
            own = first_G[device] + np.arange(cluster.slots_G[device])
            onto = first_G[target_G[device]] + np.arange(cluster.slots_G[device])
            expert_LN[layer, onto], share_LN[layer, onto] = fresh.expert_LN[layer, own], fresh.share_LN[layer, own]
    return expert_LN, share_LN


def _chosen(time_OL: Floats, moved_OL: Ints, most: float) -> Ints:
    """The option of each layer: as long as the budget allows, the change that shortens the step most per replica moved."""
    choice_L, rows_L = np.zeros(time_OL.shape[1], dtype=np.int64), np.arange(time_OL.shape[1])
    while True:
        shorter_OL = time_OL[choice_L, rows_L] - time_OL
        more_OL = moved_OL - moved_OL[choice_L, rows_L]
        fits_OL = (shorter_OL > 1e-9 * time_OL.max()) & (more_OL <= most - moved_OL[choice_L, rows_L].sum())
        if not fits_OL.any():
            return choice_L
        worth_OL = np.where(fits_OL, shorter_OL / np.maximum(more_OL, 0.5), -np.inf)
        option, layer = np.unravel_index(worth_OL.argmax(), worth_OL.shape)
        choice_L[layer] = option


def hosts(expert_LN: Ints, cluster: Cluster, experts: int) -> np.ndarray:
    """Whether each device holds each expert (L x G x E)."""
    found_LGE = np.zeros((len(expert_LN), cluster.devices, experts), dtype=bool)
    layer, slot = np.nonzero(expert_LN >= 0)
    found_LGE[layer, cluster.device_N[slot], expert_LN[layer, slot]] = True
    return found_LGE


def _received(current: Placement, expert_LN: Ints, cluster: Cluster) -> Ints:
    """Replicas that each device holds and did not hold before."""
    before_LGE = hosts(current.expert_LN, current.cluster, current.experts)
    return (hosts(expert_LN, cluster, current.experts) & ~before_LGE).sum(axis=2)


def _with(fresh: Placement, option: Arranged) -> Placement:
    return replace(fresh, expert_LN=option[0], share_LN=option[1])
