"""The contents page of the shell: every command, in the order in which the help lists them."""

from __future__ import annotations

import os
import sys
import warnings
from io import TextIOWrapper
from typing import Annotated

import typer

from kleiber.cli import (
    app_server,
    backtest,
    carry,
    chart,
    check,
    compare,
    cost,
    diagnose,
    distil,
    experts_place,
    experts_replay,
    experts_simulate,
    experts_stats,
    experts_transfer,
    fit,
    forecast,
    frontier,
    lab,
    laws,
    ledger,
    plan,
    published,
    report,
)
from kleiber.cli import next as next_runs
from kleiber.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    check.COMMAND,
    fit.COMMAND,
    forecast.COMMAND,
    plan.COMMAND,
    frontier.COMMAND,
    next_runs.COMMAND,
    distil.COMMAND,
    report.COMMAND,
    backtest.COMMAND,
    compare.COMMAND,
    carry.COMMAND,
    cost.COMMAND,
    published.COMMAND,
    laws.COMMAND,
    chart.COMMAND,
    app_server.COMMAND,
    experts_stats.COMMAND,
    experts_place.COMMAND,
    experts_replay.COMMAND,
    experts_simulate.COMMAND,
    experts_transfer.COMMAND,
    *diagnose.COMMANDS,
    *lab.COMMANDS,
    *ledger.COMMANDS,
)

app = typer.Typer(
    name="kleiber",
    help="Turn a ladder of small training runs into a defensible decision about the big one.",
    epilog="Exit codes: 0 done, 1 the runs cannot support an answer, 2 bad input. Every command takes --json.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        import kleiber

        typer.echo(f"kleiber {kleiber.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Turn a ladder of small training runs into a defensible decision about the big one."""


GROUPS = {
    "": app,
    "diagnose": typer.Typer(
        cls=diagnose.DiagnoseGroup,
        help="When not to believe the curve.",
        no_args_is_help=True,
        rich_markup_mode=None,
    ),
    "experts": typer.Typer(
        help="Sparse models: balance and place experts.", no_args_is_help=True, rich_markup_mode=None
    ),
    "lab": typer.Typer(help="Make new runs: train ladders.", no_args_is_help=True, rich_markup_mode=None),
    "ledger": typer.Typer(help="Hold forecasts against what happened.", no_args_is_help=True, rich_markup_mode=None),
}
for _name, _group in GROUPS.items():
    if _name:
        app.add_typer(_group, name=_name)
for _command in COMMANDS:
    _command.join(GROUPS[_command.group])


def run() -> None:
    """Run the command line; text that the terminal's encoding lacks is escaped rather than fatal.

    Floating-point warnings are for us (they are errors in the tests), not for whoever reads an answer.
    """
    if os.environ.get("KLEIBER_DEBUG") != "1":
        warnings.simplefilter("ignore", RuntimeWarning)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="kleiber")
