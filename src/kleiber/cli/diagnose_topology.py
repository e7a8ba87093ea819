"""`kleiber diagnose topology`: test error without a test set."""

from __future__ import annotations

from kleiber.cli.command import Command

COMMANDS: tuple[Command, ...] = ()
