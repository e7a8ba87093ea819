"""What can be answered: one function per question, each of which calls what the command of that name calls.

`TASKS` is the contents page. One idea: an answer is `{"result": the command's JSON, "command": ..., "python": ...}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kleiber.app.answers import charts, diagnose, experts, ladder, law, plan, runs, written

Task = Callable[[dict[str, Any]], Any]

TASKS: Mapping[str, Task] = {
    "ready": runs.ready,
    "library": written.library,
    "inspect": runs.inspect,
    "check": runs.check,
    "fit": law.fit,
    "backtest": law.backtest,
    "forecast": law.forecast,
    "next": plan.next_runs,
    "plan": plan.plan,
    "frontier": plan.frontier,
    "chart": charts.chart,
    "report": written.report,
    "ladder": ladder.status,
    "place": experts.place,
    "simulate": experts.simulate,
    "diagnostics": diagnose.listed,
    "columns": diagnose.columns,
    "diagnose": diagnose.diagnose,
}
