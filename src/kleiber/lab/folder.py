"""What a ladder leaves on disk: a JSON file per finished run, checkpoints, teachers' weights; each whole or not there.

    runs/      the row of every finished run, written before the registry hears of it: a dead database loses nothing
    curves/    the curve of every run, as far as it is (`kleiber.lab.curve`)
    trunks/    a checkpoint at every branch point, to go on from
    teachers/  the weights of runs that others learn from
    claims/    a lock per worker (`kleiber.lab.registry.worker`)

The one idea: a file is written under another name, flushed to disk, and renamed. A kill or a full disk leaves the old file or the
new one, never half of one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from kleiber.lab.cell import Cell


def make_folders(results: Path) -> None:
    """Make what is missing of a results folder."""
    for folder in ("runs", "curves", "trunks", "teachers", "claims"):
        (results / folder).mkdir(parents=True, exist_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write in the place of `path`, which it takes when the block ends well; else nothing is left of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically."""
    with replacing(path) as file:
        file.write(json.dumps(content, indent=1).encode())


def finished(results: Path, cell: Cell) -> dict[str, Any] | None:
    """The row of a finished run in this folder, or `None` while there is none."""
    path = results / "runs" / f"{cell.run}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
