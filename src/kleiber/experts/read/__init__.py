"""Readers of routing traces: one file per format, listed here; `read_trace` takes any of them.

The order matters: the first reader that recognises a file reads it.
"""

from __future__ import annotations

from pathlib import Path

from kleiber.errors import InputError
from kleiber.experts.read.array import ARRAY, array_of
from kleiber.experts.read.columns import CSV, PARQUET
from kleiber.experts.read.reader import HEAD_BYTES, TraceReader
from kleiber.experts.read.router_trace import ROUTER_TRACE
from kleiber.experts.trace import RoutingTrace

READERS: tuple[TraceReader, ...] = (ARRAY, PARQUET, ROUTER_TRACE, CSV)


def read_trace(path: str | Path) -> RoutingTrace:
    """The routing trace at `path`; raises `InputError` naming the file and what in it cannot be read."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=str(path)) from None
    for reader in READERS:
        if reader.recognises(path, head):
            return reader.read(path)
    raise InputError(
        "this is no routing trace that Kleiber knows",
        expected=", ".join(reader.title for reader in READERS),
        where=str(path),
    )


__all__ = ["READERS", "TraceReader", "array_of", "read_trace"]
