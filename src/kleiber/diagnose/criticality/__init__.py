"""Scale invariance in nets and in minds: power laws, long-range correlation, avalanches, spectra."""

from __future__ import annotations

from kleiber.diagnose.criticality.avalanche_diagnostic import DIAGNOSTIC as AVALANCHES
from kleiber.diagnose.criticality.avalanches import Avalanches, Exponents, avalanches, binned, exponents
from kleiber.diagnose.criticality.branching import DIAGNOSTIC as BRANCHING
from kleiber.diagnose.criticality.branching import Branching, branching_ratio
from kleiber.diagnose.criticality.crossover import DIAGNOSTIC as CROSSOVER
from kleiber.diagnose.criticality.crossover import Crossover, crossover
from kleiber.diagnose.criticality.dfa import DIAGNOSTIC as DFA
from kleiber.diagnose.criticality.dfa import Dfa, dfa
from kleiber.diagnose.criticality.generation import DIAGNOSTIC as GENERATION
from kleiber.diagnose.criticality.generation import generation, kesten_exponent
from kleiber.diagnose.criticality.self_similarity import DIAGNOSTIC as SELF_SIMILARITY
from kleiber.diagnose.criticality.self_similarity import self_similarity
from kleiber.diagnose.criticality.spectral import DIAGNOSTIC as SPECTRAL
from kleiber.diagnose.criticality.spectral import spectral_exponent
from kleiber.diagnose.criticality.spectrum import DIAGNOSTIC as SPECTRUM
from kleiber.diagnose.criticality.spectrum import Spectrum, weight_spectrum
from kleiber.diagnose.criticality.tail_diagnostics import DIAGNOSTICS as TAILS
from kleiber.diagnose.criticality.tails import PowerLaw, power_law
from kleiber.diagnose.criticality.words import DIAGNOSTIC as WORDS
from kleiber.diagnose.criticality.words import Words, words
from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = (
    DFA,
    CROSSOVER,
    SELF_SIMILARITY,
    SPECTRAL,
    *TAILS,
    AVALANCHES,
    BRANCHING,
    WORDS,
    GENERATION,
    SPECTRUM,
)

__all__ = [
    "DIAGNOSTICS",
    "Avalanches",
    "Branching",
    "Crossover",
    "Dfa",
    "Exponents",
    "PowerLaw",
    "Spectrum",
    "Words",
    "avalanches",
    "binned",
    "branching_ratio",
    "crossover",
    "dfa",
    "exponents",
    "generation",
    "kesten_exponent",
    "power_law",
    "self_similarity",
    "spectral_exponent",
    "weight_spectrum",
    "words",
]
