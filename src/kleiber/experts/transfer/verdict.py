"""The verdict on a tweak: the step before and after, what holds, what laws say of the loss, and both joined per device-hour.

The way the data takes: job and trace -> `simulate` before; the tweak -> a new job, the loads carried over by position ->
`simulate` after. The one idea: two effects, kept apart and then joined. The loss effect is at equal tokens, the system effect
is tokens per device-hour; together they are the loss that the same device-hours buy, with tokens x (speed after / speed
before).

A trace of the new shape does not exist yet. Until it does, an expert e' of E' takes the load of the expert that stood at the
same place, e' E/E', and a placement that cannot be kept is replaced by side by side. Both are said among the assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import params
from kleiber.errors import InputError
from kleiber.experts.layers import sparse_layer
from kleiber.experts.placement import Placement
from kleiber.experts.routing import by_depth
from kleiber.experts.simulate import Job, Step, simulate
from kleiber.experts.transfer.holds import (
    HOURS,
    Holding,
    capacity_holds,
    memory_holds,
    overlap_holds,
    placement_holds,
)
from kleiber.experts.transfer.loss import LossEffect, loss_effects
from kleiber.experts.transfer.tweak import Tweak, tweaked

Floats = NDArray[np.float64]
TOKENS_PER_PARAM = 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfer:
    """What a tweak does to a plan.

    `after` is None where the job cannot run as it is laid out, with the reason in `broken`. `loss`: at equal tokens;
    `joined`: the same laws at equal device-hours.
    """

    tweak: Tweak
    tokens: float
    before: Step
    after: Step | None
    broken: str
    holds: tuple[Holding, ...]
    loss: tuple[LossEffect, ...]
    joined: tuple[LossEffect, ...]
    assumptions: tuple[str, ...]

    @property
    def speed(self) -> float | None:
        """Tokens per device and second, after over before."""
        if self.after is None:
            return None
        return self.after.tokens_per_second_per_device / self.before.tokens_per_second_per_device

    def device_hours(self, step: Step) -> float:
        """What the tokens take."""
        return self.tokens / step.tokens_per_second_per_device / HOURS

    def to_json(self) -> dict[str, Any]:
        """The verdict as `kleiber/transfer/1`."""
        after = self.after
        return {
            "schema": "kleiber/transfer/1",
            "model": self.before.job.shape.name,
            "tweak": dict(self.tweak.values),
            "tokens": self.tokens,
            "holds": [holding.to_json() for holding in self.holds],
            "loss": [effect.to_json() for effect in self.loss],
            "system": {
                "before": _step(self.before) | {"device_hours": self.device_hours(self.before)},
                "after": None if after is None else _step(after) | {"device_hours": self.device_hours(after)},
                "speed": self.speed,
                "broken": self.broken,
            },
            "joined": {
                "tokens_after": None if self.speed is None else self.tokens * self.speed,
                "device_hours": self.device_hours(self.before),
                "laws": [effect.to_json() for effect in self.joined],
            },
            "assumptions": list(self.assumptions),
        }


def transfer(
    job: Job,
    tweak: Tweak,
    *,
    loads: Floats | None = None,
    placement: Placement | None = None,
    tokens: float | None = None,
) -> Transfer:
    """What becomes of a plan when `tweak` is made; `tokens` of training (by default 20 for each active param).

    Raises `InputError` where the plan itself does not fit together, or the tweak cannot be made.
    """
    before = simulate(job, loads, placement)
    changed = tweaked(job, tweak)
    seen = TOKENS_PER_PARAM * params(job.shape).active if tokens is None else tokens
    assumptions = [] if tokens is not None else [f"{seen:.3g} tokens of training, 20 for each active param"]
    carried_loads, kept = carried(loads, placement, changed, before.job, assumptions)
    after, broken = _try(changed, carried_loads, kept)
    holds = [placement_holds(job, changed, tweak, placement, loads is not None), capacity_holds(job, changed)]
    if after is None:
        remedy = "another layout, width or batch for the new shape"
        holds.append(Holding(name="layout", verdict="redo", why=broken, remedy=remedy))
    else:
        holds += [overlap_holds(before, after), memory_holds(before, after)]
    differs, shapes = tweak.changes("loss"), (job.shape, changed.shape)
    loss = loss_effects(*shapes, seen, seen, job.context, differs) if differs else []
    joined = []
    if after is not None:
        speed = after.tokens_per_second_per_device / before.tokens_per_second_per_device
        joined = loss_effects(*shapes, seen, seen * speed, job.context, differs)
        if max(step.dropped_fraction for step in (before, after)) > 0:
            assumptions.append("no law counts the assignments that the capacity drops")
    holds.append(_law_holds(tweak, loss))
    return Transfer(
        tweak=tweak,
        tokens=seen,
        before=before,
        after=after,
        broken=broken,
        holds=tuple(holds),
        loss=tuple(loss),
        joined=tuple(joined),
        assumptions=tuple(assumptions),
    )


def carried(
    loads: Floats | None, placement: Placement | None, after: Job, before: Job, assumptions: list[str]
) -> tuple[Floats | None, Placement | None]:
    """The loads and the placement that the tweaked job is reckoned with; what is assumed for it is added to `assumptions`."""
    experts = sparse_layer(after.shape).count
    if loads is not None:
        if loads.shape[-1] != experts:
            assumptions.append("a new expert has the load of the one that stood at its place")
            loads = loads[..., by_depth(loads.shape[-1], experts)]
        else:
            assumptions.append("the loads are those of the trace, recorded before the tweak")
    same = (after.nodes, after.devices_per_node, experts) == (
        before.nodes,
        before.devices_per_node,
        sparse_layer(before.shape).count,
    )
    if placement is not None and not same:
        assumptions.append("experts stand side by side until they are placed anew")
        placement = None
    return loads, placement


def _try(job: Job, loads: Floats | None, placement: Placement | None) -> tuple[Step | None, str]:
    try:
        return simulate(job, loads, placement), ""
    except InputError as error:
        return None, str(error)


def _law_holds(tweak: Tweak, loss: list[LossEffect]) -> Holding:
    """Whether anything published covers the loss of both shapes."""
    if not tweak.changes("loss"):
        return Holding(name="law", verdict="holds", why="the model is the same: so is its loss")
    speaking = [effect.law for effect in loss if not effect.abstains]
    if speaking:
        return Holding(name="law", verdict="holds", why=f"both shapes are covered by {', '.join(speaking)}")
    why = "every published law abstains: " + "; ".join(f"{effect.law}, {effect.abstains}" for effect in loss)
    remedy = "a ladder of small runs of both shapes, fitted: kleiber fit, kleiber compare"
    return Holding(name="law", verdict="redo", why=why, remedy=remedy)


def _step(step: Step) -> dict[str, Any]:
    kept = ("step_seconds", "idle_fraction", "exposed_comm_seconds", "bubble_fraction", "memory_bytes")
    written = step.to_json()
    return {name: written[name] for name in (*kept, "tokens_per_second_per_device", "mfu")}
