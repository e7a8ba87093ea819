"""Choice: the set of runs whose fall in expected regret is worth most beyond what they cost.

The one idea: one quantity is made least, the expected regret after the runs plus their cost in the same unit: a FLOP spent
on experiments is a FLOP that the target does not get, which is worth the target's shadow price, -d loss / d FLOP. Runs are
added by regret taken off per FLOP (and, as other beginnings, by less of that), then exchanged one or two at a time while
that lowers the total, then dropped where they do not pay; it ends where no further run pays, and says so.

Legend: C candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.next.candidates import ROOM
from kleiber.plan.next.knowledge import Knowledge

Array = NDArray[np.float64]
Reason = Literal["supported", "cost", "little", "budget", "count"]
LEAST_FALL = 0.03  # a run that takes off a smaller share of the regret is not worth the trouble
MOST_OF_A_KIND = 2  # seeds of one run: what the law misses at one place, all its seeds miss alike
POWERS = (1.0, 0.5, 0.0)  # runs are first added by regret taken off per FLOP**power, and the best end is kept
ROUNDS, EXCHANGES = 6, 60
SURE = 1e-12  # variance of ln(params): the draws agree to rounding
BETTER = 1e-6  # relative: a smaller gain is rounding


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Indices of candidates, in the order in which they should be trained, and why there are no more of them."""

    order: tuple[int, ...]
    stop: Reason


@dataclass(frozen=True, kw_only=True, eq=False)
class Purse:
    """What may be spent: `budget` FLOPs on at most `most` runs, each FLOP being worth `price` (loss per FLOP)."""

    knowledge: Knowledge
    flops_C: Array
    budget: float
    most: int
    price: float

    def regret(self, chosen: list[int]) -> float:
        """The expected regret after `chosen`, to second order."""
        return self._regret(self.knowledge.moments.given(chosen).spread)

    def with_each(self, chosen: list[int]) -> Array:
        """The same after one more run, for every candidate."""
        return self.knowledge.regret * self.knowledge.moments.given(chosen).with_each() / self._whole

    def with_pairs(self, chosen: list[int]) -> Array:
        """The same after two more runs, for every pair: (C, C)."""
        return self.knowledge.regret * self.knowledge.moments.given(chosen).with_pairs() / self._whole

    def total(self, chosen: list[int]) -> float:
        """Expected regret plus cost, in units of loss."""
        return self.regret(chosen) + self.price * self.spent(chosen)

    def totals(self, chosen: list[int]) -> Array:
        """The total after one more run, for every candidate; infinite for those out of reach."""
        total_C = self.with_each(chosen) + self.price * (self.spent(chosen) + self.flops_C)
        return np.where(self.open(chosen), total_C, np.inf)

    def totals_of_pairs(self, chosen: list[int]) -> Array:
        """The total after two more runs, for every pair: (C, C)."""
        spent_CC = self.spent(chosen) + self.flops_C[:, None] + self.flops_C
        return np.where(self.open_pairs(chosen), self.with_pairs(chosen) + self.price * spent_CC, np.inf)

    def spent(self, chosen: list[int]) -> float:
        """The FLOPs of `chosen`."""
        return float(self.flops_C[chosen].sum())

    def within(self, chosen: list[int]) -> NDArray[np.bool_]:
        """The candidates that the rest of the budget can pay."""
        return self.flops_C <= self.budget * (1 + ROOM) - self.spent(chosen)

    def open(self, chosen: list[int]) -> NDArray[np.bool_]:
        """Those that are not among `chosen` often enough."""
        often_C = np.bincount(np.array(chosen, dtype=int), minlength=self.flops_C.size) >= MOST_OF_A_KIND
        return self.within(chosen) & ~often_C

    def open_pairs(self, chosen: list[int]) -> NDArray[np.bool_]:
        """The pairs that are open both, and together within the rest of the budget: (C, C)."""
        open_C = self.open(chosen)
        within_CC = self.flops_C[:, None] + self.flops_C <= self.budget * (1 + ROOM) - self.spent(chosen)
        twice_C = np.bincount(np.array(chosen, dtype=int), minlength=open_C.size) <= MOST_OF_A_KIND - 2
        return within_CC & open_C[:, None] & open_C & (np.diag(twice_C) | ~np.eye(open_C.size, dtype=bool))

    @property
    def _whole(self) -> float:
        return max(self.knowledge.moments.spread, np.finfo(float).tiny)

    def _regret(self, spread: float) -> float:
        return self.knowledge.regret * spread / self._whole


def choose(purse: Purse) -> Chosen:
    """The runs to train, and why no more."""
    if purse.knowledge.moments.spread < SURE:
        return Chosen(order=(), stop="supported")
    best = min((_improved(purse, [], power, 1) for power in POWERS), key=purse.total)
    chosen = _improved(purse, best, POWERS[0], 2)
    return Chosen(order=_ordered(purse, chosen), stop=_reason(purse, chosen))


