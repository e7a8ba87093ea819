"""What a reader of routing traces is: a name, how to recognise its files, and a trace from a path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kleiber.experts.trace import RoutingTrace

HEAD_BYTES = 1 << 12


@dataclass(frozen=True, kw_only=True)
class TraceReader:
    """One format of routing traces.

    `recognises(path, head)`: whether the file, which begins with the bytes `head`, is of this format. `read(path)`: the trace;
    raises `InputError` naming file and line. To add a format, write one file with a `TraceReader` and list it in
    `kleiber.experts.read.READERS`.
    """

    name: str
    title: str
    recognises: Callable[[Path, bytes], bool]
    read: Callable[[Path], RoutingTrace]
