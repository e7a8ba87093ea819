"""Kleiber turns a ladder of small training runs into a defensible decision about the big one.

>>> import kleiber
>>> law = kleiber.Law("E + A/params**alpha + B/tokens**beta")
>>> law.inputs
('params', 'tokens')
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kleiber.errors import InputError, KleiberError, Refusal
    from kleiber.finding import Finding
    from kleiber.fit import allocation, backtest, ceiling, sensitivity
    from kleiber.fit.fitting import fit
    from kleiber.fit.objective import Objective
    from kleiber.fit.result import Fit, Forecast
    from kleiber.fit.store import load
    from kleiber.laws import Law, Parameter
    from kleiber.plan import Plan, Question, plan
    from kleiber.plan.architecture.frontier import frontier
    from kleiber.plan.distil import Distilled, distil
    from kleiber.plan.next import NextRuns, next_runs
    from kleiber.report import chart, report
    from kleiber.runs import Conventions, RunTable, read

__version__ = "0.1.0"

# Public name -> where it lives. Nothing is imported until it is asked for, which keeps `import kleiber` quick.
_HOMES = {
    "Conventions": "kleiber.runs",
    "Distilled": "kleiber.plan.distil",
    "Finding": "kleiber.finding",
    "Fit": "kleiber.fit.result",
    "Forecast": "kleiber.fit.result",
    "InputError": "kleiber.errors",
    "KleiberError": "kleiber.errors",
    "Law": "kleiber.laws",
    "NextRuns": "kleiber.plan.next",
    "Objective": "kleiber.fit.objective",
    "Parameter": "kleiber.laws",
    "Plan": "kleiber.plan",
    "Question": "kleiber.plan",
    "Refusal": "kleiber.errors",
    "RunTable": "kleiber.runs",
    "allocation": "kleiber.fit",
    "backtest": "kleiber.fit",
    "ceiling": "kleiber.fit",
    "chart": "kleiber.report",
    "frontier": "kleiber.plan.architecture.frontier",
    "distil": "kleiber.plan.distil",
    "load": "kleiber.fit.store",
    "next_runs": "kleiber.plan.next",
    "read": "kleiber.runs",
    "sensitivity": "kleiber.fit",
}
# Verbs that are also folders: the folder itself is callable (see `kleiber.verbs`).
_VERBS = ("fit", "plan", "report")

__all__ = [
    "Conventions",
    "Distilled",
    "Finding",
    "Fit",
    "Forecast",
    "InputError",
    "KleiberError",
    "Law",
    "NextRuns",
    "Objective",
    "Parameter",
    "Plan",
    "Question",
    "Refusal",
    "RunTable",
    "allocation",
    "backtest",
    "ceiling",
    "chart",
    "distil",
    "fit",
    "frontier",
    "load",
    "next_runs",
    "plan",
    "read",
    "report",
    "sensitivity",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _VERBS:
        return importlib.import_module(f"kleiber.{name}")
    raise AttributeError(f"module 'kleiber' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
