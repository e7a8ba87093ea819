"""Scale invariance in nets and in minds: power laws, long-range correlation, avalanches, spectra."""

from __future__ import annotations

from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = ()
