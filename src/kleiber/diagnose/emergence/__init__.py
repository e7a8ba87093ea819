"""Whether a jump in a metric is a break in the model or in the metric."""

from __future__ import annotations

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.emergence.broken_law import broken_law
from kleiber.diagnose.emergence.exact_match import EXACT_MATCH, exact_match
from kleiber.diagnose.emergence.in_context import IN_CONTEXT, in_context
from kleiber.diagnose.emergence.induction import INDUCTION, bump, induction, prefix_matching
from kleiber.diagnose.emergence.jump import JUMP, jump
from kleiber.diagnose.emergence.observational import components, observational
from kleiber.diagnose.emergence.onset import Curve, Onset, curve_of, onset
from kleiber.diagnose.emergence.passes import pass_rate, pass_rates
from kleiber.diagnose.emergence.picture import Emergence, emergence
from kleiber.diagnose.emergence.scores import exact_interval, upper_of_none
from kleiber.diagnose.emergence.threshold import threshold
from kleiber.diagnose.emergence.two_step import TwoStep, two_step

DIAGNOSTICS: tuple[Diagnostic, ...] = (JUMP, EXACT_MATCH, IN_CONTEXT, INDUCTION)

__all__ = [
    "DIAGNOSTICS",
    "Curve",
    "Emergence",
    "Onset",
    "TwoStep",
    "broken_law",
    "bump",
    "components",
    "curve_of",
    "emergence",
    "exact_interval",
    "exact_match",
    "in_context",
    "induction",
    "jump",
    "observational",
    "onset",
    "pass_rate",
    "pass_rates",
    "prefix_matching",
    "threshold",
    "two_step",
    "upper_of_none",
]
