"""Scale invariance in nets and in minds: power laws, long-range correlation, avalanches, spectra."""

from __future__ import annotations

from kleiber.diagnose.criticality.crossover import DIAGNOSTIC as CROSSOVER
from kleiber.diagnose.criticality.crossover import Crossover, crossover
from kleiber.diagnose.criticality.dfa import DIAGNOSTIC as DFA
from kleiber.diagnose.criticality.dfa import Dfa, dfa
from kleiber.diagnose.criticality.self_similarity import DIAGNOSTIC as SELF_SIMILARITY
from kleiber.diagnose.criticality.self_similarity import self_similarity
from kleiber.diagnose.criticality.spectral import DIAGNOSTIC as SPECTRAL
from kleiber.diagnose.criticality.spectral import spectral_exponent
from kleiber.diagnose.criticality.tail_diagnostics import DIAGNOSTICS as TAILS
from kleiber.diagnose.criticality.tails import PowerLaw, power_law
from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = (DFA, CROSSOVER, SELF_SIMILARITY, SPECTRAL, *TAILS)

__all__ = [
    "DIAGNOSTICS",
    "Crossover",
    "Dfa",
    "PowerLaw",
    "crossover",
    "dfa",
    "power_law",
    "self_similarity",
    "spectral_exponent",
]
