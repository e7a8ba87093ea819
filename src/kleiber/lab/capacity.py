"""How many workers of a ladder this machine holds: one per core, and no more than fit in memory.

The one idea: a worker that the system takes down for its memory is dearer than one that was never started, so each is counted at
its largest run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kleiber.lab.cell import Cell
from kleiber.lab.shape import VOCABULARY

GROUP = Path("/sys/fs/cgroup")
WORKER_BYTES = 450_000_000
"""A process with PyTorch loaded and a corpus of 10 MB in its hands, before it has a model."""
STATE_BYTES = 28
"""Of every parameter: weight, gradient, two moments, and the three vectors of a checkpoint while it is written."""
LOGIT_BYTES = 5 * 4
"""Of every token and byte value: logits, their softmax, the gradient of both, and the teacher's."""
ACTIVATION_BYTES = 40 * 4
"""Of every token, channel and block, kept for the backward pass."""


def workers_that_fit(cells: Sequence[Cell]) -> int:
    """As many as there are cores and trunks (two workers never share one), and as fit in the free memory; at least one."""
    trunks = len({cell.trunk for cell in cells})
    largest = max(worker_bytes(cell) for cell in cells)
    return max(1, min(_cores(), trunks, free_bytes() // largest))


def worker_bytes(cell: Cell) -> int:
    """What a worker takes at most while it trains the cell, counted generously."""
    shape, tokens = cell.shape, cell.recipe.batch_tokens
    per_token = VOCABULARY * LOGIT_BYTES + shape.width * shape.depth * ACTIVATION_BYTES
    return WORKER_BYTES + shape.params_total * STATE_BYTES + tokens * per_token


def free_bytes() -> int:
    """Memory that can be taken now: what Linux says is available and what a limit on this group of processes leaves."""
    if sys.platform != "linux":
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    lines = Path("/proc/meminfo").read_text().splitlines()
    (available,) = (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    limit, used = GROUP / "memory.max", GROUP / "memory.current"
    if not limit.exists() or (most := limit.read_text().strip()) == "max":
        return available
    return min(available, int(most) - int(used.read_text()))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
