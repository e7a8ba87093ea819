"""`kleiber plan FIT --flops 5.76e23`: what to train with a budget, with its doubt and what would change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import failure, screen
from kleiber.cli.command import Command
from kleiber.cli.forecast import At, Level, Quantity
from kleiber.cli.life import Life
from kleiber.cli.options import FitOrRuns, Fitting, Output, Reading, amount, budget, fit_of, numbers
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.fit import Fit

SCHEMA = "kleiber/plan/1"
Flops = Annotated[
    str | None,
    typer.Option(metavar="QUANTITY", help="The budget of compute: 5.76e23, or 1000x the largest run's."),
]
Near = Annotated[float, typer.Option(min=0.0, max=1.0, help="Relative loss that counts as near-optimal.")]


def plan(
    fit: FitOrRuns,
    reading: Reading,
    fitting: Fitting,
    life: Life,
    output: Output,
    flops: Flops = None,
    serve_tokens: Quantity = None,
    max_params: Quantity = None,
    max_tokens: Quantity = None,
    at: At = None,
    near: Near = 1e-3,
    level: Level = 0.95,
) -> int:
    """Plan a training run: params, tokens and loss for a budget, what costs next to nothing, and what more would buy.

    With --serve-tokens the budget covers the FLOPs of serving them as well (2 params each). With a family, a context, hardware,
    money, memory or latency the plan is one for the model's whole life: a shape to build, and its rivals.
    """
    limits = {"max_params": max_params, "max_tokens": max_tokens}
    given: dict[str, Any] = {name: amount(text, _option(name)) for name, text in limits.items() if text is not None}
    asked = life.asked()
    if serve_tokens is not None:
        given["serve_tokens"] = serve_tokens if asked else amount(serve_tokens, "--serve-tokens")
    inputs = numbers(at, "--at")
    found = fit_of(fit, reading, fitting)
    if life.also:
        asked["also"] = [refitted(found, law) for law in life.also]
    compute = None if flops is None else budget(flops, "--flops", found)
    if found.outcome.refused:
        return failure.refuse_fit(found, schema=SCHEMA if output.as_json else None)
    from kleiber.plan import plan as decide

    with screen.working("planning"):
        decision = decide(found, flops=compute, at=inputs, near=near, level=level, **given, **asked)
    if output.as_json:
        from kleiber.cli.provenance import of_fit, stamped

        screen.emit_json(stamped(decision.to_json(), of_fit(found)))
        return 0
    first, *rest = decision.sentences()
    screen.say((first, "bold"))
    heads, rows = decision.table_shown()
    if rows:
        screen.table(heads, rows)
    for line in rest:
        screen.hang(" ", line, at=2)
    return 0


def refitted(found: Fit, law: str) -> Fit:
    """Another law fitted to the runs of a fit, as that was fitted."""
    from kleiber.fit import fit

    if found.table is None:
        raise InputError("a fit file does not carry its runs", where="--also", remedy="hand in the run table instead")
    with screen.working(f"fitting {law}"):
        return fit(found.table, law=law, objective=found.objective, bootstrap=len(found.draws_BP), seed=found.seed)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


COMMAND = Command(name="plan", title="What to train with a budget.", run=plan, schema=SCHEMA)
