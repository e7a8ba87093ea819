"""Long tables, a row a measurement, as the matrices that `counterfactual` and `order_contamination` take.

One idea: a matrix has no holes. A model that did not score a document, a part with no published order or with fewer shuffles than
the others, is named with its place instead of being filled in.

Shapes: N rows, M models, D documents, S parts, P shuffles.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.read import read_table
from kleiber.errors import ColumnError, InputError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa


def read_counterfactual(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Scores and memberships `(M, D)` and the documents' names, of a table with columns model, document, member and score."""
    table = read_table(path)
    model_N, models = _numbered(table, "model", path)
    document_N, documents = _numbered(table, "document", path)
    shape = (len(models), len(documents))
    place_N = model_N * len(documents) + document_N
    if (hole := _twice_or_not_there(place_N, shape[0] * shape[1])) is not None:
        place, words = hole
        model, document = divmod(place, len(documents))
        raise InputError(
            "every model scores every document once",
            found=f"document {documents[document]} under model {models[model]} is {words}",
            where=str(path),
        )
    order_N = np.argsort(place_N)
    member_N = _numbers(table, "member", path)
    _zero_or_one(member_N, "member", path)
    score_N = _numbers(table, "score", path)
    return score_N[order_N].reshape(shape), member_N[order_N].reshape(shape), documents


def read_orders(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-probabilities of the published order `(S,)` and of shuffles `(S, P)`, from columns part, published and logprob."""
    table = read_table(path)
    part_N, parts = _numbered(table, "part", path)
    published_N = _numbers(table, "published", path)
    _zero_or_one(published_N, "published", path)
    logprob_N = _numbers(table, "logprob", path)
    once_S = np.bincount(part_N, published_N, len(parts))
    if (once_S != 1).any():
        part = int(np.flatnonzero(once_S != 1)[0])
        raise InputError(
            "each part has one published order", found=f"{once_S[part]:g} in part {parts[part]}", where=str(path)
        )
    shuffles_S = np.bincount(part_N, minlength=len(parts)) - 1
    if np.ptp(shuffles_S) > 0:
        low, high = int(shuffles_S.argmin()), int(shuffles_S.argmax())
        raise InputError(
            "each part has as many shuffles",
            found=f"{shuffles_S[low]} in part {parts[low]}, {shuffles_S[high]} in part {parts[high]}",
            where=str(path),
        )
    # The published order of each part first, its shuffles in the order of the file.
    order_N = np.lexsort((1 - published_N, part_N))
    every_SQ = logprob_N[order_N].reshape(len(parts), -1)
    return every_SQ[:, 0], every_SQ[:, 1:]


def _twice_or_not_there(place_N: NDArray[np.int64], places: int) -> tuple[int, str] | None:
    """The first place that is filled twice or, where none is, not at all."""
    found, count = np.unique(place_N, return_counts=True)
    if (count > 1).any():
        return int(found[count > 1][0]), "there twice"
    if found.size == places:
        return None
    # Places are sorted, so that the first which is not its own number follows the hole.
    gap = np.flatnonzero(found != np.arange(found.size))
    return int(gap[0]) if gap.size else int(found.size), "not there"


def _column(table: pa.Table, name: str, path: str | Path) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise ColumnError(f"there is no column {name}", where=str(path), remedy=did_you_mean(name, table.column_names))
    return table[name]


def _numbered(table: pa.Table, name: str, path: str | Path) -> tuple[NDArray[np.int64], list[str]]:
    """Numbers from 0 for the names of a column, in the order they come, and the names."""
    values = _column(table, name, path).to_pylist()
    for row, value in enumerate(values):
        if value is None:
            raise InputError(f"a {name} has no name", where=f"{path}, row {row + 1}, {name}")
    number_of: dict[str, int] = {}
    numbers = [number_of.setdefault(str(value), len(number_of)) for value in values]
    return np.array(numbers, dtype=np.int64), list(number_of)


def _numbers(table: pa.Table, name: str, path: str | Path) -> NDArray[np.float64]:
    found = np.empty(table.num_rows)
    for row, value in enumerate(_column(table, name, path).to_pylist()):
        try:
            found[row] = float("nan" if value is None else value)
        except (TypeError, ValueError):
            raise InputError(
                "this is not a number", found=repr(value), where=f"{path}, row {row + 1}, {name}"
            ) from None
    wrong = np.flatnonzero(~np.isfinite(found))
    if wrong.size:
        raise InputError(
            "a number is missing or not finite",
            found=f"{found[wrong[0]]:g}" + (f", and in {wrong.size - 1} more rows" if wrong.size > 1 else ""),
            where=f"{path}, row {wrong[0] + 1}, {name}",
        )
    return found


def _zero_or_one(values: NDArray[np.float64], name: str, path: str | Path) -> None:
    wrong = np.flatnonzero(~np.isin(values, (0.0, 1.0)))
    if wrong.size:
        raise InputError(
            "here stands 0 or 1", found=f"{values[wrong[0]]:g}", where=f"{path}, row {wrong[0] + 1}, {name}"
        )
