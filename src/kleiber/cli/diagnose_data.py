"""`kleiber diagnose data`: noise, repetition, near-duplicates."""

from __future__ import annotations

from kleiber.cli.command import Command

COMMANDS: tuple[Command, ...] = ()
