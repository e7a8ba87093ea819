"""Why no shape keeps all limits: which ones conflict, and how far each alone would have to give way.

The way the data takes: every option of the brief -> its geometric program with all limits relaxed by one common factor -> the
option that needs the least -> the limits that are tight there, and the factor on each when the others stay.
The one idea: "infeasible" helps nobody; the dual variables of the program that relaxes the limits say whose fault it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kleiber.cost.families import options
from kleiber.errors import InputError
from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.quality import Quality
from kleiber.plan.architecture.relaxation import Serving, conflicts
from kleiber.plan.architecture.serving import DEVICES
from kleiber.plan.architecture.shapes import Shapes, counts, shapes_of
from kleiber.plan.program import Solution
from kleiber.quantity import show, show_flops

ROOM = 1.005  # above the factor, so that what is advised holds when rounded
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
    tried = _tried(wish, laws, seed)
    lowest = min(floor for _, floor, _ in tried)
    if wish.loss_target is not None and wish.objective != "loss" and wish.loss_target <= lowest:
        return InputError(
            "no model of any size reaches that loss by this law",
            found=f"a target of {wish.loss_target:g}",
            expected=f"above {lowest:.4g}, the law's floor",
        )
    answers = [(answer, floor) for known, floor, shapes in tried for answer in _conflicts(shapes, wish, known)]
    if not answers:
        return InputError("no shape keeps these limits together", remedy="relax a limit, or allow other families")
    best, _ = min(answers, key=lambda found: found[0].relax or np.inf)
    return InputError(
        "no shape keeps these limits together",
        found=", ".join(dict.fromkeys(_asked(name, wish) for name in best.conflicts)),
        remedy=_remedy(answers, best, wish),
    )


def _tried(wish: Brief, laws: Laws, seed: int) -> list[tuple[Quality, float, Shapes]]:
    """The quality, the floor of the loss and the shapes of every option."""
    sure = laws.without_draws()
    counted = counts(wish, laws.fit.runs.conventions.get("params", "unknown"))
    found = []
    for option in options(wish.families, vocabulary=wish.vocabulary):
        known = quality(option, sure, wish, np.random.default_rng(seed))
        with np.errstate(all="ignore"):
            # What rounding adds goes to nothing with size, but not at infinite tokens over infinite size.
            exact = replace(known, rounding=None)
            floor = float(exact.loss(np.array([np.inf]), np.array([np.inf]))[0, 0])
        found.append((known, floor, shapes_of(option, counted)))
    return found


def _conflicts(shapes: Shapes, wish: Brief, known: Quality) -> list[Solution]:
    """What the limits' program says of one option, for replicas that suit latency and replicas that suit cost."""
    serves = wish.hardware is not None and bool(wish.serve_tokens.median)
    devices = float(DEVICES[-1]) if wish.hardware is not None else 1.0
    found = [
        conflicts(shapes, wish, known, Serving(devices=devices, batch=batch))
        for batch in (BATCHES if serves else BATCHES[:1])
    ]
    return [answer for answer in found if answer and answer.conflicts and 1 < (answer.relax or 0) < np.inf]


def _asked(name: str, wish: Brief) -> str:
    option = OPTIONS.get(name, name)
    if option == "--loss-target":
        return f"{option} {wish.loss_target:g}"
    value = getattr(wish, FIELDS[option]) if option in FIELDS else None
    if value is None:  # the memory of the device itself
        return f"the memory of {wish.hardware.name if wish.hardware else 'one device'}"
    return f"{option} {_shown(option, value)}"


def _shown(option: str, value: float) -> str:
    return show_flops(value) if option == "--flops" else show(value)


def _remedy(answers: list[tuple[Solution, float]], best: Solution, wish: Brief) -> str:
    """Each limit alone where one is enough, with the least that would do for any option; else all of them together."""
    named = [OPTIONS.get(name, name) for name in best.conflicts]
    least: dict[str, tuple[float, float]] = {}
    for found, floor in answers:
        for name, factor in found.relax_each.items():
            option = OPTIONS.get(name, name)
            if option in named:
                least[option] = min(least.get(option, (np.inf, 0.0)), _needed(option, factor, wish, floor))
    if least:
        return f"relax one of them: {', or '.join(_relaxed(option, *found, wish) for option, found in least.items())}"
    target = ", the loss target by what it is above the floor" if "--loss-target" in named else ""
    return f"relax every limit by a factor of {best.relax:.3g}{target}"


def _needed(option: str, factor: float, wish: Brief, floor: float) -> tuple[float, float]:
    """(value, factor) of one limit that would do alone."""
    if option == "--loss-target":
        assert wish.loss_target is not None
        return floor + (wish.loss_target - floor) * factor * ROOM, factor
    value = getattr(wish, FIELDS[option]) if option in FIELDS else None
    return (factor if value is None else value * factor * ROOM), factor


def _relaxed(option: str, value: float, factor: float, wish: Brief) -> str:
    if option == "--loss-target":
        return f"{option} {value:.4g}"
    if option not in FIELDS or getattr(wish, FIELDS[option]) is None:
        return f"devices with {factor:.3g} times the memory"
    return f"{option} {_shown(option, value)} (x {factor:.3g})"
