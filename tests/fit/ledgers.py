"""Ledgers of a simulated fit, for the tests of the ledger and of its score."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from kleiber.fit import Fit
from kleiber.fit.ledger import record
from kleiber.fit.ledger_entry import Entry

DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLACES = [(1e10, 2e11), (2e10, 4e11), (5e10, 1e12), (1e9, 2e10), (7e10, 1.4e12), (3e8, 6e9), (4e11, 1e13)]


def stamp(path: Path, found: Fit, params: float, tokens: float, **words: str) -> Entry:
    return record(
        found, found.forecast(params=params, tokens=tokens), path, versions={"kleiber": "0"}, date=DATE, **words
    )


def filled(path: Path, found: Fit, count: int = 3) -> Path:
    for params, tokens in PLACES[:count]:
        stamp(path, found, params, tokens)
    return path
