"""`kleiber fit RUNS`: a law fitted to the runs, with intervals, and a refusal where they do not support it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import analyses, failure, screen
from kleiber.cli.command import Command
from kleiber.cli.options import Fitting, Output, Reading, Runs, destination

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.runs import RunTable

SCHEMA = "kleiber/fit/1"
MOST_RUNS = 3000  # beyond these a back-test takes minutes and is done only when asked for
PLACES = ("params", "tokens", "flops")
NOT_RUNS = ("exact duplicates", "mixed units", "checkpoints as runs", "flops against 6ND")
NOT_ALIKE = ("mixed populations", "varied conditions")  # which a law of further inputs may be there to describe
Out = Annotated[str | None, typer.Option("--out", "-o", metavar="FIT.json", help="Keep the fit, with its draws.")]
Backtest = Annotated[
    bool | None,
    typer.Option("--backtest/--no-backtest", help="Predict hidden top rungs. [default: with draws]"),
]
Ceiling = Annotated[bool, typer.Option("--ceiling", help="Ask whether the runs show a floor of the loss at all.")]
Sensitivity = Annotated[
    bool, typer.Option("--sensitivity", help="Refit with other thresholds, without the top runs, with other counting.")
]
Isoflop = Annotated[bool, typer.Option("--isoflop", help="Hoffmann's approaches 1 and 2 as a second opinion.")]
Profile = Annotated[bool, typer.Option("--profile", help="Profile intervals beside the bootstrap's.")]


def fit(
    runs: Runs,
    reading: Reading,
    fitting: Fitting,
    output: Output,
    out: Out = None,
    backtest: Backtest = None,
    ceiling: Ceiling = False,
    sensitivity: Sensitivity = False,
    profile: Profile = False,
    isoflop: Isoflop = False,
) -> int:
    """Fit a law to a run table: values, intervals, agreement of the search, and whether the runs support it.

    A law the runs cannot determine is refused (exit code 1), with what would change that.
    """
    target = destination(out) if out else None
    table = reading.table(runs)
    found = with_problems(fitting.fit(table), table)
    if target is not None:
        from kleiber.fit.store import save

        save(found, target)
    drawn = bool(len(found.draws_BP))
    asked = {
        "allocation": drawn,
        "backtest": drawn and found.runs.count <= MOST_RUNS if backtest is None else backtest,
        "ceiling": ceiling,
        "sensitivity": sensitivity,
        "profile": profile,
        "envelope": isoflop,
        "parabolas": isoflop,
    }
    extra = {} if found.outcome.refused else analyses.of(found, [name for name, wanted in asked.items() if wanted])
    if output.as_json:
        screen.emit_json(as_json(found, extra))
        return int(found.outcome.refused)
    if found.outcome.refused:
        return failure.refuse(f"Not enough to fit a law: {found.outcome_detail}", found.outcome.value, schema=None)
    from kleiber.cli.fit_screen import show_fit

    show_fit(found, extra, kept_at=out)
    return 0


def with_problems(found: Fit, table: RunTable) -> Fit:
    """The fit with the audit's problems that make rows other than the law takes them for: no screen or JSON is silent on them."""
    from kleiber.runs.audit import audit

    if len(table) > MOST_RUNS:
        return found
    named = NOT_RUNS if set(found.law.inputs) - set(PLACES) else NOT_RUNS + NOT_ALIKE
    problems = [each for each in audit(table, inputs=found.law.inputs) if each.verdict == "problem"]
    return replace(found, findings=(*found.findings, *(each for each in problems if each.name in named)))


def as_json(found: Fit, extra: dict[str, analyses.Answer]) -> dict[str, Any]:
    """The fit as `kleiber/fit/1`, with an entry for each analysis."""
    from kleiber.cli.provenance import of_fit, stamped
    from kleiber.fit.store import to_json

    return stamped({**to_json(found), **{name: answer.as_json for name, answer in extra.items()}}, of_fit(found))


COMMAND = Command(name="fit", title="A law fitted to the runs, with intervals.", run=fit, schema=SCHEMA)
