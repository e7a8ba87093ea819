"""`kleiber forecast FIT --params 70B --tokens 1.4T`: the loss there, with its interval and how far it extrapolates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli import failure, screen
from kleiber.cli.command import Command
from kleiber.cli.ledger import Recording
from kleiber.cli.options import FitOrRuns, Fitting, Output, Reading, fit_of, points

if TYPE_CHECKING:
    from kleiber.fit import Fit, Forecast

SCHEMA = "kleiber/forecast/1"
Quantity = Annotated[str | None, typer.Option(metavar="QUANTITY", help="Such as 70B, 1.4T, 5.76e23.")]
At = Annotated[list[str] | None, typer.Option("--at", metavar="NAME=VALUE,...", help="Other inputs of the law.")]
Level = Annotated[float, typer.Option(min=0.01, max=0.999, help="Level of the intervals.")]


def forecast(
    fit: FitOrRuns,
    reading: Reading,
    fitting: Fitting,
    output: Output,
    recording: Recording,
    params: Quantity = None,
    tokens: Quantity = None,
    flops: Quantity = None,
    at: At = None,
    level: Level = 0.95,
) -> int:
    """Forecast the loss of one run, and say how far that extrapolates.

    Two of --params, --tokens and --flops are enough: flops = 6 params tokens. With --record it is stamped into a ledger, which
    `kleiber ledger score` holds against what happened.
    """
    recording.check()
    where = points({"params": params, "tokens": tokens, "flops": flops}, at)
    found = fit_of(fit, reading, fitting)
    if found.outcome.refused:
        return failure.refuse_fit(found, schema=SCHEMA if output.as_json else None)
    answer = found.forecast(level=level, **where)
    entry = recording.write(found, answer)
    if output.as_json:
        from kleiber.cli.provenance import of_fit, stamped

        kept = {"recorded": recording.to_json(entry)} if entry else {}
        screen.emit_json(stamped(answer.to_json() | kept, of_fit(found)))
    else:
        _show(answer, found)
        if entry:
            recording.show(entry)
    return 0


def _show(answer: Forecast, fit: Fit) -> None:
    place = ", ".join(screen.amount(name, value) for name, value in answer.at.items())
    screen.say((f"{answer.target} {answer.loss:.4g}", "bold"), f" at {place}")
    level = f"{100 * answer.level:g} %"
    if answer.interval is None:
        screen.say("  no interval: the fit has no draws (--bootstrap 1000)")
    else:
        screen.say(f"  {level} interval of the law    {_ends(answer.interval)}")
    if answer.new_run_interval is not None:
        screen.say(f"  {level} interval of one run    {_ends(answer.new_run_interval)}")
    screen.say(f"  {reach(answer)}")
    for name in answer.outside:
        value, known = screen.amount(name, answer.at[name]), screen.span(name, fit.runs.ranges[name])
        screen.say(f"  {value} lies outside the runs' {known}")


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4g} - {interval[1]:.4g}"


def reach(answer: Forecast) -> str:
    """How far beyond the runs an answer lies, in words."""
    if answer.extrapolation_decades:
        return f"extrapolates {answer.extrapolation_decades:.1f} decades beyond your largest run"
    return "less compute than any of the runs" if "flops" in answer.outside else "inside the compute of the runs"


COMMAND = Command(
    name="forecast", title="The loss of one run, and how far that extrapolates.", run=forecast, schema=SCHEMA
)
