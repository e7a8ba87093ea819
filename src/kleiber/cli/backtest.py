"""`kleiber backtest RUNS`: hide the top of the ladder, fit the rest, predict what was hidden, and rank laws by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.options import Output, Reading, Runs, Searching, Together, amount
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.fit import Backtest
    from kleiber.fit.scorecard import Fold
    from kleiber.runs import RunTable

SCHEMA = "kleiber/backtest/1"
LawsAsked = Annotated[
    list[str] | None,
    typer.Option("--law", metavar="NAME|FORMULA", help="A law to judge, as often as you like; `all` for every one that suits."),
]  # fmt: skip
Folds = Annotated[int, typer.Option(min=1, max=12, help="How many cuts to make.")]
Cuts = Annotated[list[str] | None, typer.Option("--cut", metavar="FLOP", help="Cut here, as often as you like.")]


def backtest(
    runs: Runs,
    reading: Reading,
    searching: Searching,
    output: Output,
    law: LawsAsked = None,
    folds: Folds = 4,
    cut: Cuts = None,
    cluster: Together = None,
) -> None:
    """Back-test laws: hide the largest runs, fit the rest, predict the hidden ones, at several cuts.

    Reports the error, the bias, how often the intervals held, and how far the advised split drifted.
    """
    from kleiber.fit import backtest as judge

    table = reading.table(runs)
    asked = laws_for(table, law or ["chinchilla"])
    cuts = [amount(text, "--cut") for text in cut] if cut else folds
    with screen.working(f"back-testing {len(asked)} laws on {len(table)} runs"):
        result = judge(table, asked, folds=cuts, cluster=cluster, **searching.settings())
    if output.as_json:
        from kleiber.cli.provenance import of_runs, stamped

        payload = result.to_json()
        screen.emit_json(stamped({**payload, "runs": of_runs(table)["runs"]}, of_runs(table)))
        return
    _show(result)


def laws_for(table: RunTable, asked: list[str]) -> list[str]:
    """The laws asked for; `all` means every shipped law of the loss whose inputs the table has."""
    if "all" not in asked:
        return asked
    from kleiber.laws import LAWS

    suited = [law.name for law in LAWS if law.target == "loss" and all(table.has(name) for name in law.inputs)]
    if not suited:
        raise InputError("no shipped law suits the columns of this table", found=", ".join(table.columns))
    return list(dict.fromkeys([name for name in asked if name != "all"] + suited))


def _show(result: Backtest) -> None:
    for sentence in result.sentences():
        screen.hang("", sentence, at=0)
    wide = max(4, *(len(fold.law) for fold in result.folds)) + 2
    wide = min(wide, 40)
    unit = "FLOP" if result.along == "flops" else result.along
    screen.say("")
    screen.say(
        (
            f"{'law':{wide}}{f'cut at {unit}':>16}{'fitted':>8}{'hidden':>8}{'log-RMSE':>10}{'bias':>9}{'held':>7}  split a",
            "dim",
        )
    )
    for fold in result.folds:
        screen.say(_row(fold, wide))


def _row(fold: Fold, wide: int) -> str:
    from math import isfinite

    from kleiber.quantity import show

    name = fold.law if len(fold.law) < wide else fold.law[: wide - 2] + "…"
    held = f"{100 * fold.coverage.value:.0f} %" if isfinite(fold.coverage.value) else "-"
    split = str(fold.allocation_exponent) if fold.allocation_exponent else "-"
    refused = "" if fold.outcome == "solved" else f"  ({fold.outcome.replace('_', ' ')})"
    numbers = f"{show(fold.cut):>16}{fold.fit_runs:>8}{fold.test_runs:>8}"
    errors = f"{100 * fold.log_rmse.value:>8.2f} %{100 * fold.bias.value:>+7.2f} %{held:>7}"
    return f"{name:{wide}}{numbers}{errors}  {split}{refused}"


COMMAND = Command(name="backtest", title="Laws judged by the runs they did not see.", run=backtest, schema=SCHEMA)
