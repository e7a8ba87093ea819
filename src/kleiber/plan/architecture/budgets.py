"""Budgets: how many tokens each limit lets a shape be trained on, and what training and serving it uses.

The way the data takes: columns of shapes + brief -> one `Budget` per limit -> the tokens that the tightest allows. The one
idea: whatever is limited, its use is `rate` per training token plus `served` per token of demand, both known per shape; so a
limit is a straight line in tokens, the most tokens are its root, and the limit that binds is the one whose root comes first.

Legend: M shapes, K rows (the median of demand and price, then draws).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.shapes import Shapes
from kleiber.quantity import show

Array = NDArray[np.float64]
HOUR, DAY = 3600.0, 86400.0
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, kw_only=True, eq=False)
class Budget:
    """One use of something: scale (rate_M tokens + served_M demand) <= bound.

    `rate_M` per token trained, `served_M` per token of demand; `priced`: whether the price, which may be uncertain, scales it.
    """

    name: str
    rate_M: Array
    served_M: Array
    bound: float
    unit: str
    words: str
    priced: bool = False

    def used(self, tokens: Array | float, served_tokens: Array | float, price: Array | float = 1.0) -> Array:
        """What is used, in `unit`."""
        scale = price if self.priced else 1.0
        return scale * (self.rate_M * tokens + self.served_M * served_tokens)

    def most_tokens(self, served_tokens: Array | float, price: Array | float = 1.0) -> Array:
        """The tokens at which the bound is reached; negative where serving alone is beyond it."""
        scale = price if self.priced else 1.0
        return (self.bound / scale - self.served_M * served_tokens) / self.rate_M


def uses(shapes: Shapes, brief: Brief) -> dict[str, Budget]:
    """Everything that training and serving use up, each with an infinite bound, in its unit."""
    share = brief.output_share
    nothing = np.zeros(len(shapes))
    flops = Budget(
        name="flops",
        rate_M=shapes["train_flops"],
        served_M=(1 - share) * shapes["prefill_flops"] + share * shapes["decode_flops"],
        bound=np.inf,
        unit="FLOP",
        words="compute, training and serving" if brief.serve_tokens.median else "training compute",
    )
    found = {"flops": flops}
    device = brief.hardware
    if device is None:
        return found
    train_s = shapes["train_flops"] / (brief.training_peak * brief.mfu(shapes.option.family))
    serve_s = (1 - share) * shapes["prefill_s"] + share * shapes["decode_s"]

    def add(name: str, unit: str, words: str, factor: float, *, serving: bool = True, priced: bool = False) -> None:
        found[name] = Budget(
            name=name,
            rate_M=factor * train_s,
            served_M=factor * serve_s if serving else nothing,
            bound=np.inf,
            unit=unit,
            words=words,
            priced=priced,
        )

    add("gpu_hours", "device-hours", "device-hours of training", 1 / HOUR, serving=False)
    if device.power:
        add("energy", "kWh", "energy of the devices, training and serving", device.power / JOULES_PER_KWH)
    if brief.price is not None:
        add("cost", "USD", "money, training and serving", 1 / HOUR, priced=True)
    if brief.devices:
        add("days", "days", "days of training", 1 / (brief.devices * DAY), serving=False)
    return found


BOUNDS = {"flops": "flops", "gpu_hours": "max_gpu_hours", "cost": "max_cost", "days": "deadline_days"}


def budgets(used: dict[str, Budget], brief: Brief) -> list[Budget]:
    """The uses that the brief bounds."""
    found = []
    for name, asked in BOUNDS.items():
        bound = getattr(brief, asked)
        if bound is not None:
            found.append(_bounded(used[name], bound))
    return found


def _bounded(use: Budget, bound: float) -> Budget:
    words = f"{use.words}: {show(bound)} {use.unit}"
    return Budget(
        name=use.name,
        rate_M=use.rate_M,
        served_M=use.served_M,
        bound=bound,
        unit=use.unit,
        words=words,
        priced=use.priced,
    )


def most_tokens(limits: list[Budget], served_tokens: Array | float, price: Array | float) -> Array:
    """The tokens that the tightest of `limits` leaves each shape; infinite where there is none."""
    left = np.array(np.inf)
    for limit in limits:
        left = np.minimum(left, limit.most_tokens(served_tokens, price))
    return left
