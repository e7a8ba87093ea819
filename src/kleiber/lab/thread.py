"""How a run is trained on a processor: one thread, no subnormal numbers, memory that is kept.

One idea: tiny models gain nothing from a second thread, a weight that has decayed to a subnormal number slows every product that
it is in, and a step that hands its memory back has it cleared by the system page by page before the next one can use it. All
three are settings of the whole process, so they are borrowed and given back.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of the GNU C library's mallopt(3), which cannot be asked what they were, and their documented defaults.
TRIM_THRESHOLD, MMAP_MAX = -1, -4
TRIM_DEFAULT, MMAP_DEFAULT = 128 * 1024, 65_536
NEVER = 2**31 - 1


@contextmanager
def one_quick_thread() -> Iterator[None]:
    """One thread, subnormal numbers as zero and freed memory kept, for as long as it lasts; then the caller's settings again."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    _keep_memory(trim=NEVER, mapped=0)
    try:
        yield
    finally:
        _keep_memory(trim=TRIM_DEFAULT, mapped=MMAP_DEFAULT)
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def _keep_memory(*, trim: int, mapped: int) -> None:
    """How much free memory to hold before any goes back, and how many large blocks may come from the system one by one."""
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(TRIM_THRESHOLD, trim)
        library.mallopt(MMAP_MAX, mapped)
