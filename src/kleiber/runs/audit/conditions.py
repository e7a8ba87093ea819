"""Whether runs differ in more than a law knows of: context, experts, noise in their data.

One idea: a column that sets conditions (not a recipe's knob, not a measurement) and takes several values must be an input of the
law, or the law averages over it. Populations, which no law can take as an input, are `independence.mixed_populations`.
"""

from __future__ import annotations

import numpy as np

from kleiber.finding import Finding
from kleiber.runs.audit.grouping import find, in_words, row_numbers
from kleiber.runs.table import RunTable

CONDITIONS = (
    *("context", "experts", "chosen", "granularity", "activation_ratio", "vocabulary", "bits"),
    *("noise", "label_noise", "duplicated", "copies", "kept", "shortest", "longest", "data_seed"),
)
STANDS_FOR = {"experts": ("activation_ratio", "chosen"), "activation_ratio": ("experts", "chosen")}
"""What varies with a condition that the law knows, and needs no input of its own."""


def varied_conditions(table: RunTable, inputs: frozenset[str] = frozenset()) -> Finding | None:
    """Conditions that change between rows and are no input of the law (`inputs`)."""
    known = inputs | {other for name in inputs for other in STANDS_FOR.get(name, ())}
    columns = [name for wanted in CONDITIONS if (name := find(table, wanted)) is not None and table.is_numeric(name)]
    if not columns:
        return None
    varied = {name: np.unique(table.column(name)) for name in columns if name not in known}
    varied = {name: values for name, values in varied.items() if len(values) > 1}
    if not varied:
        return Finding(
            name="varied conditions", verdict="ok", evidence=f"All rows share {', '.join(columns)}.", value=0.0
        )
    listed = "; ".join(f"{name}: {_some(values)}" for name, values in varied.items())
    first, values = next(iter(varied.items()))
    usual = max(values, key=lambda value: int((table.column(first) == value).sum()))
    rows = row_numbers(table, table.column(first) != usual)
    return Finding(
        name="varied conditions",
        verdict="problem",
        evidence=f"Beside params and tokens the rows differ in {listed} (other than {usual:g}: {in_words(rows)}).",
        remedy=f'keep one kind (--where "{first} == {usual:g}"), or fit a law that has {first} as an input',
        rows=rows,
        value=float(len(varied)),
    )


def _some(values: np.ndarray) -> str:
    words = [f"{value:g}" for value in values[:5]]
    return ", ".join([*words, "..."] if len(values) > len(words) else words)
