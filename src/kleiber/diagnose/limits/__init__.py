"""What limits a run: size, data, learning rate, repetition or noise, ranked by what mending each would buy."""

from __future__ import annotations

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.limits.noise import NOISE_FLOOR, noise_floor
from kleiber.diagnose.limits.off_the_law import OFF_THE_LAW, off_the_law
from kleiber.diagnose.limits.overfitting import OVERFITTING, overfitting
from kleiber.diagnose.limits.ranking import Limits, Suspect, limits
from kleiber.diagnose.limits.terms import LIMITING_TERM, Terms, limiting_term, terms

DIAGNOSTICS: tuple[Diagnostic, ...] = (LIMITING_TERM, OFF_THE_LAW, OVERFITTING, NOISE_FLOOR)

__all__ = [
    "DIAGNOSTICS",
    "Limits",
    "Suspect",
    "Terms",
    "limiting_term",
    "limits",
    "noise_floor",
    "off_the_law",
    "overfitting",
    "terms",
]
