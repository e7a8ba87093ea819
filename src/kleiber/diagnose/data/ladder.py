"""What each kind of spoilt text in a ladder of runs did: pairs with the clean runs -> shift, where it sits, and what
cleaning saves.

One idea: two runs are a pair where they differ in one column of the text alone, and agree in size, budget and seed (or, for
want of
that seed, in size and budget).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from kleiber.diagnose.data.parameters import which_parameter
from kleiber.diagnose.data.shift import FEWEST, NAME, Pairs, pairs, shift, where
from kleiber.diagnose.data.worth import value_of_cleaning
from kleiber.diagnose.limits.repetition import worth
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import ColumnError, InputError, did_you_mean
from kleiber.finding import Finding
from kleiber.quantity import show
from kleiber.runs import RunTable

CLEAN: Mapping[str, float] = {
    "noise": 0.0,
    "label_noise": 0.0,
    "kept": 1.0,
    "duplicated": 0.0,
    "shortest": 1.0,
    "longest": 1.0,
}
"""Columns of the text and the value of clean text in each (those of the lab's corruption ladders)."""


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """One kind of spoilt text: the column and its value, the pairs, and what they say."""

    column: str
    value: float
    pairs: Pairs
    findings: tuple[Finding, ...]


def spoilt_text(table: RunTable, *, by: str | None = None, clean: float | None = None) -> tuple[Spoilt, ...]:
    """Every kind of spoilt text in `table`, or those of the column `by` alone, whose clean value is `clean`.

    Raises `ColumnError` for a table without params, tokens, or a column of the text, `InputError` where no run is clean.
    """
    for name in ("params", "tokens", "loss"):
        if not table.has(name):
            raise ColumnError(
                f"there is no column {name!r}", where=table.source, remedy=did_you_mean(name, table.columns)
            )
    baseline = _baseline(table, by, clean)
    values = {name: table.column(name) for name in baseline}
    is_clean = {name: np.isclose(values[name], baseline[name]) for name in baseline}
    all_clean = np.logical_and.reduce(list(is_clean.values()))
    if not all_clean.any():
        raise InputError(
            "no run is on clean text", where=table.source, expected=", ".join(f"{k} {v:g}" for k, v in baseline.items())
        )
    found = []
    for name in baseline:
        others = np.logical_and.reduce(
            [each for other, each in is_clean.items() if other != name] or [np.ones(len(table), bool)]
        )
        for value in np.unique(values[name][~is_clean[name] & others]):
            rows = others & np.isclose(values[name], value)
            found.append(_spoilt(table, name, float(value), np.flatnonzero(all_clean), np.flatnonzero(rows)))
    if not found:
        raise InputError(
            "all runs are on the same text", where=table.source, remedy="a ladder with clean and spoilt text"
        )
    return tuple(found)


def _baseline(table: RunTable, by: str | None, clean: float | None) -> dict[str, float]:
    if by is None:
        known = {name: value for name, value in CLEAN.items() if table.has(name) and table.is_numeric(name)}
        if not known:
            raise ColumnError(
                "no column says how the text was spoilt",
                where=table.source,
                expected=", ".join(CLEAN),
                remedy="name it with --by",
            )
        return known
    if not table.has(by):
        raise ColumnError(f"there is no column {by!r}", where=table.source, remedy=did_you_mean(by, table.columns))
    if clean is None and by not in CLEAN:
        raise InputError(f"which value of {by} is clean text?", where=table.source, remedy="say it with --clean")
    column = table.column(by)
    if not np.isfinite(column).all():
        raise InputError("a value is missing", where=f"{table.source}, column {by}")
    return {by: CLEAN[by] if clean is None else clean}


def _spoilt(table: RunTable, name: str, value: float, clean: np.ndarray, rows: np.ndarray) -> Spoilt:
    params, tokens, loss = (table.column(each) for each in ("params", "tokens", "loss"))
    seed = table.column("seed") if table.has("seed") and table.is_numeric("seed") else np.zeros(len(table))
    kept: list[tuple[int, float]] = []
    for row in rows:
        twins = clean[(params[clean] == params[row]) & (tokens[clean] == tokens[row])]
        same = twins[seed[twins] == seed[row]]
        if twins.size:
            kept.append((int(row), float(loss[same if same.size else twins].mean())))
    chosen = np.array([row for row, _ in kept], dtype=np.int64)
    of = pairs(params[chosen], tokens[chosen], [mean for _, mean in kept], loss[chosen])
    label = f"{name} {show(value)}"
    if chosen.size < FEWEST:
        why = f"{chosen.size} runs have a clean twin of the same size and budget."
        findings = [cannot_tell(NAME, why, remedy=f"{FEWEST} or more")]
        if chosen.size >= 3:
            findings.append(value_of_cleaning(of))
    else:
        given = (of.params_P, of.tokens_P, of.clean_P, of.spoilt_P)
        both = np.concatenate([clean, rows])
        trunk = table.labels("trunk")[both] if table.has("trunk") and None not in table.labels("trunk")[both] else None
        which = which_parameter(params[both], tokens[both], loss[both], np.arange(both.size) >= clean.size, trunk)
        findings = [shift(*given), where(*given), which, value_of_cleaning(of)]
    if (
        table.has("unique_tokens")
        and chosen.size
        and (tokens[chosen] > 1.5 * table.column("unique_tokens")[chosen]).any()
    ):
        findings.append(_published(tokens[chosen], table.column("unique_tokens")[chosen]))
    return Spoilt(
        column=name,
        value=value,
        pairs=of,
        findings=tuple(replace(each, name=f"{label}: {each.name}") for each in findings),
    )


def _published(tokens: np.ndarray, unique: np.ndarray) -> Finding:
    """What the published law would make of the same repeats."""
    worths = [worth(float(d), float(u)) / float(d) for d, u in zip(tokens, unique, strict=True)]
    passes = tokens / np.minimum(unique, tokens)
    mean = float(np.exp(np.mean(np.log(worths))))
    few, many = (show(float(end), 2) for end in (passes.min(), passes.max()))
    return Finding(
        name="published worth of repeats",
        verdict="ok",
        evidence=f"At {few} to {many} passes the published law (R_D 15.4, models of 7M "
        f"params and more) makes a token worth {show(mean, 2)} fresh ones.",
        value=mean,
        reference="Muennighoff et al. 2023 (arXiv 2305.16264)",
    )
