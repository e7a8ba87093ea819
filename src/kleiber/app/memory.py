"""The tables and fits that a process keeps at hand: the last few, so that a slider need not fit again.

One idea: a fit is asked for by what decides it (the file, how it is read, how it is fitted), and lies under a hash of that beside
the upload, where every process finds it.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.runs import RunTable

Asked = Mapping[str, Any]
MOST = 8


class Kept:
    """The last few values by key."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._values: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The value of a key, made where it is not at hand."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return value


TABLES, FITS, DRAWN = Kept(), Kept(), Kept(24)


def key_of(*parts: Any) -> str:
    """A hash of what was asked."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def table_of(asked: Asked) -> RunTable:
    """The run table of an upload, read as asked."""
    source, reading = asked["sources"][0], asked["reading"]
    return TABLES.get(key_of(source, reading), lambda: _read(source, reading))


def fit_of(asked: Asked) -> Fit:
    """The law fitted as asked to the run table of an upload."""
    source, reading, fitting = asked["sources"][0], asked["reading"], asked["fitting"]
    name = key_of(reading, fitting)
    return FITS.get(key_of(source, name), lambda: _fitted(asked, Path(source["folder"]) / f"{name}.fit.json"))


def _fitted(asked: Asked, path: Path) -> Fit:
    from kleiber.fit.store import load, save

    table = table_of(asked)
    if path.exists():
        return replace(load(path), table=table)
    found = options(asked["fitting"]).fit(table)
    try:
        save(found, path)
    except ValueError:  # a refused fit may hold what JSON does not have; it is made again
        path.unlink(missing_ok=True)
    return found


def options(fitting: Asked) -> Any:
    """The fitting options of the shell, from a request."""
    from kleiber.cli.options import Fitting

    given = {name: value for name, value in fitting.items() if value not in (None, {}, [])}
    fix = given.pop("fix", {})
    return Fitting(fix=[f"{name}={value!r}" for name, value in fix.items()] or None, **given)


def _read(source: Asked, reading: Asked) -> RunTable:
    from kleiber.runs import Conventions, read

    limited(source)
    table = read(
        source["path"],
        map=reading["map"] or None,
        where=reading["where"] or None,
        conventions=Conventions(**reading["conventions"]) if reading["conventions"] else None,
        format=reading["format"] or None,
    )
    return replace(table, source=source["name"])


def limited(source: Asked) -> None:
    """Raises `InputError` for a file with more rows or columns than are read here, before it is unfolded."""
    counts = zip(("rows", "columns"), extent(Path(source["path"])), (source["rows"], source["columns"]), strict=True)
    for what, count, most in counts:
        if count > most:
            raise InputError(
                f"there are too many {what}", found=f"{count:,}", expected=f"at most {most:,}", where=source["path"]
            )


def extent(path: Path) -> tuple[int, int]:
    """Rows and columns of a file, as far as they are known without reading its values."""
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    if path.suffix.lower() == ".npy":
        return 0, 0
    with path.open("rb") as file:
        first = file.readline(1 << 20)
        rows = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return rows, max(first.count(sign) for sign in (b",", b"\t", b";", b"|")) + 1


def _parquet(path: Path) -> tuple[int, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return file.metadata.num_rows, file.metadata.num_columns
    except (pa.ArrowException, OSError) as error:
        raise InputError("this is no Parquet file", where=str(path), found=str(error).splitlines()[0][:120]) from None
