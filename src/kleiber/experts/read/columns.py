"""Counts as a table: CSV or Parquet with the columns step, layer, expert and count; other columns are left alone.

Every step must list every layer and every layer every expert, idle ones with 0: what is not listed is not known to be idle.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kleiber.errors import InputError, did_you_mean
from kleiber.experts.read.reader import TraceReader
from kleiber.experts.trace import Floats, Ints, RoutingTrace

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("step", "layer", "expert", "count")
MOST_CELLS = 1 << 28


def _is_csv(path: Path, head: bytes) -> bool:
    first = head.lstrip(b"\xef\xbb\xbf").split(b"\n")[0]
    return path.suffix in (".csv", ".tsv") or (b"expert" in first and b"," in first)


def _is_parquet(path: Path, head: bytes) -> bool:
    return head.startswith(b"PAR1") or path.suffix in (".parquet", ".pq")


def _read_csv(path: Path) -> RoutingTrace:
    import pyarrow as pa
    from pyarrow import csv

    try:
        parse = csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",")
        table = csv.read_csv(path, parse_options=parse)
        _ = table.column_names
    except (pa.ArrowException, OSError) as error:
        raise InputError("the table cannot be read", found=str(error).split("\n")[0][:160], where=str(path)) from None
    except UnicodeDecodeError:
        raise InputError(
            "the names of the columns are no text", where=str(path), remedy="save the file in UTF-8"
        ) from None
    return _trace(table, path)


def _read_parquet(path: Path) -> RoutingTrace:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            "the Parquet file is broken or cut short", found=str(error).split("\n")[0][:160], where=str(path)
        ) from None
    return _trace(table, path)


def _trace(table: pa.Table, path: Path) -> RoutingTrace:
    for name in COLUMNS:
        if name not in table.column_names:
            raise InputError(
                f"there is no column {name}", remedy=did_you_mean(name, table.column_names), where=str(path)
            )
    if table.num_rows == 0:
        raise InputError("the table has no rows", where=str(path))
    step_R, layer_R, expert_R = (_whole(table, name, path) for name in COLUMNS[:3])
    count_R = _numbers(table, "count", path)
    steps, layers = np.unique(step_R), np.unique(layer_R)
    experts = int(expert_R.max()) + 1
    if len(steps) * len(layers) * experts > MOST_CELLS:
        raise InputError("the table spans too many experts", found=f"{experts} experts", where=str(path))
    place_R = (np.searchsorted(steps, step_R) * len(layers) + np.searchsorted(layers, layer_R)) * experts + expert_R
    times = np.bincount(place_R, minlength=len(steps) * len(layers) * experts).reshape(len(steps), len(layers), experts)
    _check_once(times, steps, layers, path)
    count_SLE = np.bincount(place_R, count_R, minlength=times.size).reshape(times.shape)
    names = tuple(int(step) for step in steps), tuple(int(layer) for layer in layers)
    return RoutingTrace.from_counts(count_SLE, steps=names[0], layers=names[1], source=str(path))


def _check_once(times: Ints, steps: Ints, layers: Ints, path: Path) -> None:
    """Every expert of every layer of every step exactly once."""
    if (times == 1).all():
        return
    step, layer, expert = np.argwhere(times != 1)[0]
    where = f"{path}, step {steps[step]}, layer {layers[layer]}, expert {expert}"
    if times[step, layer, expert] > 1:
        raise InputError("this expert is listed more than once", where=where)
    if times[step, layer].sum() == 0:
        raise InputError("the trace does not have this layer at this step", where=where)
    raise InputError(
        "the layers disagree: this expert is not listed",
        expected=f"experts 0 to {times.shape[2] - 1} in every layer, idle ones with count 0",
        where=where,
    )


def _whole(table: pa.Table, name: str, path: Path) -> Ints:
    value_R = _numbers(table, name, path)
    wrong = np.flatnonzero(~((value_R >= 0) & (value_R < 2**31) & (value_R == np.floor(value_R))))
    if len(wrong):
        raise InputError(
            f"{name} must be a whole number from 0", found=float(value_R[wrong[0]]), where=f"{path}, row {wrong[0] + 1}"
        )
    return value_R.astype(np.int64)


def _numbers(table: pa.Table, name: str, path: Path) -> Floats:
    import pyarrow as pa

    column = table.column(name)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise InputError(f"{name} must hold numbers", found=str(column.type), where=str(path))
    value_R = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(~np.isfinite(value_R) | (value_R < 0))
    if len(wrong):
        raise InputError(
            f"{name} must be a number that is not negative",
            found=float(value_R[wrong[0]]),
            where=f"{path}, row {wrong[0] + 1}",
        )
    return value_R


CSV = TraceReader(name="csv", title="a table of counts, CSV", recognises=_is_csv, read=_read_csv)
PARQUET = TraceReader(name="parquet", title="a table of counts, Parquet", recognises=_is_parquet, read=_read_parquet)
