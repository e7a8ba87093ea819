"""Why no shape keeps all limits: which ones conflict, and how far each alone would have to give way.

The way the data takes: every option of the brief -> its geometric program with all limits relaxed by one common factor -> the
option that needs the least -> the limits that are tight there, and the factor on each when the others stay.
The one idea: "infeasible" helps nobody; the dual variables of the program that relaxes the limits say whose fault it is.
"""

from __future__ import annotations

import numpy as np

from kleiber.cost.families import options
from kleiber.errors import InputError
from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.relaxation import Serving, conflicts
from kleiber.plan.architecture.serving import DEVICES
from kleiber.plan.architecture.shapes import counts, shapes_of
from kleiber.plan.program import Solution
from kleiber.quantity import show

BATCHES = (1.0, 32.0, 1024.0)
OPTIONS = {
    "flops": "--flops", "cost": "--max-cost", "days": "--deadline-days", "gpu_hours": "--max-gpu-hours",
    "ttft": "--max-ttft-ms", "tpot, reading": "--max-tpot-ms", "tpot, computing": "--max-tpot-ms", "loss": "--loss-target",
    "memory": "--max-memory-gb", "training memory": "--devices",
}  # fmt: skip
FIELDS = {
    "--flops": "flops", "--max-cost": "max_cost", "--deadline-days": "deadline_days", "--max-gpu-hours": "max_gpu_hours",
    "--max-ttft-ms": "max_ttft_ms", "--max-tpot-ms": "max_tpot_ms", "--max-memory-gb": "max_memory_gb", "--devices": "devices",
}  # fmt: skip


def explain(wish: Brief, laws: Laws, seed: int) -> InputError:
    """The error that says which limits of `wish` cannot hold together and what would do."""
    floor = _floor(wish, laws)
    if floor is not None and wish.loss_target is not None and wish.loss_target <= floor:
        return InputError(
            "no model of any size reaches that loss by this law",
            found=f"a target of {wish.loss_target:g}",
            expected=f"above {floor:.4g}, the law's floor",
        )
    answers = _answers(wish, laws, seed)
    if not answers:
        return InputError("no shape keeps these limits together", remedy="relax a limit, or allow other families")
    best = min(answers, key=lambda found: found.relax or np.inf)
    return InputError(
        "no shape keeps these limits together",
        found=", ".join(dict.fromkeys(_asked(name, wish) for name in best.conflicts)),
        remedy=_remedy(best, wish),
    )


def _floor(wish: Brief, laws: Laws) -> float | None:
    if wish.objective == "loss":
        return None
    surface_of = quality(
        options(wish.families, vocabulary=wish.vocabulary)[0], laws.without_draws(), wish, np.random.default_rng(0)
    )
    return float(surface_of.loss(np.array([1e30]), np.array([1e30]))[0, 0])


def _answers(wish: Brief, laws: Laws, seed: int) -> list[Solution]:
    sure = laws.without_draws()
    counted = counts(wish, laws.fit.runs.conventions.get("params", "unknown"))
    found = []
    for option in options(wish.families, vocabulary=wish.vocabulary):
        shapes = shapes_of(option, counted)
        known = quality(option, sure, wish, np.random.default_rng(seed))
        batches = BATCHES if wish.hardware is not None and wish.serve_tokens.median else BATCHES[:1]
        devices = float(DEVICES[-1]) if wish.hardware is not None else 1.0
        for batch in batches:
            answer = conflicts(shapes, wish, known, Serving(devices=devices, batch=batch))
            if (
                answer is not None
                and answer.conflicts
                and answer.relax
                and np.isfinite(answer.relax)
                and answer.relax > 1
            ):
                found.append(answer)
    return found


def _asked(name: str, wish: Brief) -> str:
    option = OPTIONS.get(name, name)
    if option == "--loss-target":
        return f"{option} {wish.loss_target:g}"
    value = getattr(wish, FIELDS[option]) if option in FIELDS else None
    if value is None:  # the memory of the device itself
        return f"the memory of {wish.hardware.name if wish.hardware else 'one device'}"
    return f"{option} {show(value)}"


def _remedy(found: Solution, wish: Brief) -> str:
    """Each limit alone where one is enough; else all of them together."""
    worst: dict[str, float] = {}
    for name, factor in found.relax_each.items():
        option = OPTIONS.get(name, name)
        worst[option] = max(worst.get(option, 1.0), factor)
    alone = [_relaxed(option, factor, wish) for option, factor in worst.items()]
    if alone:
        return f"relax one of them: {', or '.join(alone)}"
    return f"relax all of them by a factor of {found.relax:.3g}"


def _relaxed(option: str, factor: float, wish: Brief) -> str:
    if option == "--loss-target":
        return f"{option} higher, by {factor:.3g} times what it is above the floor"
    value = getattr(wish, FIELDS[option]) if option in FIELDS else None
    if value is None:
        return f"devices with {factor:.3g} times the memory"
    return f"{option} {show(value * factor * 1.005)} (x {factor:.3g})"
