"""The help of every command is for people."""

from __future__ import annotations

import pytest

from kleiber.cli.app import COMMANDS
from kleiber.cli.command import Command
from tests.cli.conftest import invoke


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.group} {command.name}".strip())
def test_help_shows_no_value_that_only_a_program_understands(command: Command) -> None:
    shown = invoke(*([command.group] if command.group else []), command.name, "--help").stdout
    assert shown.startswith("Usage: ")
    assert "object at 0x" not in shown
    assert "_MISSING" not in shown
