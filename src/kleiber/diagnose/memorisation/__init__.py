"""Whether a model memorises or generalises: canaries, capacity, extraction, contamination, held-out structure."""

from __future__ import annotations

from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = ()
