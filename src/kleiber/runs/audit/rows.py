"""Single rows that should not be there: copies, starved runs, runs beaten by smaller ones."""

from __future__ import annotations

import numpy as np

from kleiber.finding import Finding
from kleiber.runs.audit.grouping import best_of_cells, coded, combined, in_words, populations, row_numbers
from kleiber.runs.table import RunTable

HIGHEST = 5
WORSE = 0.02
MANY = 0.02
MOST_CELLS = 20_000


def exact_duplicates(table: RunTable) -> Finding | None:
    """Rows equal to an earlier row in every column: they give one measurement several votes and shrink intervals."""
    if len(table) < 2:
        return None
    codes = combined(coded(table, name) for name in table.columns)
    first = np.unique(codes, return_index=True)[1]
    copies = np.ones(len(table), dtype=bool)
    copies[first] = False
    rows = row_numbers(table, copies)
    if not rows:
        return Finding(name="exact duplicates", verdict="ok", evidence="No two rows are equal.", value=0.0)
    return Finding(
        name="exact duplicates",
        verdict="problem",
        evidence=f"{len(rows)} of {len(table)} rows repeat an earlier row exactly ({in_words(rows)}).",
        remedy="drop the copies; bootstrap intervals are too narrow with them",
        rows=rows,
        value=float(len(rows)),
        reference="Alabdulmohsin et al. 2022 (arXiv:2209.06640), whose language benchmark has 687 such rows",
    )


def fewer_tokens_than_params(table: RunTable) -> Finding | None:
    """Runs with D / N < 1: they barely trained, lie high, and pull the data term's exponent."""
    if not (table.has("params") and table.has("tokens")):
        return None
    ratio = table.column("tokens") / table.column("params")
    starved = ratio < 1
    if not starved.any():
        evidence = f"Every run saw at least {ratio.min():.3g} tokens per parameter."
        return Finding(name="fewer tokens than params", verdict="ok", evidence=evidence, value=0.0)
    rows = row_numbers(table, starved)
    top = np.argsort(-table.column("loss"), kind="stable")[:HIGHEST]
    among = top[starved[top]]
    tail = (
        f" Of the {len(top)} highest losses of the table, {len(among)} are among them"
        f" ({in_words(row_numbers(table, among))}, {ratio[among].min():.2g}-{ratio[among].max():.2g} tokens per parameter)."
        if len(among)
        else ""
    )
    return Finding(
        name="fewer tokens than params",
        verdict="problem" if len(among) else "warning",
        evidence=f"{len(rows)} runs saw fewer tokens than they have parameters ({in_words(rows)}).{tail}",
        remedy="leave out those that dominate the fit, as Besiroglu et al. do with the five highest losses, and say so"
        + (f": --where 'loss < {_cut(table, among):.6g}'" if len(among) else ": --where 'tokens / params >= 1'"),
        rows=rows,
        value=float(len(rows)),
        reference="Besiroglu et al. 2024 (arXiv:2404.10102), who leave five such runs out",
    )


def _cut(table: RunTable, among: np.ndarray) -> float:
    return float(table.column("loss")[among].min())


def beaten_by_smaller(table: RunTable) -> Finding | None:
    """Runs at least 2 % worse than one with no more params and tokens: diverged, badly tuned or mislabelled.

    Of each cell the best run counts, and only runs of one population (family, dataset ...) are held against each
    other; with repeated data, only those with no more unique tokens. Not tried above 20,000 cells.
    """
    if not (table.has("params") and table.has("tokens")) or len(table) < 2:
        return None
    best = best_of_cells(table)
    if len(best) > MOST_CELLS:
        return None
    names = [name for name in ("params", "tokens", "unique_tokens") if table.has(name)]
    inputs = np.stack([table.column(name)[best] for name in names])
    worse = beaten(inputs, table.column("loss")[best], populations(table)[best])
    if not worse.any():
        evidence = "No run is beaten by one with fewer params and tokens."
        return Finding(name="beaten by smaller runs", verdict="ok", evidence=evidence, value=0.0)
    rows = row_numbers(table, best[worse])
    counted = "1 run is" if len(rows) == 1 else f"{len(rows)} runs are"
    return Finding(
        name="beaten by smaller runs",
        verdict="problem" if worse.mean() > MANY else "warning",
        evidence=f"{counted} at least {WORSE:.0%} worse than one with no more params and tokens ({in_words(rows)}).",
        remedy="look at their curves: diverged, badly tuned or mislabelled runs do not belong in a fit",
        rows=rows,
        value=float(len(rows)),
        caveats=("Too many epochs over the same data show up here as well.",),
    )


def beaten(inputs_IR: np.ndarray, loss_R: np.ndarray, group_R: np.ndarray) -> np.ndarray:
    """Whether each run is beaten by 2 % by one of its group whose every input is at most its own, shape (R,)."""
    found = np.zeros(len(loss_R), dtype=bool)
    for index in range(len(loss_R)):
        below = (inputs_IR <= inputs_IR[:, index : index + 1]).all(axis=0) & (group_R == group_R[index])
        found[index] = loss_R[index] > (1 + WORSE) * loss_R[below].min()
    return found