def _improved(purse: Purse, chosen: list[int], power: float, together: int) -> list[int]:
    """Grown, exchanged (up to so many runs together) and pruned until nothing is gained."""
    for _ in range(ROUNDS):
        found = _pruned(purse, _exchanged(purse, _grown(purse, chosen, power), together))
        if not purse.total(found) < purse.total(chosen) * (1 - BETTER):
            break
        chosen = found
    return chosen


def _useful(purse: Purse, chosen: list[int]) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """The fall in regret by each candidate; whether it pays for its cost; whether it is more than a trifle."""
    regret = purse.regret(chosen)
    fall_C = regret - purse.with_each(chosen)
    return fall_C, fall_C > purse.price * purse.flops_C, fall_C > LEAST_FALL * regret


def _grown(purse: Purse, chosen: list[int], power: float) -> list[int]:
    """More runs, by regret taken off per FLOP**power, while they pay."""
    chosen = list(chosen)
    while len(chosen) < purse.most:
        fall_C, pays_C, counts_C = _useful(purse, chosen)
        open_C = pays_C & counts_C & purse.open(chosen)
        if not open_C.any():
            pair = _pair(purse, chosen, power)
            if pair is None:
                break
            chosen += pair
            continue
        chosen.append(int(np.where(open_C, fall_C / purse.flops_C**power, -np.inf).argmax()))
    return chosen


def _pair(purse: Purse, chosen: list[int], power: float) -> list[int] | None:
    """Two more runs that pay together where neither pays alone: their difference may tell what one reading cannot."""
    if len(chosen) + 2 > purse.most:
        return None
    regret, flops_CC = purse.regret(chosen), purse.flops_C[:, None] + purse.flops_C
    fall_CC = regret - purse.with_pairs(chosen)
    pays_CC = (fall_CC > purse.price * flops_CC) & (fall_CC > 2 * LEAST_FALL * regret)
    open_CC = pays_CC & purse.open_pairs(chosen)
    if not open_CC.any():
        return None
    return _place(np.where(open_CC, fall_CC / flops_CC**power, -np.inf))


def _exchanged(purse: Purse, chosen: list[int], together: int) -> list[int]:
    """One run for another, or two for two, as long as that lowers the total."""
    for _ in range(EXCHANGES):
        found = _best_exchange(purse, chosen, 1)
        if found is None and together > 1:
            found = _best_exchange(purse, chosen, 2)
        if found is None:
            break
        chosen = found
    return chosen


def _best_exchange(purse: Purse, chosen: list[int], count: int) -> list[int] | None:
    """The set with the least total that differs in `count` runs (1 or 2), or None where that is no better."""
    best, found = purse.total(chosen) * (1 - BETTER), None
    for places in combinations(range(len(chosen)), count):
        rest = [index for place, index in enumerate(chosen) if place not in places]
        total = purse.totals(rest) if count == 1 else purse.totals_of_pairs(rest)
        if total.min(initial=np.inf) < best:
            best, found = float(total.min()), [*rest, *_place(-total)]
    return found


def _place(score: Array) -> list[int]:
    """Where a table has its greatest value."""
    return [int(index) for index in np.unravel_index(score.argmax(), score.shape)]


def _pruned(purse: Purse, chosen: list[int]) -> list[int]:
    """Without the runs that do not pay, or that hardly matter to the rest."""
    chosen = list(chosen)
    while chosen:
        rests = [chosen[:place] + chosen[place + 1 :] for place in range(len(chosen))]
        lost = [purse.regret(rest) for rest in rests]
        idle = [
            place
            for place, rest in enumerate(rests)
            if lost[place] * (1 - LEAST_FALL) < purse.regret(chosen) or purse.total(rest) < purse.total(chosen)
        ]
        if not idle:
            break
        chosen = rests[min(idle, key=lambda place: lost[place])]
    return chosen


def _ordered(purse: Purse, chosen: list[int]) -> tuple[int, ...]:
    """By regret taken off per FLOP, given the runs before."""
    order: list[int] = []
    left = list(chosen)
    while left:
        fall_C = purse.regret(order) - purse.with_each(order)
        order.append(max(left, key=lambda index: (fall_C[index] / purse.flops_C[index], -index)))
        left.remove(order[-1])
    return tuple(order)


def _reason(purse: Purse, chosen: list[int]) -> Reason:
    _, pays_C, counts_C = _useful(purse, chosen)
    wanted_C = pays_C & counts_C
    if not pays_C.any():
        return "cost" if chosen else "supported"
    if not wanted_C.any():
        return "little"
    if not (wanted_C & purse.within(chosen)).any():
        return "budget"
    return "count" if len(chosen) >= purse.most else "little"
