"""C text made into a library of functions, where a compiler is at hand; nothing is lost where there is none.

The way the data takes: C text -> `cc` -> a shared library in the user's cache folder, named by the hash of its text, flags and
processor -> ctypes. Whoever uses it has a second way of doing the same (NumPy); a kernel only spares the intermediate arrays.
`KLEIBER_KERNEL=0` switches all of them off.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

COMPILE = ("-O3", "-march=native", "-ffast-math", "-fopenmp-simd", "-fPIC", "-w", "-c")
# Linked without -ffast-math: with it, older compilers add start-up code that flushes subnormals to zero in the whole process.
LINK = ("-shared",)


def load(text: str) -> Any:
    """The library compiled from the C `text`, or None without a compiler (or with KLEIBER_KERNEL=0)."""
    compiler = _compiler()
    return None if compiler is None else _load(text, compiler)


def wanted() -> bool:
    """Whether there is a compiler, and kernels are not switched off."""
    return _compiler() is not None


def _compiler() -> str | None:
    off = os.environ.get("KLEIBER_KERNEL", "1") == "0"
    return None if off else _found(os.environ.get("CC", "cc"), os.environ.get("PATH"))


@functools.lru_cache(maxsize=8)
def _found(name: str, path: str | None) -> str | None:
    """Looked for once: a look takes as long as a thousand samples' fluctuations."""
    return shutil.which(name, path=path)


def pointer(array: Any) -> ctypes.c_void_p:
    """Where the numbers of a NumPy array start."""
    return ctypes.c_void_p(array.ctypes.data)


@functools.lru_cache(maxsize=64)
def _load(text: str, compiler: str) -> Any:
    name = hashlib.sha256("\0".join([text, compiler, *COMPILE, *LINK, _processor()]).encode()).hexdigest()[:24]
    try:
        folder = cache_folder()
        library = folder / f"{name}.so"
        if not library.exists():
            _compile(text, compiler, library)
        return ctypes.CDLL(str(library))
    except (OSError, subprocess.SubprocessError):
        return None  # no room, no permission, a compiler that knows other flags: NumPy does the work


def cache_folder() -> Path:
    """Where compiled kernels are kept: the user's cache folder, readable by the user alone."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "kleiber" / "kernels"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _compile(text: str, compiler: str, library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        code, compiled, built = (Path(scratch) / f"kernel.{end}" for end in ("c", "o", "so"))
        code.write_text(text, encoding="utf-8")
        for command in (
            [compiler, *COMPILE, "-o", str(compiled), str(code)],
            [compiler, *LINK, "-o", str(built), str(compiled), "-lm"],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        built.replace(library)


@functools.lru_cache(maxsize=1)
def _processor() -> str:
    """What -march=native depends on; a cache folder may be shared by unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return platform.machine() + platform.processor()
