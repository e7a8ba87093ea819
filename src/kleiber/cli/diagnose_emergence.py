"""`kleiber diagnose emergence`: is a jump in a metric real?"""

from __future__ import annotations

from kleiber.cli.command import Command

COMMANDS: tuple[Command, ...] = ()
