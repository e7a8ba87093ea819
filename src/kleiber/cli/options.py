"""The option groups that commands share, each a dataclass whose fields are options and whose methods use them.

One idea: an option is declared once, with its help; a command takes a whole group and never passes single options on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber import quantity
from kleiber.cli import screen
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.runs import RunTable

Runs = Annotated[
    str, typer.Argument(metavar="RUNS", help="A run table: CSV, Parquet, JSONL, a trainer's log or its folder.")
]
FitOrRuns = Annotated[
    str,
    typer.Argument(
        metavar="FIT", help="A fit file (kleiber fit -o), a run table, which is fitted first, or a published LAW:SET."
    ),
]


@dataclass(frozen=True, kw_only=True)
class Output:
    """How the answer is given."""

    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a run table is read."""

    map: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="NAME=COLUMN,...", help='Name the columns: params="Model Size",flops=C,loss=val.'
        ),
    ] = None
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="FILTER", help='Keep these runs: "loss < 3.44 and params > 70M".'),
    ] = None
    conventions: Annotated[
        str | None,
        typer.Option(metavar="NAME=WORD,...", help="How things are counted: params=non_embedding,flops=6nd,loss=bits_per_byte."),
    ] = None  # fmt: skip
    format: Annotated[str | None, typer.Option(metavar="NAME", help="The format, where it is not recognised.")] = None

    @property
    def given(self) -> tuple[str, ...]:
        """The options that the user set."""
        named = {"--map": self.map, "--where": self.where, "--conventions": self.conventions, "--format": self.format}
        return tuple(name for name, value in named.items() if value)

    def table(self, source: str, *, require: tuple[str, ...] = ("loss",)) -> RunTable:
        """The run table at `source`."""
        from kleiber.runs import Conventions, parse_map, read

        if _no_text(source):
            raise InputError("the file's name is no text", found=repr(source), remedy="rename the file")
        stated = assignments(self.conventions, "--conventions")
        unknown = [name for name in stated if name not in ("params", "flops", "loss")]
        if unknown:
            raise InputError(f"no convention for {unknown[0]!r}", expected="params, flops, loss", where="--conventions")
        return read(
            source,
            map=parse_map(",".join(self.map)) if self.map else None,
            where=_joined(self.where),
            conventions=Conventions(**stated) if stated else None,  # type: ignore[arg-type] - checked by Conventions
            format=self.format,
            require=require,
        )


@dataclass(frozen=True, kw_only=True)
class Searching:
    """What a fit minimises and how it searches."""

    objective: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="huber_log, squared_log, squared or absolute. [default: huber_log]"),
    ] = None
    delta: Annotated[float | None, typer.Option(help="Threshold of the Huber objective. [default: 0.001]")] = None
    fix: Annotated[
        list[str] | None,
        typer.Option("--fix", metavar="NAME=VALUE,...", help="Hold a parameter: alpha=0.34 (recorded)."),
    ] = None
    starts: Annotated[int | None, typer.Option(min=1, max=100_000, help="Starts of the search. [default: 64]")] = None
    bootstrap: Annotated[
        int | None, typer.Option(min=0, max=1_000_000, help="Resamples for the intervals; 0 for none. [default: 1000]")
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="The same seed prints the same bytes.")] = 0

    def settings(self) -> dict[str, Any]:
        """The keywords of `kleiber.fit` and its analyses; what was left out keeps their defaults."""
        from kleiber.fit import Objective

        stated: dict[str, Any] = {"name": self.objective, "delta": self.delta}
        chosen = {"starts": self.starts, "bootstrap": self.bootstrap, "fixed": numbers(self.fix, "--fix") or None}
        return {
            "objective": Objective(**{name: value for name, value in stated.items() if value is not None}),
            "seed": self.seed,
            **{name: value for name, value in chosen.items() if value is not None},
        }


Together = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Resample whole groups of runs that share a value here.")
]


