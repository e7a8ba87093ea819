"""`kleiber diagnose dfa`, `powerlaw`, `avalanches` and their kin: scale invariance of a series."""

from __future__ import annotations

from kleiber.cli.command import Command

COMMANDS: tuple[Command, ...] = ()
