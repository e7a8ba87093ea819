"""NumPy arrays: counts as .npy, layers x experts or steps x layers x experts. Nothing is ever unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kleiber.errors import InputError
from kleiber.experts.read.reader import TraceReader
from kleiber.experts.trace import RoutingTrace

MAGIC = b"\x93NUMPY"


def recognises(path: Path, head: bytes) -> bool:
    """By the magic bytes, or the suffix."""
    return head.startswith(MAGIC) or path.suffix == ".npy"


def read(path: Path) -> RoutingTrace:
    """The array as a trace."""
    return RoutingTrace.from_counts(array_of(path), source=str(path))


def array_of(path: Path) -> np.ndarray:
    """The array of a file; raises `InputError` where it is none, is cut short or holds objects."""
    try:
        found = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=str(path)) from None
    except (ValueError, EOFError, MemoryError, SyntaxError) as error:
        raise InputError(
            "this is no NumPy array, or one cut short",
            found=str(error).split("\n")[0][:160] or "an empty file",
            expected="numpy.save of an array of numbers",
            where=str(path),
        ) from None
    if not isinstance(found, np.ndarray):
        found.close()
        raise InputError("this is an archive of arrays", expected="one array, as numpy.save writes it", where=str(path))
    return found


ARRAY = TraceReader(name="npy", title="a NumPy array of counts", recognises=recognises, read=read)
