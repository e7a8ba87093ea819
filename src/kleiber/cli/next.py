"""`kleiber next FIT --target 5.76e23 --budget 2e21`: which runs to train next, what they buy, and when to stop."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kleiber.cli import failure, options, screen
from kleiber.cli.command import Command
from kleiber.cli.forecast import At, Quantity
from kleiber.cli.options import FitOrRuns, Fitting, Output, Reading
from kleiber.errors import InputError

SCHEMA = "kleiber/next/1"
Target = Annotated[
    str, typer.Option(metavar="QUANTITY", help="The budget to decide on: 5.76e23, or 1000x the largest run's.")
]
Budget = Annotated[
    str, typer.Option(metavar="QUANTITY", help="What all new runs may cost: 2e21, or 3x the largest run's.")
]
Most = Annotated[int, typer.Option(min=1, max=100, help="At most so many runs.")]
Ratios = Annotated[str, typer.Option(metavar="LOW-HIGH", help="Tokens per param of the new runs.")]
Noise = Annotated[
    str | None, typer.Option(metavar="NUMBER", help="Scatter of a run about the law. [default: the fit's residuals]")
]


def next_runs(
    fit: FitOrRuns,
    target: Target,
    budget: Budget,
    reading: Reading,
    fitting: Fitting,
    output: Output,
    runs: Most = 12,
    max_run: Quantity = None,
    max_params: Quantity = None,
    tokens_per_param: Ratios = "1-500",
    noise: Noise = None,
    serve_tokens: Quantity = None,
    at: At = None,
) -> int:
    """Say which runs to train next: those that take most expected regret off the decision on --target for their cost.

    The regret is what deciding now would cost on average over the draws of the fit. It stops where a further run costs more
    than it buys.
    """
    named = {"max_params": max_params, "noise": noise, "serve_tokens": serve_tokens}
    given: dict[str, Any] = {
        name: options.amount(text, "--" + name.replace("_", "-")) for name, text in named.items() if text is not None
    }
    ratios, inputs = _ratios(tokens_per_param), options.numbers(at, "--at")
    found = options.fit_of(fit, reading, fitting)
    goal, purse = options.budget(target, "--target", found), options.budget(budget, "--budget", found)
    if max_run is not None:
        given["max_run"] = options.budget(max_run, "--max-run", found)
    from kleiber.plan.next import CURABLE
    from kleiber.plan.next import next_runs as choose

    if found.outcome.refused and found.outcome not in CURABLE:
        return failure.refuse_fit(found, schema=SCHEMA if output.as_json else None)

    with screen.working("weighing runs"):
        answer = choose(found, target=goal, budget=purse, runs=runs, tokens_per_param=ratios, at=inputs, **given)
    if output.as_json:
        from kleiber.cli.provenance import of_fit, stamped

        screen.emit_json(stamped(answer.to_json(), of_fit(found)))
        return 0
    first, *rest = answer.sentences()
    screen.say((first, "bold"))
    for line in rest:
        screen.hang(" ", line, at=2)
    return 0


def _ratios(text: str) -> tuple[float, float]:
    """`LOW-HIGH` as two numbers."""
    low, sign, high = text.partition("-")
    if not sign:
        raise InputError(
            "cannot be read", found=repr(text), expected="LOW-HIGH, such as 5-80", where="--tokens-per-param"
        )
    ends = options.amount(low, "--tokens-per-param"), options.amount(high, "--tokens-per-param")
    if ends[0] > ends[1]:
        raise InputError("the lower end comes first", found=text, where="--tokens-per-param")
    return ends


COMMAND = Command(name="next", title="Which runs to train next, and when to stop.", run=next_runs, schema=SCHEMA)
