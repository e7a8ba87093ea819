"""How rows group: sizes, budgets, cells, and rows in words.

One idea: what counts as the same size or the same budget is decided once, by gaps on a log scale.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kleiber.runs.read.naming import normal
from kleiber.runs.table import RunTable

SAME_SIZE = 0.02
"""Sizes within 2 % of the smallest of them are one size (digitised sizes scatter by about 1 %)."""

EXACT = 1e-6

POPULATIONS = (
    *(
        "family",
        "architecture",
        "tokenizer",
        "tokeniser",
        "vocab_size",
        "dataset",
        "corpus",
        "data",
        "train_set",
        "teacher",
        "balance",
        "precision",
    ),
    *("eval_set", "eval_dataset", "domain", "task", "language", "optimizer", "router_type"),
)
"""Columns whose values set apart what one law cannot describe together."""


def clusters(values: np.ndarray, tolerance: float = SAME_SIZE) -> np.ndarray:
    """Codes 0, 1, ... in ascending order of `values`, shape (R,); each holds values up to 1 + `tolerance` times its least.

    >>> clusters(np.array([1e6, 2e6, 1.001e6])).tolist()
    [0, 1, 0]
    """
    ordered = np.unique(values)
    starts, at = [], 0
    while at < len(ordered):
        starts.append(at)
        at = int(np.searchsorted(ordered, ordered[at] * (1 + tolerance), side="right"))
    return np.searchsorted(ordered[starts], values, side="right") - 1


def cells(table: RunTable) -> np.ndarray:
    """Codes of (params, tokens) cells, shape (R,); with `unique_tokens` and the population part of the cell."""
    names = [name for name in ("params", "tokens", "unique_tokens") if table.has(name)]
    return combined([populations(table), *(clusters(table.column(name), EXACT) for name in names)])


def populations(table: RunTable) -> np.ndarray:
    """Codes of what one law cannot describe together (family, tokeniser, dataset ...), shape (R,)."""
    names = [name for wanted in POPULATIONS if (name := find(table, wanted)) is not None]
    return combined([coded(table, name) for name in names]) if names else np.zeros(len(table), dtype=np.int64)


def split(table: RunTable) -> tuple[RunTable, ...]:
    """The populations of `table`, each as a table."""
    codes = populations(table)
    kinds = np.unique(codes)
    return (table,) if len(kinds) <= 1 else tuple(table.take(codes == kind) for kind in kinds)


def combined(codes: Iterable[np.ndarray]) -> np.ndarray:
    """One code per distinct combination of several codings, shape (R,)."""
    stacked = np.stack(list(codes), axis=1)
    return np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1)


def coded(table: RunTable, name: str) -> np.ndarray:
    """Exact codes of one column, missing values alike, shape (R,)."""
    values = table.column(name) if table.is_numeric(name) else table.labels(name).astype(str)
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def best_of_cells(table: RunTable) -> np.ndarray:
    """Positions of the lowest loss of each cell, shape (cells,), in order of the cells."""
    codes, loss = cells(table), table.column("loss")
    order = np.lexsort((loss, codes))
    return order[np.flatnonzero(np.diff(codes[order], prepend=-1))]


def find(table: RunTable, *names: str) -> str | None:
    """The first column of `table` that goes by one of `names`, however it is written."""
    return next((column for name in names for column in table.columns if normal(column) == name), None)


def given(table: RunTable, *names: str) -> bool:
    """Whether every one of the columns is there and was measured or stated rather than derived by C = 6 N D."""
    return all(table.has(name) and not table.derived.get(name, "").startswith(("6 ", "flops /")) for name in names)


def row_numbers(table: RunTable, mask: np.ndarray) -> tuple[int, ...]:
    """The source's row numbers of the rows in `mask` (bool, or positions)."""
    return tuple(int(number) for number in np.sort(table.row_numbers[mask]))


def in_words(rows: Iterable[int], most: int = 12) -> str:
    """Rows as a person writes them.

    >>> in_words([1, 2, 3, 7]), in_words([4])
    ('rows 1-3 and 7', 'row 4')
    """
    numbers = sorted(rows)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    words = [str(low) if low == high else f"{low}-{high}" for low, high in spans]
    if len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    listed = words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
    return f"{'row' if len(numbers) == 1 else 'rows'} {listed}"
