"""Arrays from files: .npy, CSV or Parquet; never pickled objects, and every bad value with its row.

The way the data takes: a file -> columns of numbers -> the one column, or all of them as a matrix `(rows, columns)`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import ColumnError, InputError, did_you_mean

FORMATS = ".npy, .csv or .parquet"


def read_columns(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """The columns of a file by name (`column 1` and on where an array has none), as 64-bit floats.

    Raises `InputError` with the file, and the row and column where there is one.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError("there is no such file", where=str(source), expected=FORMATS)
    if source.suffix == ".npy":
        return _from_npy(source)
    if source.suffix in (".csv", ".parquet"):
        return _from_table(source)
    raise InputError(
        "arrays are not read from such files", where=str(source), found=source.suffix or "no suffix", expected=FORMATS
    )


def read_series(path: str | Path, column: str | None = None) -> NDArray[np.float64]:
    """One column of a file, `(rows,)`; `column` names it where there are several."""
    columns = read_columns(path)
    if column is None:
        if len(columns) == 1:
            return next(iter(columns.values()))
        raise ColumnError(
            "there are several columns",
            where=str(path),
            found=", ".join(list(columns)[:12]),
            remedy="name one with --column",
        )
    if column not in columns:
        raise ColumnError(f"there is no column {column}", where=str(path), remedy=did_you_mean(column, columns))
    return columns[column]


def read_matrix(path: str | Path) -> NDArray[np.float64]:
    """All columns of a file side by side, `(rows, columns)`."""
    return np.stack(list(read_columns(path).values()), axis=1)


def _from_npy(source: Path) -> dict[str, NDArray[np.float64]]:
    try:
        array = np.load(source, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError("this is not an array of numbers", where=str(source), found=str(error)) from None
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiub":
        raise InputError(
            "a series or a matrix of numbers is needed",
            where=str(source),
            found=f"{array.dtype} of shape {array.shape}",
        )
    matrix = array.astype(np.float64).reshape(len(array), -1)
    return {f"column {number + 1}": matrix[:, number] for number in range(matrix.shape[1])}


def _from_table(source: Path) -> dict[str, NDArray[np.float64]]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        read = pyarrow.csv.read_csv if source.suffix == ".csv" else pyarrow.parquet.read_table
        table: pa.Table = read(str(source))
    except (pa.ArrowException, OSError) as error:
        raise InputError("the table cannot be read", where=str(source), found=str(error).splitlines()[0]) from None
    numbers = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
            numbers[name] = np.asarray(column.to_pylist(), dtype=np.float64)
    if not numbers:
        raise InputError("there is no column of numbers", where=str(source), found=", ".join(table.column_names))
    return numbers
