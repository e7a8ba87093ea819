"""`kleiber forecast --record`, `kleiber ledger list`, `settle` and `score`: forecasts held against what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.options import Output, Reading, destination
from kleiber.errors import ConventionError, InputError

if TYPE_CHECKING:
    from kleiber.fit import Fit, Forecast
    from kleiber.fit.ledger import Ledger
    from kleiber.fit.ledger_entry import Entry
    from kleiber.fit.ledger_score import Group, Scores

LIST_SCHEMA, SETTLE_SCHEMA, SCORE_SCHEMA = "kleiber/ledger-list/1", "kleiber/ledger-settle/1", "kleiber/ledger-score/1"
DEFAULT = "ledger.jsonl"
MARKS = {"problem": "too narrow", "warning": "biased", "ok": "", "cannot tell": "too few to tell"}
File = Annotated[str, typer.Argument(metavar="[LEDGER]", help="What `kleiber forecast --record` wrote.")]
Which = Annotated[str, typer.Argument(metavar="ID|RUN", help="The forecast's id, or the name given to it with --run.")]
Loss = Annotated[str, typer.Option("--loss", metavar="QUANTITY", help="What the run came to.")]
Unit = Annotated[
    str | None,
    typer.Option("--unit", metavar="NAME", help="Of the loss: nats_per_token, ... [default: the forecast's]"),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Anything worth keeping.")]
Correct = Annotated[bool, typer.Option("--correct", help="There is an outcome already, and it was wrong.")]
Results = Annotated[str | None, typer.Option("--runs", metavar="RUNS", help="A run table with the results.")]
Tolerance = Annotated[
    float, typer.Option(min=0.0, max=0.99, help="How far a run may lie from where a forecast was asked.")
]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Whether and where a forecast is stamped."""

    record: Annotated[
        str | None, typer.Option("--record", metavar="LEDGER", help="Stamp the forecast into this file: ledger.jsonl.")
    ] = None
    run: Annotated[
        str | None, typer.Option("--run", metavar="NAME", help="With --record: the name that the run will have.")
    ] = None
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="With --record: why it was asked.")] = None

    def check(self) -> None:
        """Refuse what cannot be done before any work is."""
        if self.record is not None:
            destination(self.record)
        elif self.run is not None or self.note is not None:
            option = "--run" if self.run is not None else "--note"
            raise InputError("is kept in a ledger", where=option, remedy=f"say which, --record {DEFAULT}")

    def write(self, fit: Fit, answer: Forecast) -> Entry | None:
        """Stamp the forecast, where that was asked for."""
        if self.record is None:
            return None
        from kleiber.cli.provenance import versions
        from kleiber.fit.ledger import now, record

        words = {"run": self.run or "", "note": self.note or ""}
        return record(fit, answer, self.record, versions=versions(), date=now(), **words)

    def earlier(self, entry: Entry) -> Entry | None:
        """The earlier entry with the same forecast."""
        from kleiber.fit.ledger import read_ledger

        known = read_ledger(self.record or DEFAULT)
        first = known.first_of[entry.hash]
        return first if first.hash != entry.hash else None

    def to_json(self, entry: Entry) -> dict[str, Any]:
        """What the forecast's JSON says of it."""
        first = self.earlier(entry)
        kept = {"ledger": self.record, "line": entry.line, "id": entry.id, "hash": entry.hash, "date": entry.date}
        return {**kept, "duplicate_of": first.id if first else None}

    def show(self, entry: Entry) -> None:
        """Say where it stands."""
        screen.say(f"  recorded in line {entry.line} of {self.record} as ", (entry.id, "bold"))
        if first := self.earlier(entry):
            screen.say(f"  the same forecast stands in line {first.line}, which is the one that counts")


def listing(output: Output, ledger: File = DEFAULT) -> None:
    """List the forecasts of a ledger with what happened, and say whether any line was changed since."""
    from kleiber.fit.ledger import read_ledger

    known = read_ledger(ledger)
    if output.as_json:
        _emit({"schema": LIST_SCHEMA, "ledger": ledger, **known.to_json()})
        return
    _show_list(known)


def settle(
    which: Which,
    loss: Loss,
    output: Output,
    ledger: File = DEFAULT,
    unit: Unit = None,
    note: Note = "",
    correct: Correct = False,
) -> None:
    """Write into the ledger what the run of a forecast came to."""
    from kleiber.cli.options import amount
    from kleiber.fit.ledger import now
    from kleiber.fit.ledger import settle as write

    value, stated = amount(loss, "--loss"), _unit(unit)
    entry, settled, new = write(ledger, which, value, unit=stated, date=now(), note=note, correct=correct)
    if output.as_json:
        forecast = {"id": entry.id, "line": entry.line, "run": entry.run, "value": entry.loss}
        kept = {"line": settled.line, "date": settled.date, "loss": settled.loss, "unit": settled.unit, "new": new}
        _emit({"schema": SETTLE_SCHEMA, "ledger": ledger, "forecast": forecast, "outcome": kept})
        return
    words = f"forecast {entry.loss:.4g} for {_place(entry)}, came to {settled.loss:.4g}{_unit_words(settled.unit)}"
    screen.say((f"{entry.run or entry.id}: ", "bold"), words)
    if entry.new_run_interval is not None:
        low, high = entry.new_run_interval
        where = "inside" if low <= settled.loss <= high else "outside"
        screen.say(f"  {where} the {100 * entry.level:g} % interval of one run, {low:.4g} - {high:.4g}")
    if not new:
        screen.say(f"  this stood in line {settled.line} already; nothing was written")


