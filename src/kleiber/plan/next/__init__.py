"""Which runs to train next: the ones that take most expected regret off a decision for what they cost.

The way the data takes: fit + target -> `knowledge` (how far each draw's best size lies from the decision, and what every
possible run would read under each draw) + `candidates` (the runs one could train) -> `choice` (the set worth its cost) ->
`NextRuns`.
"""

from kleiber.plan.next.advice import CURABLE, next_runs
from kleiber.plan.next.result import NextRun, NextRuns

__all__ = ["CURABLE", "NextRun", "NextRuns", "next_runs"]
