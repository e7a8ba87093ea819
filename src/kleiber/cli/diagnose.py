"""The commands of `kleiber diagnose`; `kleiber diagnose FILE` without a further word asks what limits a run.

One idea: each prints a list of findings, the same for every diagnostic (`kleiber.cli.diagnose_show`).
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from kleiber.cli import (
    diagnose_contamination,
    diagnose_criticality,
    diagnose_data,
    diagnose_emergence,
    diagnose_limits,
    diagnose_measure,
    diagnose_memorisation,
    diagnose_topology,
)
from kleiber.cli.command import Command

DEFAULT = "limits"

COMMANDS: tuple[Command, ...] = (
    *diagnose_limits.COMMANDS,
    *diagnose_topology.COMMANDS,
    *diagnose_memorisation.COMMANDS,
    *diagnose_contamination.COMMANDS,
    *diagnose_emergence.COMMANDS,
    *diagnose_data.COMMANDS,
    *diagnose_criticality.COMMANDS,
    *diagnose_measure.COMMANDS,
)


class DiagnoseGroup(TyperGroup):
    """A first word that is no command and not an option is a file: its limits are asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command named, or the one that takes a file."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-") and DEFAULT in known:
            args = [DEFAULT, *args]
        return super().resolve_command(ctx, args)
