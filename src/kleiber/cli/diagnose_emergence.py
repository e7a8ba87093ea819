"""`kleiber diagnose emergence`, `in-context`, `induction`: is a jump real, and does the model learn from its context?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.diagnose_show import SCHEMA, show
from kleiber.cli.options import Output, amount, destination
from kleiber.errors import ColumnError, InputError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kleiber.diagnose.emergence import Emergence
    from kleiber.finding import Finding

Answer = TypeVar("Answer")
Columns = Mapping[str, "NDArray"]
SCALES = ("flops", "compute", "params", "tokens", "loss")
ASKED = ("asked", "n", "total")
Table = Annotated[
    str,
    typer.Argument(metavar="TABLE", help="CSV or Parquet, a row a model: scale, correct, asked (or passes, samples)."),
]
Scale = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="What is scaled. [default: flops, compute, params, tokens or loss]")
]
Length = Annotated[
    str | None, typer.Option(metavar="COLUMN|NUMBER", help="Tokens of an answer. [default: column length, else 1]")
]
Chance = Annotated[float, typer.Option(min=0.0, max=0.99, help="Accuracy of a guess.")]
Mark = Annotated[float, typer.Option(min=0.001, max=0.999, help="The accuracy whose scale is asked for.")]
Thorough = Annotated[
    bool,
    typer.Option("--broken-law", help="Hold a broken power law against a smooth one on hidden models (half a minute)."),
]
Forecast = Annotated[
    str | None,
    typer.Option(
        metavar="FIT", help="Predict accuracy by way of loss: a fit of the loss (needs columns loss, accuracy)."
    ),
]
Params = Annotated[
    str | None, typer.Option(metavar="QUANTITY", help="With --forecast: the params of the model asked for.")
]
Tokens = Annotated[str | None, typer.Option(metavar="QUANTITY", help="With --forecast: its tokens.")]
ChartFile = Annotated[str | None, typer.Option("--chart", metavar="FILE", help="Draw both metrics side by side.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed prints the same bytes.")]
Losses = Annotated[
    str, typer.Argument(metavar="LOSSES", help="Losses, a row a window: .npy, CSV or Parquet; with --curve a table.")
]
OverTraining = Annotated[bool, typer.Option("--curve", help="The file holds scores over training: step, score, error.")]
Array = Annotated[str, typer.Argument(metavar="ATTENTION", help="Heads x T x T, .npy; or a curve: CSV or Parquet.")]
Control = Annotated[
    str | None, typer.Option(metavar="ATTENTION", help="The same heads on tokens that repeat nothing, .npy.")
]


def emergence(
    table: Table,
    output: Output,
    scale: Scale = None,
    length: Length = None,
    chance: Chance = 0.0,
    mark: Mark = 0.5,
    broken_law: Thorough = False,
    forecast: Forecast = None,
    params: Params = None,
    tokens: Tokens = None,
    chart: ChartFile = None,
    seed: Seed = 0,
) -> int:
    """Is a jump in accuracy a break in the model or in the metric? With the scale at which accuracy reaches a mark."""
    from kleiber.diagnose.read import read_columns

    target = destination(chart) if chart else None
    columns = read_columns(table)
    if forecast is not None:
        return show([_two_step(columns, table, forecast, params, tokens, seed)], output)
    answer = _measured(columns, table, scale, length, chance, mark, broken_law, seed)
    if target is not None:
        from kleiber.figures import save
        from kleiber.figures.emergence import emergence_chart

        save(emergence_chart(answer), target)
    code = show(answer.findings, output, asked=answer.findings[:1])
    if target is not None and not output.as_json:
        screen.say(f"The chart: {target}")
    return code


def _measured(
    columns: Columns,
    table: str,
    scale: str | None,
    length: str | None,
    chance: float,
    mark: float,
    thorough: bool,
    seed: int,
) -> Emergence:
    import numpy as np

    from kleiber.diagnose.emergence import emergence as diagnose

    named = scale or next((name for name in SCALES if name in columns), None)
    if named is None:
        raise ColumnError(
            "no column says what is scaled", where=table, expected=", ".join(SCALES), remedy="name it with --scale"
        )
    x = _column(columns, named, table)
    rate = columns.get("token_rate")
    if rate is None and "token_loss" in columns:
        rate = np.exp(-columns["token_loss"])
    correct, asked = _counts(columns, table)
    try:
        return diagnose(
            1 / x if named == "loss" and (x > 0).all() else x,
            correct,
            asked,
            _length(columns, length, table),
            chance=chance,
            token_rate=rate,
            mark=mark,
            thorough=thorough,
            scale="1/loss" if named == "loss" else named,
            task=Path(table).stem,
            seed=seed,
        )
    except InputError as error:
        raise InputError(
            error.message, found=error.found, expected=error.expected, remedy=error.remedy, where=error.where or table
        ) from None


def _column(columns: Columns, name: str, table: str) -> NDArray:
    if name not in columns:
        raise ColumnError(f"there is no column {name!r} of numbers", where=table, remedy=did_you_mean(name, columns))
    return columns[name]


def _counts(columns: Columns, table: str) -> tuple[NDArray, NDArray]:
    """Right answers and questions; of models sampled until so many passes, the counts whose ratio is unbiased."""
    if "passes" in columns and "samples" in columns:
        return columns["passes"] - 1, columns["samples"] - 1
    asked = next((name for name in ASKED if name in columns), None)
    if asked is None:
        raise ColumnError(
            "no column says how many questions were asked",
            where=table,
            expected=f"one of {', '.join(ASKED)}",
            remedy="an accuracy without its count has no interval: add the column",
        )
    return _column(columns, "correct", table), columns[asked]


def _length(columns: Columns, length: str | None, table: str) -> NDArray | float:
    if length is None:
        return columns.get("length", 1.0)
    return _column(columns, length, table) if length in columns else amount(length, "--length")


def _two_step(
    columns: Columns, table: str, forecast: str, params: str | None, tokens: str | None, seed: int
) -> Finding:
    from kleiber.diagnose.emergence import two_step
    from kleiber.fit import ensure

    if params is None or tokens is None:
        raise InputError("--forecast needs the model that is asked for", expected="--params and --tokens")
    accuracy = columns.get("accuracy")
    if accuracy is None:
        correct, asked = _counts(columns, table)
        accuracy = correct / asked
    at = {"params": amount(params, "--params"), "tokens": amount(tokens, "--tokens")}
    with screen.working("carrying the loss into accuracy"):
        return two_step(ensure(forecast), at, _column(columns, "loss", table), accuracy, seed=seed).finding


def in_context(losses: Losses, output: Output, curve: OverTraining = False) -> int:
    """Does the model learn from its context? Losses, windows x positions: late ones against early ones.

    With --curve the file is a table over training with columns step, score and error: did it come at one step?
    """
    from kleiber.diagnose.emergence import bump
    from kleiber.diagnose.emergence import in_context as measure
    from kleiber.diagnose.read import read_columns, read_matrix

    if not curve:
        return show([_of_file(losses, lambda: measure(read_matrix(losses)))], output)
    columns = read_columns(losses)
    step, score, error = (_column(columns, name, losses) for name in ("step", "score", "error"))
    return show([_of_file(losses, lambda: bump(step, score, error))], output)


def induction(attention: Array, output: Output, control: Control = None) -> int:
    """Are there induction heads? Attention, heads x T x T, on random tokens whose second half repeats the first.

    --control is attention on tokens whose second half repeats nothing: heads that always look so far back do not count.
    A .csv or .parquet file is a curve over training instead, with columns step, score, error, even and head_1_1, head_1_2, ...
    (block, head): when did the heads form, and did in-context learning come with them?
    """
    from kleiber.diagnose.emergence import curve_of
    from kleiber.diagnose.emergence import induction as measure
    from kleiber.diagnose.read import read_array, read_columns

    if Path(attention).suffix in (".csv", ".parquet"):
        if control is not None:
            raise InputError("a curve is above its control already", where="--control", remedy="leave it out")
        curve = _of_file(attention, lambda: curve_of(read_columns(attention)))
        return show([curve.onset, curve.bump], output)
    weights, beside = read_array(attention), None if control is None else read_array(control)
    return show([_of_file(attention, lambda: measure(weights, control_HTT=beside))], output)


def _of_file(path: str, ask: Callable[[], Answer]) -> Answer:
    """What `ask` gives; an error about the numbers names their file."""
    try:
        return ask()
    except InputError as error:
        raise type(error)(
            error.message, found=error.found, expected=error.expected, remedy=error.remedy, where=error.where or path
        ) from None


COMMANDS: tuple[Command, ...] = (
    Command(
        group="diagnose",
        name="emergence",
        title="Is a jump in the model or in the metric?",
        run=emergence,
        schema=SCHEMA,
    ),
    Command(group="diagnose", name="in-context", title="Does the context teach?", run=in_context, schema=SCHEMA),
    Command(group="diagnose", name="induction", title="Are there induction heads?", run=induction, schema=SCHEMA),
)
