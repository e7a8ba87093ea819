"""`kleiber check RUNS`: what is wrong with the table, and with a law fitted to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.options import Fitting, Output, Reading, Runs
from kleiber.errors import ColumnError
from kleiber.finding import Finding

if TYPE_CHECKING:
    from kleiber.runs import RunTable

SCHEMA = "kleiber/check/1"
DRAWS = 200
MOST_RUNS = 3000  # beyond these, leaving runs out one by one takes minutes and is done only when a law is named
TableOnly = Annotated[bool, typer.Option("--table-only", help="Do not fit: check the table alone.")]


def check(runs: Runs, reading: Reading, fitting: Fitting, output: Output, table_only: TableOnly = False) -> None:
    """Check a run table: duplicates, undertrained or undertuned runs, checkpoints posing as runs, mixed counting.

    Then fit a law and check that: which few runs decide it, what is known only jointly, what lies on a bound. Each
    finding names the rows concerned and the remedy. The exit code is 0 whatever is found.
    """
    from kleiber.laws import find
    from kleiber.runs.audit import audit

    table = reading.table(runs)
    inputs = find(fitting.law).inputs if fitting.law is not None else ()
    with screen.working(f"checking {len(table)} runs"):
        findings = audit(table, inputs=inputs)
        if not table_only:
            findings += of_fit(table, fitting)
    if output.as_json:
        from kleiber.cli.provenance import of_runs, stamped

        found = {"schema": SCHEMA, "findings": [finding.to_json() for finding in findings], "seed": fitting.seed}
        screen.emit_json(stamped(found, of_runs(table)))
        return
    from kleiber.cli.findings import show_findings

    screen.say(summary(table))
    show_findings(findings)


def of_fit(table: RunTable, fitting: Fitting) -> tuple[Finding, ...]:
    """What is wrong with a law fitted to the table; where the default law does not suit it, that is the finding."""
    from kleiber.fit.audit import audit_fit

    if len(table) > MOST_RUNS and fitting.law is None:
        return (_unfitted(f"{len(table)} runs would take many refits", "name the law, as in --law chinchilla"),)
    try:
        return audit_fit(
            replace(fitting, bootstrap=DRAWS if fitting.bootstrap is None else fitting.bootstrap).fit(table)
        )
    except ColumnError as error:
        if fitting.law is not None:
            raise
        return (_unfitted(error.message, "name a law that suits the columns, as in --law kaplan-compute"),)


def _unfitted(reason: str, remedy: str) -> Finding:
    return Finding(name="fit", verdict="cannot tell", evidence=f"No law was fitted: {reason}.", remedy=remedy)


def summary(table: RunTable) -> str:
    """What the table holds, in one line."""
    known = [name for name in ("params", "tokens", "flops") if name in table.ranges]
    spans = [screen.span(name, table.ranges[name]) for name in known]
    derived = [f"{name}: {how}" for name, how in table.derived.items() if not how.startswith("column ")]
    counted = [f"{kind} {word}" for kind, word in table.conventions.to_dict().items() if word != "unknown"]
    return " · ".join([f"{len(table)} runs", *spans, *derived, *counted, *table.steps])


COMMAND = Command(name="check", title="What is wrong with a run table.", run=check, schema=SCHEMA)
