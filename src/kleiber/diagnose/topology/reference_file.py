"""Reference runs from a table (CSV or Parquet), and what of them is measured from their activations.

The way the data takes: a table with `family`, `gap` (or `train_error` and `test_error`) and either the topology itself (`life`,
`midlife`, ...) or `activations`, the file of each run, beside the table -> columns of numbers -> `ReferenceRuns`.

One idea: a map holds between runs measured alike, so that a table says under which cut-off and field, and others are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.read import read_matrix, read_table
from kleiber.diagnose.topology.matched import SoundRuns, sound_runs
from kleiber.diagnose.topology.reference_runs import ReferenceRuns, reference_runs
from kleiber.diagnose.topology.summary import FEATURES, Topology
from kleiber.errors import ColumnError, InputError, KleiberError, Refusal, did_you_mean

MEASURED = (*FEATURES, "bars", "alive", "units", "dead", "inputs", "cutoff", "field")
SETTINGS = ("cutoff", "field")


@dataclass(frozen=True, kw_only=True)
class ReferenceTable:
    """A table of runs as it was read: every column by name, and which of them are numbers."""

    path: Path
    words: dict[str, tuple[str, ...]]
    numbers: dict[str, NDArray[np.float64]]
    rows: int


def read_reference(path: str | Path, measure: Callable[[NDArray[np.float64]], Topology]) -> ReferenceTable:
    """Read the table; where it names `activations`, `measure` each run's own, unless its topology stands there already.

    Raises `InputError` with file, row and column, `ColumnError` where a column is missing.
    """
    table = _read(Path(path))
    if "life" in table.numbers or "mean_edge" in table.numbers:
        return table
    files = table.words.get("activations")
    if files is None:
        raise ColumnError(
            "the table has neither topology nor activations",
            where=str(path),
            found=", ".join([*table.words, *table.numbers][:12]),
            expected="columns life and midlife, or activations (a file for each run)",
        )
    found = [_measured(table.path, row, name, measure) for row, name in enumerate(files, start=1)]
    added = {
        name: np.array([np.nan if (value := getattr(one, name)) is None else value for one in found], dtype=np.float64)
        for name in MEASURED
    }
    return ReferenceTable(path=table.path, words=table.words, numbers={**table.numbers, **added}, rows=table.rows)


def runs_of(table: ReferenceTable) -> ReferenceRuns:
    """The reference runs of a table. Raises `ColumnError`, `InputError` and `Refusal` as `reference_runs` does."""
    families = table.words.get("family")
    if families is None and "family" in table.numbers:
        families = tuple(f"{value:g}" for value in table.numbers["family"])
    if families is None:
        known = [*table.words, *table.numbers]
        raise ColumnError("the table has no column family", where=str(table.path), remedy=did_you_mean("family", known))
    gap_R = table.numbers.get("gap")
    if gap_R is None:
        errors = [table.numbers.get(name) for name in ("test_error", "train_error")]
        if errors[0] is None or errors[1] is None:
            raise ColumnError(
                "the table has no gap", where=str(table.path), expected="a column gap, or test_error and train_error"
            )
        gap_R = errors[0] - errors[1]
    try:
        return reference_runs(
            gap_R, families, {name: values for name, values in table.numbers.items() if name != "gap"}
        )
    except InputError as error:
        raise _at(error, str(table.path)) from None


def read_sound(path: str | Path, column: str, *, lower: bool = False) -> SoundRuns:
    """Sound runs from a table of looks: `run`, `step` and a column of what was measured.

    Raises `ColumnError` and `InputError` with the file, and `Refusal` as `sound_runs` does.
    """
    table = _read(Path(path))
    names = table.words.get("run") or tuple(f"{value:g}" for value in table.numbers.get("run", ()))
    missing = [name for name in ("step", column) if name not in table.numbers] + ([] if names else ["run"])
    if missing:
        known = [*table.words, *table.numbers]
        raise ColumnError(
            f"the table has no column {missing[0]} of its looks",
            where=str(path),
            found=", ".join(known[:12]),
            expected=f"run, step and {column}",
            remedy=did_you_mean(missing[0], known),
        )
    labels, step, value = np.array(names), table.numbers["step"], table.numbers[column]
    try:
        each = [(step[labels == name], value[labels == name]) for name in dict.fromkeys(names)]
        return sound_runs(each, lower=lower)
    except InputError as error:
        raise _at(error, str(path)) from None


def same_settings(table: ReferenceTable, run: Topology) -> None:
    """Raise `InputError` where reference runs were measured under another cut-off or field than the run."""
    for name in SETTINGS:
        values, own = table.numbers.get(name), getattr(run, name)
        if values is None or own is None:
            continue
        other = np.flatnonzero(values != own)
        if other.size:
            raise InputError(
                f"reference runs were measured under another {name}",
                where=f"{table.path}, row {other[0] + 1}, column {name}",
                found=f"{values[other[0]]:g}",
                expected=f"{own:g}",
                remedy=f"measure this run with --{name} {values[other[0]]:g}, or the reference anew",
            )


def write_reference(table: ReferenceTable, path: str | Path) -> None:
    """Write the table with what was measured, CSV or Parquet by its suffix, so that it need not be measured again."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    target = Path(path)
    columns: dict[str, Any] = {**{name: list(values) for name, values in table.words.items()}, **table.numbers}
    made = pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
    if target.suffix not in (".csv", ".parquet"):
        raise InputError(
            "tables are written as .csv or .parquet", where=str(target), found=target.suffix or "no suffix"
        )
    try:
        (pyarrow.csv.write_csv if target.suffix == ".csv" else pyarrow.parquet.write_table)(made, str(target))
    except OSError as error:
        raise InputError("the table cannot be written", where=str(target), found=str(error)) from None


def _read(source: Path) -> ReferenceTable:
    import pyarrow as pa

    if not source.is_file():
        raise InputError("there is no such file", where=str(source), expected="a .csv or .parquet of reference runs")
    if source.suffix not in (".csv", ".parquet"):
        raise InputError("reference runs are a .csv or .parquet", where=str(source), found=source.suffix or "no suffix")
    table = read_table(source)
    words: dict[str, tuple[str, ...]] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    for name in table.column_names:
        kind, values = table[name].type, table[name].to_pylist()
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            numbers[name] = np.array([np.nan if value is None else float(value) for value in values])
        elif not pa.types.is_null(kind):
            words[name] = tuple("" if value is None else str(value) for value in values)
    return ReferenceTable(path=source, words=words, numbers=numbers, rows=table.num_rows)


def _measured(table: Path, row: int, name: str, measure: Callable[[NDArray[np.float64]], Topology]) -> Topology:
    try:
        return measure(read_matrix(table.parent / name))
    except Refusal as refusal:
        raise InputError(
            refusal.message, where=f"{table}, row {row}, column activations ({name})", remedy=refusal.remedy
        ) from None
    except KleiberError as error:
        raise InputError(f"row {row}, column activations: {error}", where=str(table)) from None


def _at(error: InputError, where: str) -> InputError:
    return InputError(error.message, found=error.found, expected=error.expected, remedy=error.remedy, where=where)
