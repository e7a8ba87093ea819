"""`kleiber diagnose memorisation`: does a model memorise or generalise?"""

from __future__ import annotations

from kleiber.cli.command import Command

COMMANDS: tuple[Command, ...] = ()
