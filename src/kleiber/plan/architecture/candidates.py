"""Candidates: the shapes of one option that could win, with the tokens, the loss and the objective of each under every draw.

The way the data takes: shapes with serving columns -> those that keep the limits -> those that no other beats in size and in
every use at once -> the objective, (K, M), a block of draws at a time.
The one idea: the loss falls with params and with tokens whatever the draw, so a shape with fewer params that also uses more of
everything per token can never win, for no draw; leaving it out is exact, and what remains is small enough to try in full.

Legend: M shapes, K rows (the point estimate, then draws), U uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.budgets import Budget, budgets, most_tokens, uses
from kleiber.plan.architecture.quality import Quality
from kleiber.plan.architecture.serving import STATE_BYTES, USABLE, serve
from kleiber.plan.architecture.shapes import Shapes

Array = NDArray[np.float64]
BLOCK = 2_000_000  # cells of (K, M) at a time
LEAST_RATIO, MOST_RATIO = 0.05, 1e6  # tokens per param that are looked at
OBJECTIVE_USE = {"money": "cost", "energy": "energy", "time": "days"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Demand:
    """Demand and price, row by row: `tokens_K`, `price_K`."""

    tokens_K: Array
    price_K: Array

    @property
    def certain(self) -> bool:
        """Whether all rows are alike."""
        return bool(np.ptp(self.tokens_K) == 0 and np.ptp(self.price_K) == 0)

    @property
    def least(self) -> tuple[Array, Array]:
        """The least demand and price of all rows, which leave the most tokens to train on."""
        return self.tokens_K.min()[None, None], self.price_K.min()[None, None]

    def at(self, rows: slice) -> tuple[Array, Array]:
        """Tokens and price as columns to compute with, one row where all are alike."""
        rows = slice(0, 1) if self.certain else rows
        return self.tokens_K[rows, None], self.price_K[rows, None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """What is left of an option: its shapes, what they use, and their quality."""

    shapes: Shapes
    used: dict[str, Budget]
    limits: list[Budget]
    quality: Quality
    demand: Demand
    brief: Brief

    def __len__(self) -> int:
        return len(self.shapes)

    @cached_property
    def enough(self) -> Array:
        """The tokens beyond which training a shape longer does harm."""
        return self.quality.enough(self.shapes["params"])

    def tokens(self, rows: slice) -> Array:
        """The tokens each is trained on, (K or 1, M): all that the limits leave and that help, or as many as the target needs."""
        served, price = self.demand.at(rows)
        most = most_tokens(self.limits, served, price)
        if self.brief.objective == "loss":
            return np.minimum(most, self.enough) if self.quality.rounding is not None else most
        target = self.brief.loss_target
        assert target is not None
        needed = self.quality.tokens_for(self.shapes["params"], target, rows)
        return np.where(needed <= most, needed, np.inf)

    def loss(self, rows: slice, tokens_KM: Array) -> Array:
        """The loss (K, M) at `tokens_KM` of `rows`."""
        with np.errstate(invalid="ignore", divide="ignore"):
            tokens_KM = np.where(tokens_KM > 0, tokens_KM, np.nan)
            whole = tokens_KM
            if len(tokens_KM) > 1:
                whole = np.ones((self.quality.rows, tokens_KM.shape[1]))
                whole[rows] = tokens_KM
            return np.nan_to_num(self.quality.loss(self.shapes["params"], whole, rows), nan=np.inf)

    def objective(self, rows: slice) -> Array:
        """What is to be least, (K, M); infinite where a limit forbids it."""
        tokens_KM = self.tokens(rows)
        if self.brief.objective == "loss":
            return self.loss(rows, tokens_KM)
        served, price = self.demand.at(rows)
        return self.used[OBJECTIVE_USE[self.brief.objective]].used(tokens_KM, served, price)

    def blocks(self) -> Iterator[slice]:
        """All rows, a block at a time."""
        size = max(1, BLOCK // max(1, len(self)))
        return (slice(begin, min(begin + size, self.quality.rows)) for begin in range(0, self.quality.rows, size))

    def take(self, kept: NDArray[np.intp] | NDArray[np.bool_]) -> Candidates:
        """Some of them."""
        shapes = self.shapes.take(kept)
        used = uses(shapes, self.brief)
        return Candidates(
            shapes=shapes,
            used=used,
            limits=budgets(used, self.brief),
            quality=self.quality,
            demand=self.demand,
            brief=self.brief,
        )


def candidates(shapes: Shapes, brief: Brief, quality: Quality, demand: Demand) -> Candidates:
    """The shapes of one option that keep the limits on serving and that no other shape beats in everything."""
    shapes = serve(shapes, brief)
    shapes = shapes.take(np.isfinite(shapes["decode_s"]))
    used = uses(shapes, brief)
    everything = Candidates(
        shapes=shapes, used=used, limits=budgets(used, brief), quality=quality, demand=demand, brief=brief
    )

    def ratio(served: Array, price: Array) -> Array:
        """The most tokens per param."""
        most = most_tokens(everything.limits, served, price)
        return np.broadcast_to(most, (1, len(shapes)))[0] / shapes["params"]

    # A shape that cannot keep the limits at the median may still be the best of a draw with less demand.
    possible = ratio(*demand.least) >= LEAST_RATIO
    if brief.objective == "loss":
        now = ratio(*demand.at(slice(0, 1)))
        # Where even the largest shape that can be served would see more, it is still the best there is.
        possible &= now <= max(MOST_RATIO, float(now[possible].min(initial=np.inf)))
    if brief.hardware is not None and brief.devices is not None:
        possible &= STATE_BYTES * shapes["total"] <= USABLE * brief.hardware.memory * brief.devices
    left = everything.take(np.flatnonzero(possible))
    return left.take(undominated(left))


def undominated(found: Candidates) -> NDArray[np.intp]:
    """The shapes for which no other has at least the params and uses no more, per token trained and per token served."""
    concerned = {limit.name for limit in found.limits} | {OBJECTIVE_USE.get(found.brief.objective)}
    columns = []
    for use in (use for name, use in found.used.items() if name in concerned):
        columns += [use.rate_M] if not found.demand.tokens_K.any() else [use.rate_M, use.served_M]
    cost_UM = _different(columns, len(found))
    order = np.lexsort((*cost_UM, -found.shapes["params"]))
    kept: list[int] = []
    front_UF = np.empty((len(cost_UM), 0))
    for index in order:
        cost_U1 = cost_UM[:, index, None]
        if front_UF.size and np.any(np.all(front_UF <= cost_U1, axis=0)):
            continue
        kept.append(index)
        front_UF = np.concatenate([front_UF[:, ~np.all(cost_U1 <= front_UF, axis=0)], cost_U1], axis=1)
    return np.array(kept, dtype=np.intp)


def _different(columns: list[Array], shapes: int) -> Array:
    """Uses (U, M) without those that differ from another by a factor only, such as FLOPs and device-hours, or are zero."""
    used = [column for column in columns if column.any()]
    if not used:
        return np.zeros((0, shapes))
    with np.errstate(divide="ignore"):
        logs = [np.log(column / column.max()) for column in used]
    first = np.unique(np.round(logs, 9), axis=0, return_index=True)[1]
    return np.array([used[place] for place in np.sort(first)])
