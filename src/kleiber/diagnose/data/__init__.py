"""What noise, repetition and near-duplicates do to the data."""

from __future__ import annotations

from kleiber.diagnose.data.duplicates import DUPLICATES, duplicates, shingles
from kleiber.diagnose.data.ladder import Spoilt, spoilt_text
from kleiber.diagnose.data.parameters import PARAMETER, which_parameter
from kleiber.diagnose.data.shift import HARM, SHIFT, Pairs, pairs, shift, where
from kleiber.diagnose.data.worth import value_of_cleaning
from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = (SHIFT, HARM, PARAMETER, DUPLICATES)

__all__ = [
    "DIAGNOSTICS",
    "Pairs",
    "Spoilt",
    "duplicates",
    "pairs",
    "shift",
    "shingles",
    "spoilt_text",
    "value_of_cleaning",
    "where",
    "which_parameter",
]
