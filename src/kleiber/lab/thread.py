"""How a run is trained on a processor: one thread, and no subnormal numbers.

One idea: tiny models gain nothing from a second thread, and a weight that has decayed to a subnormal number slows every product
that it is in. Both are settings of the whole process, so they are borrowed and given back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_quick_thread() -> Iterator[None]:
    """One thread, and subnormal numbers flushed to zero, for as long as it lasts; the caller's process is left as it was."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)
