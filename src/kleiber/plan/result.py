"""Plan: the decision as a value, with its doubt; and its stable form as JSON.

One idea: every number is an `Amount`, a value with the interval that the draws give it (none where there are no draws).
How a plan looks in a terminal or a notebook is `words`' business, not this file's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.spoken import Spoken

Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A value and its interval, None where there are no draws to take one from.

    >>> Amount(value=2.0, interval=(1.5, 2.5)).to_json()
    {'value': 2.0, 'ci95': [1.5, 2.5]}
    """

    value: float
    interval: Interval | None = None

    def to_json(self, level: float = 0.95) -> dict[str, Any]:
        """`{"value", "ci95"}`; another level has its own key, so that no reader mistakes it."""
        return {"value": self.value, interval_key(level): list(self.interval) if self.interval else None}


def amount(value: float, draws_B: Array, level: float) -> Amount:
    """`value` with the central interval of its draws at `level`."""
    finite = draws_B[np.isfinite(draws_B)]
    if finite.size < 2:
        return Amount(value=float(value))
    return Amount(value=float(value), interval=_central(finite, level))


def _central(values_B: Array, level: float) -> Interval:
    """The central interval, as `np.quantile` interpolates it; many are taken for one plan, and that function does much else."""
    places = [tail * (values_B.size - 1) for tail in ((1 - level) / 2, (1 + level) / 2)]
    below = [int(place) for place in places]
    sorted_B = np.partition(values_B, sorted({*below, *(min(at + 1, values_B.size - 1) for at in below)}))
    ends = []
    for place, at in zip(places, below, strict=True):
        low, high, part = sorted_B[at], sorted_B[min(at + 1, values_B.size - 1)], place - at
        ends.append(float(low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)))
    return ends[0], ends[1]


def interval_key(level: float) -> str:
    """The JSON key of an interval.

    >>> interval_key(0.95), interval_key(0.9)
    ('ci95', 'ci90')
    """
    return f"ci{round(100 * level, 6):g}"


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A limit at the optimum: `shadow_price` is d ln(loss) / d ln(bound), zero or negative."""

    name: str
    binding: bool
    shadow_price: float
    nats_per_percent: float
    bound: float
    unit: str
    words: str

    def to_json(self) -> dict[str, Any]:
        """One entry of `constraints`."""
        return {
            "name": self.name,
            "binding": self.binding,
            "shadow_price": self.shadow_price,
            "nats_per_percent": self.nats_per_percent,
            "bound": self.bound,
            "unit": self.unit,
        }


@dataclass(frozen=True, kw_only=True)
class Regret:
    """What deciding now costs: the mean over draws of loss(decision) - loss(that draw's own optimum), in the loss unit.

    `least` is the choice of params with the least expected regret, `least_expected` what is left of it then.
    """

    expected: float
    interval: Interval
    least_params: float
    least_tokens: float
    least_expected: float

    def to_json(self, level: float = 0.95) -> dict[str, Any]:
        """The entry `regret`."""
        least = {"params": self.least_params, "tokens": self.least_tokens, "expected": self.least_expected}
        return {"expected": self.expected, interval_key(level): list(self.interval), "least_expected": least}


@dataclass(frozen=True, kw_only=True)
class RuleOutcome:
    """What a named rule would train under the same limits, its loss, and `excess`, that loss above the plan's."""

    name: str
    words: str
    params: float
    tokens: float
    loss: Amount
    excess: Amount

    def to_json(self, level: float = 0.95) -> dict[str, Any]:
        """One entry of `rules`."""
        return {
            "name": self.name,
            "params": self.params,
            "tokens": self.tokens,
            "loss": self.loss.to_json(level),
            "excess": self.excess.to_json(level),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan(Spoken):
    """What to train: params and tokens, the loss to expect, how sure that is, and what would change it.

    `near_optimal` are the params whose best loss is within `near` (relative) of the optimum; `buys` what 1 %, twice and
    ten times the compute would take off the loss; `cloud_B3` the optimum (params, tokens, loss) of every draw; `outside` names
    what of params, tokens and flops lies outside the runs' own range.
    """

    spoken_in: ClassVar[str] = "kleiber.plan.words"

    params: Amount
    tokens: Amount
    loss: Amount
    tokens_per_param: Amount
    flops: float
    serve_tokens: float
    near_optimal: Interval
    near: float
    constraints: tuple[Constraint, ...]
    regret: Regret | None
    buys: Mapping[str, Amount]
    rules: tuple[RuleOutcome, ...]
    extrapolation_decades: float | None
    method: str
    level: float
    loss_unit: str
    caveats: tuple[str, ...]
    provenance: Mapping[str, Any]
    cloud_B3: Array = field(repr=False)
    params_convention: str = "unknown"
    outside: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The plan as `kleiber/plan/1`."""
        params, tokens = self.params.value, self.tokens.value
        return {
            "schema": "kleiber/plan/1",
            "params": self.params.to_json(self.level),
            "tokens": self.tokens.to_json(self.level),
            "loss": self.loss.to_json(self.level),
            "tokens_per_param": self.tokens_per_param.to_json(self.level),
            "near_optimal": {"params": list(self.near_optimal), "tolerance": self.near},
            "constraints": [constraint.to_json() for constraint in self.constraints],
            "regret": self.regret.to_json(self.level) if self.regret else None,
            "next": {name: bought.to_json(self.level) for name, bought in self.buys.items()},
            "rules": [rule.to_json(self.level) for rule in self.rules],
            "extrapolation_decades": self.extrapolation_decades,
            "outside": list(self.outside),
            "flops": {"training": 6 * params * tokens, "serving": 2 * params * self.serve_tokens},
            **self._one_family(),
            "method": self.method,
            "level": self.level,
            "loss_unit": self.loss_unit,
            "caveats": list(self.caveats),
            "sentences": list(self.sentences()),
            "fit": dict(self.provenance),
        }

    def _one_family(self) -> dict[str, Any]:
        """What a plan among several families says too: here there is the law's own only, and FLOPs are all that is counted."""
        from kleiber.plan.architecture.nearest import nearest

        training, serving = 6 * self.params.value * self.tokens.value, 2 * self.params.value * self.serve_tokens
        return {
            "family": "dense",
            "shape": nearest(self.params.value, self.params_convention, per_byte=self.loss_unit.endswith("per byte")),
            "costs": {"training": {"flops": training}, "serving": {"flops": serving}},
            "rivals": [],
            "probability_best": 1.0,
            "expected_regret": self.regret.expected if self.regret else None,
        }
