"""What no other design beats: Pareto sets over two or three of loss, costs, latency, memory and context.

The contents page: an axis joins in `axes`, with its numbers in `points`.
"""

from kleiber.plan.architecture.frontier.answer import Frontier, Lead, Point, Slice
from kleiber.plan.architecture.frontier.axes import AXES, Axis
from kleiber.plan.architecture.frontier.pareto import frontier
from kleiber.plan.architecture.frontier.reading import Stretch

__all__ = ["AXES", "Axis", "Frontier", "Lead", "Point", "Slice", "Stretch", "frontier"]
