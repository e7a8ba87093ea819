"""Ledger: forecasts as they were made, and what happened, in a file to which one can only add.

The way the data takes: Fit + Forecast -> `record` -> a line of the chain (`kleiber.fit.chain`); the loss that came -> `settle` ->
another line; file -> `read_ledger` -> entries and settlements, which `kleiber.fit.ledger_score` holds against each other.
The one idea: an entry says everything that its score will need (the interval, 21 quantiles, the law, the runs' hash), so that
neither the fit nor the runs have to be found again, and nothing can be adjusted afterwards.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from kleiber.errors import ConventionError, InputError, did_you_mean
from kleiber.fit import chain
from kleiber.fit.chain import Chain, Fault
from kleiber.fit.ledger_entry import UNKNOWN, Entry, Settlement, content_of, entry_of, settlement_of
from kleiber.fit.result import Fit, Forecast

SCHEMA = "kleiber/ledger/1"
FEWEST_DIGITS = 4  # of an id


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Everything in a ledger that stands, and the faults of what does not."""

    path: str
    entries: tuple[Entry, ...]
    settlements: tuple[Settlement, ...]
    faults: tuple[Fault, ...]
    lines: int
    head: str

    @cached_property
    def first_of(self) -> dict[str, Entry]:
        """Entry hash -> the earliest entry with the same forecast, which may be itself."""
        earliest: dict[str, Entry] = {}
        return {entry.hash: earliest.setdefault(entry.identity, entry) for entry in self.entries}

    @property
    def forecasts(self) -> tuple[Entry, ...]:
        """The entries without later copies of the same forecast."""
        return tuple(entry for entry in self.entries if self.first_of[entry.hash] is entry)

    @property
    def duplicates(self) -> tuple[Entry, ...]:
        """The later copies."""
        return tuple(entry for entry in self.entries if self.first_of[entry.hash] is not entry)

    @cached_property
    def settled(self) -> dict[str, Settlement]:
        """Hash of a forecast's earliest entry -> the last that was said of its outcome."""
        known = [one for one in self.settlements if one.of in self.first_of]
        return {self.first_of[one.of].hash: one for one in known}

    def find(self, word: str) -> Entry:
        """The entry with this id (four digits or more will do) or this run's name. Raises `InputError` for none or several."""
        sought = word.removeprefix("sha256:").lower()
        found = {each.hash: each for each in self.forecasts if each.run and each.run == word}
        if not found and len(sought) >= FEWEST_DIGITS:
            found = {each.hash: each for each in self.entries if each.hash.removeprefix("sha256:").startswith(sought)}
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            ids = ", ".join(f"{each.id} (line {each.line})" for each in found.values())
            raise InputError(f"{word!r} is more than one forecast", found=ids, remedy="give an id", where=self.path)
        names = [name for each in self.entries for name in (each.id, each.run) if name]
        hint = did_you_mean(word, names) if names else "the ledger holds no forecast"
        raise InputError(f"no forecast {word!r}", remedy=hint, where=self.path)

    def to_json(self) -> dict[str, Any]:
        """What stands in the ledger: the lines themselves, with id, line and outcome."""
        return {
            "entries": [
                {
                    "id": entry.id,
                    "line": entry.line,
                    "duplicate_of": None if self.first_of[entry.hash] is entry else self.first_of[entry.hash].id,
                    "outcome": _loss_of(self.settled.get(self.first_of[entry.hash].hash)),
                    **{name: value for name, value in entry.content.items() if name != "schema"},
                }
                for entry in self.entries
            ],
            "chain": self.chain_json(),
        }

    def chain_json(self) -> dict[str, Any]:
        """Whether the chain is whole, its last hash and its faults."""
        return {
            "whole": not self.faults,
            "lines": self.lines,
            "head": self.head or None,
            "faults": [fault.to_json() for fault in self.faults],
        }


def now() -> datetime:
    """The present in UTC, or what the environment variable SOURCE_DATE_EPOCH (seconds since 1970) says it is."""
    stated = os.environ.get("SOURCE_DATE_EPOCH")
    if stated is None:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(stated), UTC)
    except (ValueError, OverflowError, OSError):
        raise InputError("no date", where="SOURCE_DATE_EPOCH", found=repr(stated), expected="seconds") from None


