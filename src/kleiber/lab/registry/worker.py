"""Who trains, and how others on the same machine see at once that a worker is gone.

The one idea: a worker holds a lock of the operating system on a file of its own for as long as it lives. However it ends, the
lock ends with it, so whoever can take the lock knows. Workers on other machines are known by their heartbeat alone (`claims`).
"""

from __future__ import annotations

import fcntl
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One process that trains: a name that no other ever has, where it runs, and the folder of the workers' locks."""

    name: str
    host: str
    pid: int
    locks: Path


@contextmanager
def at_work(locks: Path) -> Iterator[Worker]:
    """A worker that is seen to be alive within the block."""
    worker = Worker(name=uuid.uuid4().hex, host=socket.gethostname(), pid=os.getpid(), locks=locks)
    path = locks / worker.name
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield worker
        finally:
            path.unlink(missing_ok=True)


def is_gone(locks: Path, name: str) -> bool:
    """Whether the worker of that name, of this machine, has ended without a word; False where its lock is not kept here."""
    try:
        with (locks / name).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except (BlockingIOError, FileNotFoundError):
        return False
