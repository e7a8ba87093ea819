"""`kleiber diagnose RUNS`: what limits a run."""

from __future__ import annotations

from kleiber.cli.command import Command

COMMANDS: tuple[Command, ...] = ()