def record(
    fit: Fit,
    forecast: Forecast,
    path: str | Path,
    *,
    versions: Mapping[str, str],
    date: datetime,
    run: str = "",
    note: str = "",
) -> Entry:
    """Add `forecast`, made by `fit`, to the ledger at `path`, which is begun where there is none; the entry as it stands there.

    `versions` are those the numbers depend on, `date` is stamped in UTC to the second, `run` is the name that the run will have.
    Raises `InputError` where the file cannot be written or is no ledger, `Refusal` for a forecast that is no number.
    """
    content = {"kind": "forecast", "date": _stamp(date), **content_of(fit, forecast)}
    content |= {"versions": dict(versions), "run": run, "note": note}
    return entry_of(chain.append(path, SCHEMA, lambda _: content))


def settle(
    path: str | Path,
    word: str,
    loss: float,
    *,
    unit: str = UNKNOWN,
    date: datetime,
    note: str = "",
    correct: bool = False,
) -> tuple[Entry, Settlement, bool]:
    """Add to the ledger that the run of the forecast `word` (an id or a run's name) came to `loss`.

    Gives the entry, the settlement and whether it is new: the same outcome is not written twice, and another one only with
    `correct`. Raises `ConventionError` for a loss in another unit than the forecast's, `InputError` for an unknown forecast.
    """
    if not (math.isfinite(loss) and loss > 0):
        raise InputError("the loss must be a positive number", found=loss)
    _must_be_there(path)
    standing: list[tuple[Entry, Settlement | None]] = []

    def compose(known: Chain) -> Mapping[str, Any]:
        ledger = _ledger(known, str(path))
        entry = ledger.find(word)
        if UNKNOWN not in (unit, entry.unit) and unit != entry.unit:
            raise ConventionError(
                "an outcome in another unit than its forecast",
                found=unit,
                expected=entry.unit,
                remedy="convert it",
                where=f"{path}, line {entry.line}",
            )
        before = ledger.settled.get(ledger.first_of[entry.hash].hash)
        standing.append((entry, before))
        if before is not None and (before.loss == loss or not correct):
            raise _AlreadySettled
        content = {"kind": "outcome", "date": _stamp(date), "of": entry.hash, "loss": loss}
        return {**content, "unit": unit if unit != UNKNOWN else entry.unit, "note": note}

    try:
        link = chain.append(path, SCHEMA, compose)
    except _AlreadySettled:
        entry, before = standing[0]
        assert before is not None
        if before.loss == loss:
            return entry, before, False
        raise InputError(
            f"forecast {entry.id} has another outcome already",
            found=f"{before.loss:g} in line {before.line}",
            remedy="leave it, or say --correct",
            where=str(path),
        ) from None
    return standing[0][0], settlement_of(link), True


class _AlreadySettled(Exception):  # noqa: N818 - it leaves the ledger as it is
    """Nothing is to be written."""


def read_ledger(path: str | Path) -> Ledger:
    """The ledger at `path`. Lines that do not stand are faults; raises `InputError` for another kind of file."""
    _must_be_there(path)
    return _ledger(chain.read(path, SCHEMA), str(path))


def _must_be_there(path: str | Path) -> None:
    if not Path(path).exists():
        remedy = f"kleiber forecast ... --record {path}"
        raise InputError("there is no ledger of this name", where=str(path), remedy=remedy)


def _ledger(known: Chain, path: str) -> Ledger:
    entries, settlements, faults = [], [], list(known.faults)
    for link in known.links:
        try:
            if link.content["kind"] == "forecast":
                entries.append(entry_of(link))
            else:
                settlements.append(settlement_of(link))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            faults.append(Fault(line=link.line, what=f"says too little, and is left out ({error})"))
    hashes = {entry.hash for entry in entries}
    strays = [one for one in settlements if one.of not in hashes]
    faults += [Fault(line=one.line, what="settles a forecast that is not there, and is left out") for one in strays]
    return Ledger(
        path=path,
        entries=tuple(entries),
        settlements=tuple(one for one in settlements if one.of in hashes),
        faults=tuple(sorted(faults, key=lambda fault: fault.line)),
        lines=known.lines,
        head=known.head,
    )


def _stamp(date: datetime) -> str:
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _loss_of(outcome: Settlement | None) -> float | None:
    return outcome.loss if outcome is not None else None
