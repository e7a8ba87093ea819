"""What noise, repetition and near-duplicates do to the data."""

from __future__ import annotations

from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = ()
