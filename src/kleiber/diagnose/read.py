"""Arrays from files: .npy, CSV or Parquet; never pickled objects, and every bad value with its row.

The way the data takes: a file -> columns of numbers -> the one column, or all of them as a matrix `(rows, columns)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import ColumnError, InputError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ".npy, .csv or .parquet"
LOOKED_AT_BYTES = 65_536
MAGIC = b"\x93NUMPY"


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


def read_array(path: str | Path) -> NDArray[np.generic]:
    """The array of a .npy file, of any shape; raises `InputError` for a file that holds no array of numbers."""
    source = Path(path)
    if not source.is_file():
        raise InputError("there is no such file", where=str(source), expected=".npy")
    if source.suffix != ".npy":
        raise InputError(
            "an array of this shape is read from .npy alone", where=str(source), found=source.suffix or "no suffix"
        )
    with source.open("rb") as file:
        begin = file.read(len(MAGIC))
    if begin != MAGIC:
        # NumPy would take it for a pickle, and say so.
        raise InputError(
            "this is not a .npy file", where=str(source), found=f"{begin!r} at its beginning" if begin else "an empty file",
            remedy="write it with numpy.save",
        )  # fmt: skip
    try:
        array = np.load(source, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        if "Object arrays" in str(error):
            raise InputError(
                "this is not an array of numbers", where=str(source), found="an array of objects"
            ) from None
        raise InputError("the array cannot be read", where=str(source), found=str(error).splitlines()[0]) from None
    if array.dtype.kind not in "fiub":
        raise InputError("an array of numbers is needed", where=str(source), found=str(array.dtype))
    return array


def must_be_text(source: Path) -> None:
    """Raises `InputError` for a .csv file that holds zero bytes, as no text does."""
    if source.suffix == ".csv":
        with source.open("rb") as file:
            begin = file.read(LOOKED_AT_BYTES)
        if b"\x00" in begin:
            raise InputError(
                "this is no table in text", where=str(source), found=f"a zero byte at offset {begin.index(0)}",
                remedy="write it as CSV in UTF-8; or name it for what it is: .npy, .parquet",
            )  # fmt: skip


def _from_npy(source: Path) -> dict[str, NDArray[np.float64]]:
    array = read_array(source)
    if array.ndim not in (1, 2):
        raise InputError(
            "a series or a matrix of numbers is needed",
            where=str(source),
            found=f"{array.dtype} of shape {array.shape}",
        )
    matrix = array.astype(np.float64).reshape(len(array), -1)
    return {f"column {number + 1}": matrix[:, number] for number in range(matrix.shape[1])}


def read_table(path: str | Path) -> pa.Table:
    """A table of one row or more from CSV or Parquet, columns of any kind; raises `InputError` with the file."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    source = Path(path)
    if not source.is_file():
        raise InputError("there is no such file", where=str(source), expected=".csv or .parquet")
    if source.suffix not in (".csv", ".parquet"):
        raise InputError(
            "a table is not read from such files",
            where=str(source),
            found=source.suffix or "no suffix",
            expected=".csv or .parquet",
        )
    must_be_text(source)
    try:
        read = pyarrow.csv.read_csv if source.suffix == ".csv" else pyarrow.parquet.read_table
        table: pa.Table = read(str(source))
        names = table.column_names
    except (pa.ArrowException, OSError) as error:
        raise InputError("the table cannot be read", where=str(source), found=str(error).splitlines()[0]) from None
    except UnicodeDecodeError:
        raise InputError(
            "the names of the columns are no text", where=str(source), remedy="save the file in UTF-8"
        ) from None
    if len(set(names)) < len(names):
        raise InputError("a column is there twice", where=str(source), found=", ".join(names))
    if table.num_rows == 0:
        raise InputError("the table has no rows", where=str(source))
    return table


def _from_table(source: Path) -> dict[str, NDArray[np.float64]]:
    import pyarrow as pa

    table = read_table(source)
    numbers = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
            numbers[name] = np.asarray(column.to_pylist(), dtype=np.float64)
    if not numbers:
        raise InputError("there is no column of numbers", where=str(source), found=", ".join(table.column_names))
    return numbers
