"""NextRuns: the runs to train next, what each takes off the expected regret, and when to stop; and its stable form as JSON.

One idea: every run stands with the regret before and after it and the compute so far, so the list can be cut anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kleiber.plan.spoken import Spoken

SCHEMA = "kleiber/next/1"


@dataclass(frozen=True, kw_only=True)
class NextRun:
    """One run: what to train, the expected regret `before` and `after` it, and the FLOPs `so_far`, its own included.

    `repeat` is 0 for the first run of its kind and counts up for the same run with another seed. `worth` is the fall in
    regret in FLOPs of the target, at the target's shadow price.
    """

    params: float
    tokens: float
    flops: float
    repeat: int
    before: float
    after: float
    so_far: float
    worth: float

    @property
    def tokens_per_param(self) -> float:
        """How long the run is for its size."""
        return self.tokens / self.params

    def to_json(self) -> dict[str, Any]:
        """One entry of `design`."""
        return {
            "params": self.params,
            "tokens": self.tokens,
            "flops": self.flops,
            "tokens_per_param": self.tokens_per_param,
            "repeat": self.repeat,
            "expected_regret": {"before": self.before, "after": self.after},
            "worth_flops": self.worth,
            "cumulative_flops": self.so_far,
        }


@dataclass(frozen=True, kw_only=True)
class NextRuns(Spoken):
    """What to train before deciding on `target` FLOPs, within `budget` FLOPs of experiments.

    `params` and `tokens` are the decision of least expected regret as things are, `before` that regret, `after` what is
    left of it after all `runs`. `price` is the loss that one FLOP more takes off at the target. `stop` says why there are
    no more runs: supported, cost, little, budget or count.
    """

    spoken_in: ClassVar[str] = "kleiber.plan.next.words"

    target: float
    serve_tokens: float
    budget: float
    params: float
    tokens: float
    before: float
    after: float
    price: float
    runs: tuple[NextRun, ...]
    stop: str
    noise: float
    on_log: bool
    considered: int
    loss_unit: str
    caveats: tuple[str, ...]
    provenance: Mapping[str, Any]

    @property
    def flops(self) -> float:
        """What all runs cost."""
        return sum(run.flops for run in self.runs)

    @property
    def worth(self) -> float:
        """What the fall in regret is worth in FLOPs of the target."""
        return (self.before - self.after) / self.price if self.price > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """The answer as `kleiber/next/1`."""
        return {
            "schema": SCHEMA,
            "target": {"flops": self.target, "serve_tokens": self.serve_tokens},
            "budget": self.budget,
            "decision": {"params": self.params, "tokens": self.tokens},
            "expected_regret": {"before": self.before, "after": self.after},
            "design": [run.to_json() for run in self.runs],
            "flops": self.flops,
            "worth_flops": self.worth,
            "regret_per_flop": self.price,
            "stop": self.stop,
            "noise": {"value": self.noise, "of": "log loss" if self.on_log else "loss"},
            "candidates": self.considered,
            "loss_unit": self.loss_unit,
            "caveats": list(self.caveats),
            "sentences": list(self.sentences()),
            "fit": dict(self.provenance),
        }
