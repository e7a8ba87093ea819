"""`kleiber frontier FIT --axes loss,serving_cost`: every design that no other beats in two or three things at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import failure, screen
from kleiber.cli.command import Command
from kleiber.cli.forecast import At, Level, Quantity
from kleiber.cli.life import Life
from kleiber.cli.options import FitOrRuns, Fitting, Output, Reading, budget, destination, fit_of, numbers
from kleiber.cli.plan import refitted

if TYPE_CHECKING:
    from kleiber.plan.architecture.frontier import Frontier

SCHEMA = "kleiber/frontier/1"
Over = Annotated[
    str,
    typer.Option(
        "--axes",
        metavar="NAMES",
        help="Two or three of loss, training_flops, training_cost, training_days, serving_cost, tpot_ms, ttft_ms, memory_gb, "
        "params, context.",
    ),
]
Out = Annotated[
    str | None, typer.Option("--out", "-o", metavar="FILE", help="Draw it: .svg, .png, .pdf, .html or .json.")
]
Flops = Annotated[
    str | None,
    typer.Option(metavar="QUANTITY", help="A bound on compute: 5.76e23, or 1000x. [default: training 1000x]"),
]


def frontier(
    fit: FitOrRuns,
    reading: Reading,
    fitting: Fitting,
    life: Life,
    output: Output,
    over: Over = "loss,serving_cost",
    out: Out = None,
    flops: Flops = None,
    serve_tokens: Quantity = None,
    at: At = None,
    level: Level = 0.95,
) -> int:
    """Every design that no other beats: all shapes of all families, over two or three of loss, costs, latency, memory, context.

    It says which family to take in which part, where more stops paying, and how far the draws bear that out.
    """
    target = None if out is None else destination(out)
    asked: dict[str, Any] = life.asked()
    asked["at"] = numbers(at, "--at")
    found = fit_of(fit, reading, fitting)
    if life.also:
        asked["also"] = [refitted(found, law) for law in life.also]
    if flops is not None:
        asked["flops"] = budget(flops, "--flops", found)
    if serve_tokens is not None:
        asked["serve_tokens"] = serve_tokens
    if found.outcome.refused:
        return failure.refuse_fit(found, schema=SCHEMA if output.as_json else None)
    from kleiber.plan.architecture.frontier import frontier as designs

    with screen.working("trying every shape"):
        answer = designs(found, over, level=level, **asked)
    if target is not None:
        from kleiber.figures import frontier_chart, save

        save(frontier_chart(answer), target)
    if output.as_json:
        from kleiber.cli.provenance import of_fit, stamped

        drawn = {} if target is None else {"file": str(target)}
        screen.emit_json(stamped(answer.to_json() | drawn, of_fit(found)))
        return 0
    _show(answer)
    if target is not None:
        screen.say(f"The chart: {target}")
    return 0


def _show(answer: Frontier) -> None:
    from kleiber.plan.architecture.frontier import words

    first, *rest = answer.sentences()
    screen.say((first, "bold"))
    screen.table(words.heads(answer), words.rows(answer))
    for line in rest:
        screen.hang(" ", line, at=2)


COMMAND = Command(
    name="frontier", title="What no other design beats, over two or three axes.", run=frontier, schema=SCHEMA
)
