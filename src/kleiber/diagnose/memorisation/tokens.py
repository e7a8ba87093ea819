"""A table of token scores from a file: one row a token, by document and split, every bad value with its row.

The way the data takes: CSV or Parquet -> columns that are needed and those that may be there -> tokens of each document side by
side -> sums and means by document.

Shapes: N tokens (rows), D documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.read import read_table
from kleiber.errors import ColumnError, InputError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = {
    "train": "documents trained on",
    "held-out": "documents like them that were not",
    "canary": "random strings trained on",
    "reference": "strings drawn like the canaries that were not",
    "random": "strings of uniformly random tokens trained on",
    "probe-train": "examples of a probe trained on",
    "probe-row": "examples held out by row",
    "probe-structure": "examples held out by structure",
}
OPTIONAL = ("mean", "sd", "reference_logprob", "suffix", "correct")


@dataclass(frozen=True, kw_only=True)
class TokenTable:
    """Tokens in order of their documents: `document_N` numbers documents from 0, `split_D` says what each is.

    `columns` holds logprob and whichever of mean, sd, reference_logprob, suffix and correct the file has.
    """

    source: str
    document_N: NDArray[np.int64]
    split_D: NDArray[np.str_]
    columns: dict[str, NDArray[np.float64]]

    def lengths(self, split: str) -> NDArray[np.float64]:
        """Tokens of each document of a split."""
        return np.bincount(self.document_N, minlength=self.split_D.size)[self.split_D == split].astype(np.float64)

    def sums(self, column: str, split: str) -> NDArray[np.float64]:
        """The sum of a column over each document of a split."""
        sum_D = np.bincount(self.document_N, self.columns[column], self.split_D.size).astype(np.float64)
        return sum_D[self.split_D == split]

    def means(self, column: str, split: str) -> NDArray[np.float64]:
        """The mean of a column over each document of a split."""
        return self.sums(column, split) / self.lengths(split)

    def documents(self, split: str, *names: str) -> list[tuple[NDArray[np.float64], ...]]:
        """The columns of each document of a split, one tuple a document."""
        ends = np.cumsum(np.bincount(self.document_N, minlength=self.split_D.size))
        starts = np.concatenate([[0], ends[:-1]])
        chosen = np.flatnonzero(self.split_D == split)
        return [tuple(self.columns[name][starts[d] : ends[d]] for name in names) for d in chosen]

    def has(self, *splits: str) -> bool:
        """Whether there are documents of each split."""
        return all((self.split_D == split).any() for split in splits)


def read_tokens(path: str | Path) -> TokenTable:
    """Read a table of token scores: columns document, split and logprob, and any of mean, sd, reference_logprob, suffix, correct.

    A document of a probe may be one row with `correct` alone. Raises `InputError` with the file, row and column.
    """
    source = Path(path)
    table = _table(source)
    names = table.column_names
    for name in ("document", "split"):
        if name not in names:
            raise ColumnError(f"there is no column {name}", where=str(source), remedy=did_you_mean(name, names))
    split_N = _splits(table, source)
    if "logprob" not in names and not np.char.startswith(split_N, "probe-").all():
        raise ColumnError("there is no column logprob", where=str(source), remedy=did_you_mean("logprob", names))
    columns = {name: _numbers(table, name, source) for name in ("logprob", *OPTIONAL) if name in names}
    _check(columns, split_N, source)
    kind_N = np.char.add(np.char.add(split_N, "\x00"), np.asarray(table["document"].to_pylist(), dtype=np.str_))
    found, first_D, document_N = np.unique(kind_N, return_index=True, return_inverse=True)
    # Documents in the order of the file, so that row numbers of a finding can be looked up.
    rank_D = np.argsort(np.argsort(first_D))
    document_N = rank_D[document_N]
    order_N = np.argsort(document_N, kind="stable")
    return TokenTable(
        source=str(source),
        document_N=document_N[order_N],
        split_D=split_N[np.sort(first_D)] if found.size else np.empty(0, dtype=np.str_),
        columns={name: values[order_N] for name, values in columns.items()},
    )


def _table(source: Path) -> pa.Table:
    if not source.is_file():
        raise InputError("there is no such file", where=str(source), expected=".csv or .parquet")
    if source.suffix not in (".csv", ".parquet"):
        raise InputError(
            "token scores are not read from such files", where=str(source), found=source.suffix or "no suffix",
            expected=".csv or .parquet",
        )  # fmt: skip
    return read_table(source)


def _splits(table: pa.Table, source: Path) -> NDArray[np.str_]:
    words = table["split"].to_pylist()
    for row, word in enumerate(words):
        if word not in SPLITS:
            listed = "; ".join(f"{name}: {meaning}" for name, meaning in SPLITS.items())
            hint = did_you_mean(str(word), SPLITS)
            raise InputError(
                "there is no such split", found=repr(word), expected=listed, where=f"{source}, row {row + 1}, split",
                remedy=hint if hint.startswith("did") else None,
            )  # fmt: skip
    return np.asarray(words, dtype=np.str_)


def _numbers(table: pa.Table, name: str, source: Path) -> NDArray[np.float64]:
    """A column of numbers, NaN where the file has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[name]
    if pa.types.is_null(column.type):
        return np.full(table.num_rows, np.nan)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        for row, value in enumerate(column.to_pylist()):
            if value is not None and not _is_number(value):
                raise InputError("this is not a number", found=repr(value), where=f"{source}, row {row + 1}, {name}")
    try:
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowException as error:
        raise InputError("this is not a column of numbers", found=str(error), where=f"{source}, {name}") from None


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _check(columns: dict[str, NDArray[np.float64]], split_N: NDArray[np.str_], source: Path) -> None:
    """Each column where it is needed: finite, and what its name says."""
    is_probe_N = np.char.startswith(split_N, "probe-")
    for name, values in columns.items():
        needed_N = is_probe_N if name == "correct" else ~is_probe_N
        if name == "suffix":
            needed_N = needed_N & ~np.isnan(values)
        wrong = np.flatnonzero(needed_N & ~np.isfinite(values))
        if wrong.size:
            raise InputError(
                "a number is missing or not finite",
                found=f"{values[wrong[0]]:g}" + (f", and in {wrong.size - 1} more rows" if wrong.size > 1 else ""),
                where=f"{source}, row {wrong[0] + 1}, {name}",
            )
        if name in ("suffix", "correct"):
            _one_of(values, needed_N, source, name)
        if name in ("logprob", "reference_logprob"):
            _refuse(values > 1e-6, needed_N, values, source, name, "a log-probability is 0 or less")
        if name == "sd":
            _refuse(values < 0, needed_N, values, source, name, "a standard deviation is 0 or more")
    if is_probe_N.any() and "correct" not in columns:
        raise ColumnError(
            "there is no column correct, which says whether a probe was answered rightly", where=str(source)
        )


def _one_of(values: NDArray[np.float64], needed_N: NDArray[np.bool_], source: Path, name: str) -> None:
    _refuse(~np.isin(values, (0.0, 1.0)), needed_N, values, source, name, "here stands 0 or 1")


def _refuse(
    bad_N: NDArray[np.bool_], needed_N: NDArray[np.bool_], values: NDArray[np.float64], source: Path, name: str, rule: str
) -> None:  # fmt: skip
    wrong = np.flatnonzero(bad_N & needed_N)
    if wrong.size:
        raise InputError(rule, found=f"{values[wrong[0]]:g}", where=f"{source}, row {wrong[0] + 1}, {name}")
