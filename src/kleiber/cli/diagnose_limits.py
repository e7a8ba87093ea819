"""`kleiber diagnose RUNS`: what limits a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.diagnose_show import SCHEMA, show
from kleiber.cli.options import FitOrRuns, Fitting, Output, Reading, destination, fit_of

if TYPE_CHECKING:
    from kleiber.diagnose.limits import Limits
    from kleiber.finding import Finding
    from kleiber.fit import Fit

Run = Annotated[
    str | None,
    typer.Option(
        "--run", metavar="NAME", help='A run, or the beginning of its name, or "row 3". [default: the largest]'
    ),
]
CurveFile = Annotated[
    str | None,
    typer.Option("--curve", metavar="FILE", help="The run's curve: its column loss is the training loss by step."),
]
ChartFile = Annotated[
    str | None, typer.Option("--chart", metavar="FILE", help="Draw it: .svg, .png, .pdf, .html or .json.")
]


def limits(
    fit: FitOrRuns,
    reading: Reading,
    fitting: Fitting,
    output: Output,
    run: Run = None,
    curve: CurveFile = None,
    chart: ChartFile = None,
) -> int:
    """What limits a run: capacity, data, learning rate, repeated text or noise, ranked by what mending each would buy."""
    from kleiber.diagnose.limits import limits as diagnose
    from kleiber.diagnose.read import read_series

    target = destination(chart) if chart else None
    steps = read_series(curve, "loss") if curve else None
    found = fit_of(fit, reading, fitting)
    if found.outcome.refused:
        return show([_refused(found)], output)
    answer = diagnose(found, run, curve=steps)
    if target is not None:
        from kleiber.figures import save
        from kleiber.figures.limits import limits_chart

        save(limits_chart(answer), target)
    if output.as_json:
        return show(answer.findings, output, asked=answer.findings[:1])
    _say(answer)
    if target is not None:
        screen.say(f"The chart: {target}")
    return int(answer.findings[0].verdict == "cannot tell")


def _refused(found: Fit) -> Finding:
    from kleiber.diagnose.limits.ranking import NAME
    from kleiber.diagnose.series import cannot_tell

    return cannot_tell(NAME, f"These runs do not support a law: {found.outcome_detail}.", remedy=found.outcome.value)


def _say(answer: Limits) -> None:
    from kleiber.cli.findings import COLUMN, MARKS
    from kleiber.quantity import show as written

    at = ", ".join(f"{written(value)} {name}" for name, value in answer.at.items())
    screen.say((f"Run {answer.run}", "bold"), f": {at}, loss {answer.loss:.4g}")
    for sentence in answer.sentences():
        screen.hang(" ", sentence, at=2)
    rows = [(each.name, each.mend, str(each.gain), str(each.share) if each.share else "-") for each in answer.suspects]
    screen.table(("limit", "what would mend it", "off the loss", "share of what is left"), rows)
    for finding in answer.findings[1:]:
        screen.hang(MARKS[finding.verdict], f"{finding.name}: {finding.evidence}", at=COLUMN)
    for finding in answer.findings:
        if finding.remedy:
            screen.hang("→", finding.remedy, at=COLUMN)


COMMANDS: tuple[Command, ...] = (
    Command(group="diagnose", name="limits", title="What limits a run, ranked.", run=limits, schema=SCHEMA),
)
