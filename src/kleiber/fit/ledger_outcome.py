"""Ledger outcome: which run is what a forecast was about.

One idea: a forecast is settled by what was said of it in the ledger, else by the run of its name, else by the nearest run
within the tolerance in every input that was asked about. A run in another unit, or one the law was fitted to, settles nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.errors import ConventionError, InputError
from kleiber.fit.ledger import Ledger
from kleiber.fit.ledger_entry import UNKNOWN, Entry
from kleiber.runs import RunTable

COUNTED = ("params", "flops")  # the inputs of which there is more than one way to count


@dataclass(frozen=True, kw_only=True)
class Match:
    """A forecast and the loss that its run came to; `candidates` runs were as near."""

    entry: Entry
    loss: float
    source: str
    candidates: int = 1


@dataclass(frozen=True, kw_only=True)
class Unmatched:
    """A forecast without an outcome, and why; `distance` is how far the nearest run lies, as a ratio above 1."""

    entry: Entry
    why: str
    distance: float | None = None
    other_unit: bool = False

    def to_json(self) -> dict[str, Any]:
        """One entry of `open`."""
        entry = self.entry
        return {"id": entry.id, "line": entry.line, "run": entry.run, "at": dict(entry.at), "why": self.why,
                "nearest": self.distance}  # fmt: skip


def match(ledger: Ledger, runs: RunTable | None, tolerance: float) -> tuple[tuple[Match, ...], tuple[Unmatched, ...]]:
    """The outcome of every forecast that has one, and the others. Raises `ConventionError` where units leave none at all."""
    if not 0 <= tolerance < 1:
        raise InputError("the tolerance must be a share from 0 to 1", found=tolerance)
    found: list[Match] = []
    without: list[Unmatched] = []
    for entry in ledger.forecasts:
        said = ledger.settled.get(entry.hash)
        if said is not None:
            found.append(Match(entry=entry, loss=said.loss, source=f"line {said.line}"))
            continue
        one = _from_table(entry, runs, tolerance) if runs is not None else Unmatched(entry=entry, why="no outcome yet")
        (found if isinstance(one, Match) else without).append(one)  # type: ignore[arg-type]
    refused = [one for one in without if one.other_unit]
    if refused and not found:
        raise ConventionError(
            "the outcomes are counted in another way than the forecasts",
            found=refused[0].why,
            remedy="convert them, or say how they are counted with --conventions",
            where=runs.source if runs is not None else ledger.path,
        )
    return tuple(found), tuple(without)


def _from_table(entry: Entry, runs: RunTable, tolerance: float) -> Match | Unmatched:
    if not runs.has(entry.target):
        return Unmatched(entry=entry, why=f"the table has no {entry.target}")
    rows, distance = _named(entry, runs), 1.0
    if not rows.size:
        missing = [name for name in entry.place if not runs.has(name)]
        if missing:
            return Unmatched(entry=entry, why=f"the table has no {missing[0]}")
        ratio_R = np.exp(
            np.max([np.abs(np.log(runs.column(name) / asked)) for name, asked in entry.place.items()], axis=0)
        )
        distance = float(np.nanmin(ratio_R)) if np.isfinite(ratio_R).any() else float("inf")
        if not distance <= 1 + tolerance:
            return Unmatched(entry=entry, why="no run there", distance=distance if np.isfinite(distance) else None)
        rows = np.flatnonzero(ratio_R <= distance * (1 + 1e-9))
    if entry.runs_hash == runs.hash:
        return Unmatched(entry=entry, why="the law was fitted to this run", distance=distance)
    if words := _other_way(entry, runs):
        return Unmatched(entry=entry, why=words, distance=distance, other_unit=True)
    row = int(rows[0])
    loss = float(runs.column(entry.target)[row])
    if not (np.isfinite(loss) and loss > 0):
        return Unmatched(entry=entry, why=f"no {entry.target} in its row", distance=distance)
    source = f"{runs.source}, row {runs.row_numbers[row]}"
    return Match(entry=entry, loss=loss, source=source, candidates=len(rows))


def _named(entry: Entry, runs: RunTable) -> np.ndarray:
    if not entry.run or not runs.has("run"):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(runs.labels("run") == entry.run)


def _other_way(entry: Entry, runs: RunTable) -> str:
    """What forecast and table count differently, in words."""
    stated = runs.conventions.to_dict()
    checked: Sequence[str] = ("loss", *(name for name in COUNTED if name in entry.place))
    for name in checked:
        ours, theirs = entry.conventions.get(name, UNKNOWN), stated[name]
        if UNKNOWN not in (ours, theirs) and ours != theirs:
            return f"{name} in {theirs}, forecast in {ours}".replace("_", " ")
    return ""
