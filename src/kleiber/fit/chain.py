"""Chain: a file of JSON lines to which one can only add, each line vouching for those before it.

The way the data takes: content -> one line that carries the hash of the line before it and its own -> one write at the end of
the file, flushed to the disk. Back: bytes -> lines -> links, and faults with their line numbers.
The one idea: a line's hash covers its content and the hash before it, so whoever has noted one hash can tell whether anything up
to there was changed, removed or moved since. What a kill or a full disk leaves behind is one torn line, which is passed over.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kleiber.errors import InputError

FIRST = ""  # what the first line names as the hash before it
LAST = re.compile(rb'"hash": "[^"]*"}$')  # how a line ends that was written to its end
MOST_BYTES = 1 << 28


@dataclass(frozen=True, kw_only=True)
class Link:
    """One line that is as it was written: its 1-based number, its content and its hash."""

    line: int
    content: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with one line."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"Line {self.line} {self.what}."

    def to_json(self) -> dict[str, Any]:
        """One entry of `faults`."""
        return {"line": self.line, "what": self.what}


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The lines of a file: those that stand, the faults, how many lines there are, and the hash that the next one must name."""

    links: tuple[Link, ...]
    faults: tuple[Fault, ...]
    lines: int
    head: str


def read(path: str | Path, schema: str) -> Chain:
    """The chain in the file at `path`. Raises `InputError` where it cannot be read or holds something else."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError("this is no plain file", where=str(path))
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # so that no half-written line is seen
            return parse(_bytes_of(file.fileno()), schema, where=str(path))
    except OSError as error:
        raise InputError("the file cannot be read", where=str(path), found=error.strerror) from None


def append(path: str | Path, schema: str, compose: Callable[[Chain], Mapping[str, Any]]) -> Link:
    """Add what `compose` makes of the chain so far as its next line; nobody else can add one in between.

    A write that fails leaves the file as it was; raises `InputError` then, and where the file is not a chain of `schema`.
    """
    try:
        with _locked(Path(path)) as file:
            before = _bytes_of(file)
            chain = parse(before, schema, where=str(path))
            record = sealed({"schema": schema, **compose(chain)}, chain.head)
            torn = b"" if before.endswith(b"\n") or not before else b"\n"
            _write(file, torn + _encoded(record) + b"\n", len(before))
    except OSError as error:
        raise InputError("cannot write the file", where=str(path), found=error.strerror) from None
    return Link(line=before.count(b"\n") + bool(torn) + 1, content=record, hash=record["hash"])


def parse(data: bytes, schema: str, *, where: str) -> Chain:
    """The lines of `data`, each held against its own hash and the one before. Raises `InputError` for another kind of file."""
    start = _encoded({"schema": schema})[:-1]
    lines = data.split(b"\n")
    whole = [line.rstrip(b"\r") for line in (lines if lines[-1] else lines[:-1])]
    if any(whole) and not any(line and (line.startswith(start) or start.startswith(line)) for line in whole):
        raise InputError("this is no ledger", where=where, expected=f"lines of {schema}")
    links: list[Link] = []
    faults: list[Fault] = []
    before = FIRST
    for number, line in enumerate(whole, start=1):
        if not line:
            continue
        record = _record(line, schema)
        if isinstance(record, str):
            faults.append(Fault(line=number, what=record))
            continue
        if record["previous"] != before:
            after = f"line {links[-1].line}" if links else "the start"
            what = (
                f"breaks the chain: it was not written after {after}; what stood between was changed, moved or removed"
            )
            faults.append(Fault(line=number, what=what))
        before = record["hash"]
        if _encoded(sealed(record, record["previous"])) != line:
            faults.append(Fault(line=number, what="was changed after it was written, and is left out"))
        else:
            links.append(Link(line=number, content=record, hash=before))
    return Chain(links=tuple(links), faults=tuple(faults), lines=len(whole), head=before)


def sealed(content: Mapping[str, Any], previous: str) -> dict[str, Any]:
    """`content` with the hash before it and its own, `sha256:...` over everything else.

    >>> sealed({"schema": "x"}, "")["hash"][:19]
    'sha256:7881d51860f1'
    """
    record = {name: value for name, value in content.items() if name not in ("previous", "hash")}
    record["previous"] = previous
    return {**record, "hash": "sha256:" + hashlib.sha256(_encoded(record)).hexdigest()}


def _record(line: bytes, schema: str) -> dict[str, Any] | str:
    """The line as JSON, or what is wrong with it."""
    try:
        record = json.loads(line.decode("ascii"), parse_constant=_no_constant)
        json.dumps(record, allow_nan=False)
    except (ValueError, RecursionError):
        if LAST.search(line):
            return "cannot be read, and is left out"
        return "was cut short while it was written; only that entry is lost"
    if not isinstance(record, dict) or not all(isinstance(record.get(name), str) for name in ("previous", "hash")):
        return "is no entry of a ledger, and is left out"
    if record.get("schema") != schema:
        return f"is of another kind ({str(record.get('schema'))[:40]}), and is left out"
    return record


def _no_constant(word: str) -> float:
    raise ValueError(word)


def _encoded(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, allow_nan=False).encode("ascii")


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file open for adding to, held alone; other writers wait."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise InputError("this is no plain file", where=str(path))
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _bytes_of(file: int) -> bytes:
    size = os.fstat(file).st_size
    if size > MOST_BYTES:
        raise InputError("the file is too large for a ledger", found=f"{size} bytes")
    pieces, at = [], 0
    while piece := os.pread(file, size - at, at):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def _write(file: int, data: bytes, size: int) -> None:
    """One write at the end and a flush to the disk; where either fails, the file is as before."""
    try:
        while data:  # a second turn only brings out why the first was cut short
            data = data[os.write(file, data) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise
