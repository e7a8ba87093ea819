"""Workers with a fault, for executors: a process of its own has to find them by name."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from typing import Any

from kleiber.lab import worker

FATAL_WIDTH = 16


def work_until_killed(ladder_toml: str, results_dir: str, registry_url: str, listening: Any) -> str | None:
    """As `work_for`, but that a run of width 16 has its process killed, as the system does where memory is short."""

    def killed_or_trained(cell: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        if cell.shape.width == FATAL_WIDTH:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"run": cell.run, "loss": 1.0}

    # Nothing is trained: these processes do without PyTorch.
    worker.one_quick_thread = nullcontext  # type: ignore[assignment]
    worker.train_cell = killed_or_trained  # type: ignore[assignment]
    return worker.work_for(ladder_toml, results_dir, registry_url, listening)