@dataclass(frozen=True, kw_only=True)
class Fitting(Searching):
    """How one law is fitted."""

    law: Annotated[
        str | None, typer.Option(metavar="NAME|FORMULA", help="A law's name, or a formula. [default: chinchilla]")
    ] = None
    cluster: Together = None

    @property
    def given(self) -> tuple[str, ...]:
        """The options that the user set."""
        names = ("law", "objective", "delta", "bootstrap", "cluster", "fix", "starts")
        return tuple(f"--{name}" for name in names if getattr(self, name) is not None)

    def fit(self, runs: RunTable) -> Fit:
        """The law fitted to `runs`."""
        from kleiber.fit import fit

        chosen = {"law": self.law} if self.law is not None else {}
        with screen.working(f"fitting {len(runs)} runs"):
            return fit(runs, cluster=self.cluster, **chosen, **self.settings())


def fit_of(source: str, reading: Reading, fitting: Fitting) -> Fit:
    """The fit file at `source`, or the runs there, fitted. Options for reading or fitting contradict a fit file."""
    from kleiber.fit.published import looks_published, published
    from kleiber.fit.store import load, looks_like_fit

    if looks_published(source) and not Path(source).exists():
        _no_surplus(source, reading.given + fitting.given)
        return published(source)
    if not looks_like_fit(Path(source)):
        return fitting.fit(reading.table(source))
    _no_surplus(source, reading.given + fitting.given)
    return load(source)


def _no_surplus(source: str, given: tuple[str, ...]) -> None:
    if given:
        raise InputError(
            f"{given[0]} says how runs are read or fitted, but this is a finished fit",
            where=source,
            remedy="leave the option out, or hand in the run table",
        )


def amount(text: str, option: str) -> float:
    """A positive quantity such as 70B; raises `InputError` naming the option."""
    try:
        value = quantity.read(text)
    except InputError as error:
        raise InputError(error.message, found=error.found, expected=error.expected, where=option) from None
    if not 0 < value < float("inf"):
        raise InputError("must be a positive number", found=text, where=option)
    return value


def budget(text: str, option: str, fit: Fit) -> float:
    """A budget in FLOP, or as a multiple of the largest run's (`1000x`)."""
    factor, sign, rest = text.strip().lower().partition("x")
    if not sign or rest:
        return amount(text, option)
    ranges = fit.runs.ranges
    if "flops" in ranges:
        return amount(factor, option) * ranges["flops"][1]
    raise InputError("the runs' compute is not known", found=text, expected="a budget in FLOP", where=option)


def assignments(texts: str | list[str] | None, option: str) -> dict[str, str]:
    """`name=value` pairs, joined by commas or given several times."""
    joined = ",".join([texts] if isinstance(texts, str) else texts or [])
    found: dict[str, str] = {}
    for piece in filter(None, (piece.strip() for piece in joined.split(","))):
        name, sign, value = (part.strip() for part in piece.partition("="))
        if not (name and sign and value):
            raise InputError("cannot be read", found=repr(piece), expected="name=value", where=option)
        if name in found:
            raise InputError(f"{name} is given twice", where=option)
        found[name] = value
    return found


def numbers(texts: str | list[str] | None, option: str) -> dict[str, float]:
    """`name=quantity` pairs."""
    found = {}
    for name, text in assignments(texts, option).items():
        try:
            found[name] = quantity.read(text)
        except InputError as error:
            raise InputError(
                f"{name}: {error.message}", found=error.found, expected=error.expected, where=option
            ) from None
    return found


def points(named: Mapping[str, str | None], at: list[str] | None) -> dict[str, float]:
    """The inputs of a law at one point: the named options that were given, and `--at name=value`."""
    given = {name: amount(text, f"--{name}") for name, text in named.items() if text is not None}
    for name, value in numbers(at, "--at").items():
        if name in given:
            raise InputError(f"{name} is given twice", where="--at")
        given[name] = value
    return given


def destination(path: str) -> Path:
    """Where a file is to be written, tried before the work is done: the folder must be there and the name free to take."""
    target = Path(path)
    if target.is_dir():
        raise InputError("this is a folder", where=path, expected="the name of a file")
    if not target.parent.is_dir():
        raise InputError("there is no such folder", where=str(target.parent), remedy=f"mkdir -p {target.parent}")
    return target


def _no_text(name: str) -> bool:
    """Whether a file's name holds bytes that are no UTF-8, which Arrow cannot open."""
    return any("\ud800" <= sign <= "\udfff" for sign in name)


def _joined(filters: list[str] | None) -> str | None:
    if not filters:
        return None
    return filters[0] if len(filters) == 1 else " and ".join(f"({text})" for text in filters)
