"""LifePlan: the answer to a brief as a value, and its stable form as JSON.

One idea: the plan and its rivals are the same kind of thing, an `Offer`: a shape, how long to train it, what it costs and what
loss to expect; the plan is the offer with the least expected regret, and a rival says by how much it loses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kleiber.cost import Shape, params
from kleiber.plan.architecture.brief import OBJECTIVES, Brief
from kleiber.plan.architecture.training import Training
from kleiber.plan.result import Amount, Constraint, Interval, interval_key
from kleiber.plan.spoken import Spoken


@dataclass(frozen=True, kw_only=True, eq=False)
class Costs:
    """What an offer costs; None for what the brief gives no way to know.

    `training` and `serving`: by `flops`, `device_hours`, `usd`, `kwh`, and `days` of training; `replica`: `devices`, `batch`,
    `memory_gb` per device, `ttft_ms`, `tpot_ms`, `usd_per_million_tokens` written; `cache_bytes` of one sequence at full
    length; `layout` on the training devices, where there is a number of them.
    """

    training: Mapping[str, float]
    serving: Mapping[str, float]
    replica: Mapping[str, float]
    cache_bytes: float
    layout: Training | None = None

    def to_json(self) -> dict[str, Any]:
        """The costs as data."""
        return {
            "training": dict(self.training),
            "serving": dict(self.serving),
            "replica": dict(self.replica),
            "cache_bytes_per_sequence": self.cache_bytes,
            "parallelism": None if self.layout is None else self.layout.to_json(),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Offer:
    """A shape to train and serve. `objective` is what was asked to be least; `excess` how much more of it than the plan,
    `expected_regret` how much more than the best of every draw, on average; `probability_best`: of its family being the best, and
    `probability_ahead`: of this offer being better than the plan. `binding`: the limit that sets its tokens, or `rounding`."""

    family: str
    option: str
    precision: str
    shape: Shape
    params: Amount
    tokens: Amount
    loss: Amount
    objective: Amount
    excess: Amount
    costs: Costs
    binding: str
    probability_best: float
    probability_ahead: float
    expected_regret: float | None
    caveats: tuple[str, ...]

    def to_json(self, level: float = 0.95) -> dict[str, Any]:
        """One entry of `rivals`."""
        return {
            "family": self.family,
            "option": self.option,
            "precision": self.precision,
            "shape": shape_json(self.shape),
            "params": self.params.to_json(level),
            "tokens": self.tokens.to_json(level),
            "loss": self.loss.to_json(level),
            "objective": self.objective.to_json(level),
            "excess": self.excess.to_json(level),
            "costs": self.costs.to_json(),
            "binding": self.binding,
            "probability_best": self.probability_best,
            "probability_ahead": self.probability_ahead,
            "expected_regret": self.expected_regret,
        }


def shape_json(shape: Shape) -> dict[str, Any]:
    """The dimensions of a shape as data."""
    found = params(shape)
    return {
        "width": shape.width,
        "depth": shape.depth,
        "vocabulary": shape.vocabulary,
        "blocks": [
            {"times": block.times, **{type(part).__name__.lower(): vars(part) for part in block.parts}}
            for block in shape.blocks
        ],
        "params": found.total,
        "active_params": found.active,
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class LifePlan(Spoken):
    """What to build, train and serve: the `best` offer, its `rivals`, and what would change the answer.

    `snapping`: what it costs, in the objective, that only some sizes can be built; None where no certificate exists. `turns`:
    what the plan would be were one thing of the brief otherwise.
    """

    spoken_in: ClassVar[str] = "kleiber.plan.architecture.words"
    tabled: ClassVar[bool] = True

    brief: Brief
    best: Offer
    rivals: tuple[Offer, ...]
    near_optimal: Interval
    near: float
    constraints: tuple[Constraint, ...]
    snapping: float | None
    regret: Amount | None
    buys: Mapping[str, Amount]
    turns: tuple[str, ...]
    considered: int
    extrapolation_decades: float | None
    level: float
    loss_unit: str
    caveats: tuple[str, ...]
    provenance: Mapping[str, Any]
    outside: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The family of the plan."""
        return self.best.family

    @property
    def shape(self) -> Shape:
        """The shape to build."""
        return self.best.shape

    @property
    def params(self) -> Amount:
        """Params as the law counts them: active ones, for sparse experts."""
        return self.best.params

    @property
    def tokens(self) -> Amount:
        """Tokens to train on."""
        return self.best.tokens

    @property
    def loss(self) -> Amount:
        """The loss to expect."""
        return self.best.loss

    def to_json(self) -> dict[str, Any]:
        """The plan as `kleiber/plan/1`."""
        best, costs = self.best, self.best.costs
        ratio = best.tokens.value / best.params.value
        return {
            "schema": "kleiber/plan/1",
            "objective": {
                "name": self.brief.objective,
                "unit": OBJECTIVES[self.brief.objective],
                **best.objective.to_json(self.level),
            },
            "family": best.family,
            "option": best.option,
            "precision": best.precision,
            "shape": shape_json(best.shape),
            "params": best.params.to_json(self.level),
            "tokens": best.tokens.to_json(self.level),
            "loss": best.loss.to_json(self.level),
            "tokens_per_param": {"value": ratio, interval_key(self.level): None},
            "costs": costs.to_json(),
            "near_optimal": {"params": list(self.near_optimal), "tolerance": self.near},
            "constraints": [constraint.to_json() for constraint in self.constraints],
            "snapping": self.snapping,
            "probability_best": best.probability_best,
            "expected_regret": best.expected_regret,
            "regret": {
                "expected": best.expected_regret,
                interval_key(self.level): list(self.regret.interval) if self.regret and self.regret.interval else None,
            },
            "rivals": [rival.to_json(self.level) for rival in self.rivals],
            "next": {name: bought.to_json(self.level) for name, bought in self.buys.items()},
            "turns": list(self.turns),
            "rules": [],
            "considered": self.considered,
            "extrapolation_decades": self.extrapolation_decades,
            "outside": list(self.outside),
            "flops": {"training": costs.training["flops"], "serving": costs.serving["flops"]},
            "method": "certified" if self.snapping is not None else "enumerated",
            "level": self.level,
            "loss_unit": self.loss_unit,
            "brief": self.brief.to_json(),
            "caveats": list(self.caveats),
            "sentences": list(self.sentences()),
            "fit": dict(self.provenance),
        }
