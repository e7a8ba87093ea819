"""Test error without a test set, from the shape of the network's activations and of its path through training."""

from __future__ import annotations

from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = ()
