"""One decision over architecture, data, training, serving, context, memory, latency and money.

The contents page: a family joins in `kleiber.cost.families`, a limit in `brief` and `budgets` (what tokens use up) or
`serving` (what a shape must keep), each with its posynomial in `relaxation`.
"""

from kleiber.plan.architecture.answer import Costs, LifePlan, Offer
from kleiber.plan.architecture.brief import Brief, brief
from kleiber.plan.architecture.planning import plan_life
from kleiber.plan.architecture.spread import Spread

__all__ = ["Brief", "Costs", "LifePlan", "Offer", "Spread", "brief", "plan_life"]
