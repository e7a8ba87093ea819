"""Whether a jump in a metric is a break in the model or in the metric."""

from __future__ import annotations

from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = ()
