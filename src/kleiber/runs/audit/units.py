"""Units: a column whose numbers are not all counted in the same multiple, or in none that a model can have.

One idea: no ladder leaps from one size to the next by a factor of five hundred; a column with some cells in millions does.
"""

from __future__ import annotations

import numpy as np

from kleiber import quantity
from kleiber.finding import Finding
from kleiber.runs.audit.grouping import in_words, row_numbers
from kleiber.runs.table import RunTable

LEAP = 500.0  # between neighbouring values, beyond which a multiple of a thousand is likelier than a gap in the ladder
TINY = {"params": 100.0, "tokens": 1000.0}  # at most, of a table whose numbers are counted in k, M or B


def mixed_units(table: RunTable) -> Finding | None:
    """Params or tokens of which some, or all, seem to be given in thousands, millions or billions; None where none do."""
    for name, tiny in TINY.items():
        if not table.has(name):
            continue
        values_R = table.column(name)
        if float(values_R.max()) < tiny:
            return _found(
                name,
                np.ones(len(table), dtype=bool),
                table,
                f"{name} are at most {quantity.show(float(values_R.max()))}, as if counted in millions or billions",
            )
        ordered = np.unique(values_R)
        leaps = ordered[1:] / ordered[:-1]
        if len(leaps) and float(leaps.max()) > LEAP:
            low, high = (float(ordered[int(leaps.argmax()) + step]) for step in (0, 1))
            between = f"{quantity.show(low)} to {quantity.show(high)}"
            fewer = values_R <= low
            odd = fewer if fewer.mean() <= 0.5 else ~fewer
            return _found(name, odd, table, f"{name} leap from {between} with nothing between")
    return None


def _found(name: str, odd_R: np.ndarray, table: RunTable, what: str) -> Finding:
    rows = row_numbers(table, odd_R)
    return Finding(
        name="mixed units",
        verdict="problem",
        evidence=f"{what[0].upper()}{what[1:]} ({in_words(rows)}).",
        remedy=f"write {name} as 70M or 7e7, or head a column that is all in millions '{name} (M)'",
        rows=rows,
        value=float(odd_R.mean()),
    )