def score(
    output: Output, reading: Reading, ledger: File = DEFAULT, runs: Results = None, tolerance: Tolerance = 0.01
) -> None:
    """Hold the forecasts of a ledger against what happened: coverage, error and bias, by law and by distance.

    Outcomes are those of `kleiber ledger settle` and, with --runs, the runs of a table, by name or by place.
    """
    from kleiber.fit.ledger import read_ledger
    from kleiber.fit.ledger_score import score as held_against

    if runs is None and reading.given:
        raise InputError(f"{reading.given[0]} says how runs are read", remedy="name the table with --runs")
    known = read_ledger(ledger)
    table = reading.table(runs) if runs is not None else None
    found = held_against(known, table, tolerance=tolerance)
    if output.as_json:
        results = {"hash": table.hash, "source": table.source, "count": len(table)} if table is not None else None
        _emit({**found.to_json(), "runs": results})
        return
    _show_scores(found)


def _emit(payload: dict[str, Any]) -> None:
    from kleiber.cli.provenance import versions

    screen.emit_json({**payload, "versions": versions()})


def _unit(stated: str | None) -> str:
    from kleiber.runs.conventions import Conventions

    if stated is None:
        return "unknown"
    try:
        return Conventions(loss=stated).loss  # type: ignore[arg-type] - checked there
    except ConventionError as error:
        raise InputError("no such unit", found=error.found, remedy=error.remedy, where="--unit") from None


def _unit_words(unit: str) -> str:
    return "" if unit == "unknown" else f" {unit.replace('_', ' ')}"


def _place(entry: Entry) -> str:
    return ", ".join(screen.amount(name, value) for name, value in entry.place.items())


def _ends(pair: tuple[float, float] | None) -> str:
    return f" ({pair[0]:.4g} - {pair[1]:.4g})" if pair is not None else ""


def _show_list(known: Ledger) -> None:
    settled = sum(entry.hash in known.settled for entry in known.forecasts)
    count = f"{len(known.forecasts)} forecast{'s' if len(known.forecasts) != 1 else ''}"
    screen.say((f"{count}, {settled} with an outcome", "bold"), f"   {known.path}")
    rows = [("id", "date", "law", "asked", "forecast (one run)", "beyond", "came to")]
    for entry in known.entries:
        first = known.first_of[entry.hash]
        outcome = known.settled.get(first.hash)
        came = f"{outcome.loss:.4g}" if outcome else ""
        name = f"{entry.run}: " if entry.run else ""
        rows.append((
            entry.id, entry.date[:10], entry.law, name + _place(entry), f"{entry.loss:.4g}{_ends(entry.new_run_interval)}",
            f"{entry.extrapolation_decades:.1f}", came if first is entry else f"as line {first.line}",
        ))  # fmt: skip
    _table(rows, right=(5, 6))
    _show_faults(known)
    screen.say(f"{_lines(known)} · last hash {known.head or 'none'}")


def _lines(known: Ledger) -> str:
    if known.lines == 1 and not known.faults:
        return "1 line, as it was written"
    return f"{known.lines} lines" + ("" if known.faults else ", all as they were written")


def _show_scores(found: Scores) -> None:
    first, *rest = found.sentences()
    screen.say((first, "bold"))
    for line in rest:
        screen.hang(" ", line, at=2)
    groups = [found.overall, *found.by_law, *found.by_reach]
    _table([("", "outcomes", "inside", "expected", "off by", "bias", "CRPS", "")] + [_row(group) for group in groups],
           right=(1, 2, 3, 4, 5, 6))  # fmt: skip


def _row(group: Group) -> tuple[str, ...]:
    inside = (str(group.inside), f"{round(group.expected + 1e-9, 1):g}") if group.judged else ("", "")
    crps = f"{group.crps:.3g}" if group.crps is not None else ""
    errors = (f"{100 * group.log_error:.2g} %", f"{100 * group.bias.value:+.2g} %")
    return (group.name, str(group.count), *inside, *errors, crps, MARKS[group.verdict])


def _show_faults(known: Ledger) -> None:
    for fault in known.faults:
        screen.hang(("!", "yellow"), str(fault), at=2)


def _table(rows: list[tuple[str, ...]], *, right: tuple[int, ...]) -> None:
    cells = [[screen.clean(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        aligned = [cell.rjust(width) if column in right else cell.ljust(width)
                   for column, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        screen.say("  ".join(aligned).rstrip())


COMMANDS = (
    Command(group="ledger", name="list", title="The forecasts of a ledger.", run=listing, schema=LIST_SCHEMA),
    Command(group="ledger", name="settle", title="Say what a run came to.", run=settle, schema=SETTLE_SCHEMA),
    Command(group="ledger", name="score", title="Forecasts against outcomes.", run=score, schema=SCORE_SCHEMA),
)
