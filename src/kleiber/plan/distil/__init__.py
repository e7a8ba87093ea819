"""Distil or train from scratch: the deal with a teacher, the split of the budget, where the verdict turns."""

from kleiber.plan.distil.deal import Deal, deal
from kleiber.plan.distil.decide import distil
from kleiber.plan.distil.result import Distilled, SecondOpinion
from kleiber.verbs import callable_as

__all__ = ["Deal", "Distilled", "SecondOpinion", "deal", "distil"]

callable_as(__name__, "distil")
