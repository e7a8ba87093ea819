"""What a report rests on: the fit and every analysis of it, each either there or missing for a stated reason.

One idea: an analysis that the runs do not support is not an error of the report, it is one of its findings. So each is
attempted, and what it refuses is kept with the remedy and printed where the answer would have stood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kleiber.diagnose.limits import Limits, limits
from kleiber.errors import InputError, KleiberError, Refusal
from kleiber.finding import Finding
from kleiber.fit.allocation import Allocation, allocation
from kleiber.fit.backtest import backtest
from kleiber.fit.ceiling import Ceiling, ceiling
from kleiber.fit.checklist import Item, checklist
from kleiber.fit.frontier import other_inputs
from kleiber.fit.isoflop import IsoFlop, envelope, parabolas
from kleiber.fit.result import Fit
from kleiber.fit.scorecard import Backtest
from kleiber.fit.sensitivity import Sensitivity, sensitivity
from kleiber.plan.decision import plan
from kleiber.plan.path import Path, path
from kleiber.plan.result import Plan
from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.runs import RunTable

Result = TypeVar("Result")
DECADE = 10.0
BUDGETS = 60
MOST_RUNS = 3000  # beyond these, analyses that refit many times would take minutes and are asked for by name


ORDER = ("problem", "warning", "found", "cannot tell", "ok")
LISTED = ("reporting checklist", "fitting checklist")  # printed in full in a section of their own


@dataclass(frozen=True, kw_only=True)
class Missing:
    """An answer that could not be had: why, and what would change that."""

    what: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Everything a report prints. `flops` is the budget; `asked` whether the reader named it."""

    fit: Fit
    flops: float | None
    asked: bool
    plan: Plan | Missing
    frontier: Path | Missing
    outlook: Path | Missing
    allocation: Allocation | Missing
    backtest: Backtest | Missing
    ceiling: Ceiling | Missing
    sensitivity: Sensitivity | Missing
    limits: Limits | Missing
    approaches: tuple[IsoFlop | Missing, ...]
    findings: tuple[Finding, ...]
    checklist: tuple[Item, ...]


def gather(fit: Fit, flops: float | None) -> Evidence:
    """Every analysis of `fit`; without `flops` the budget is ten times the largest run's compute."""
    budget = flops or default_budget(fit)
    table = fit.table
    given = attempt("the law's other inputs", lambda: other_inputs(fit))
    at = given if isinstance(given, dict) else {}
    return Evidence(
        fit=fit,
        flops=budget,
        asked=flops is not None,
        plan=attempt("the plan", lambda: plan(fit, flops=_needed(budget), at=at)),
        frontier=attempt("the frontier", lambda: path(fit, _budgets(fit, 1.0), at=at)),
        outlook=attempt("the forecast", lambda: path(fit, _budgets(fit, _needed(budget)), at=at)),
        allocation=attempt("the allocation", lambda: allocation(fit, at=at)),
        backtest=attempt("the back-test", lambda: _backtest(fit, table)),
        ceiling=attempt("the ceiling", lambda: _ceiling(fit, table)),
        sensitivity=attempt("the sensitivity", lambda: _sensitivity(fit, budget)),
        limits=attempt("what limits the largest run", lambda: _limits(fit, table)),
        approaches=(
            attempt("approach 1", lambda: envelope(_table(table), seed=fit.seed)),
            attempt("approach 2", lambda: parabolas(_table(table), seed=fit.seed)),
        ),
        findings=findings(fit),
        checklist=checklist(fit),
    )


def attempt(what: str, make: Callable[[], Result]) -> Result | Missing:
    """What `make` gives, or why it gives nothing."""
    try:
        return make()
    except Refusal as refusal:
        return Missing(what=what, reason=refusal.message, remedy=refusal.remedy)
    except InputError as error:
        return Missing(what=what, reason=error.message, remedy=error.remedy or "")
    except KleiberError as error:
        return Missing(what=what, reason=str(error))


def default_budget(fit: Fit) -> float | None:
    """Ten times the largest run's compute, where that is known."""
    largest = largest_flops(fit)
    return None if largest is None else DECADE * largest


def largest_flops(fit: Fit) -> float | None:
    """The compute of the largest run: measured, else 6 params tokens of the largest."""
    ranges = fit.runs.ranges
    if "flops" in ranges:
        return ranges["flops"][1]
    if {"params", "tokens"} <= ranges.keys():
        return 6.0 * ranges["params"][1] * ranges["tokens"][1]
    return None


def findings(fit: Fit) -> tuple[Finding, ...]:
    """What is wrong with the runs and with the fit, the worst first."""
    from kleiber.fit.audit import audit_fit
    from kleiber.runs.audit import audit

    of_table: tuple[Finding, ...] = audit(fit.table, inputs=fit.law.inputs) if fit.table is not None else ()
    thorough = fit.table is not None and len(fit.table) <= MOST_RUNS
    of_fit = audit_fit(fit) if thorough else fit.findings
    kept = [finding for finding in (*of_table, *of_fit) if finding.name not in LISTED]
    return tuple(sorted(kept, key=lambda finding: ORDER.index(finding.verdict)))


def _needed(budget: float | None) -> float:
    if budget is None:
        raise InputError("the runs' compute is not known", remedy="name a budget with --flops")
    return budget


def _budgets(fit: Fit, budget: float) -> Any:
    largest = largest_flops(fit)
    low = fit.runs.ranges["flops"][0] if "flops" in fit.runs.ranges else budget / 1e4
    return np.geomspace(low, max(budget, largest or budget), BUDGETS)


def _table(table: RunTable | None) -> RunTable:
    if table is None:
        raise InputError("the runs are not in the fit file", remedy="report on the run table instead of the fit")
    if len(table) > MOST_RUNS:
        raise InputError(
            f"left out for {show(len(table))} runs, which would take many refits", remedy="kleiber backtest RUNS"
        )
    return table


def _backtest(fit: Fit, table: RunTable | None) -> Backtest:
    draws = min(len(fit.draws_BP), 200)
    return backtest(
        _table(table),
        fit.law,
        objective=fit.objective,
        seed=fit.seed,
        bootstrap=draws,
        fixed=fit.fixed,
        cluster=fit.cluster,
    )


def _ceiling(fit: Fit, table: RunTable | None) -> Ceiling:
    return ceiling(
        _table(table), fit.law, objective=fit.objective, bootstrap=min(len(fit.draws_BP), 400), seed=fit.seed
    )


def _limits(fit: Fit, table: RunTable | None) -> Limits:
    _table(table)
    return limits(fit)


def _sensitivity(fit: Fit, budget: float | None) -> Sensitivity:
    _table(fit.usable().table)
    return sensitivity(fit, flops=budget, bootstrap=min(len(fit.draws_BP), 100))
