"""Weights & Biases: a run per run (extra `wandb`). Offline, unless you have chosen a mode yourself.

Nothing leaves the machine because a program was asked to log: without `WANDB_MODE` the files stay under `wandb/` until
`wandb sync` is called. The place is the project's name, `kleiber` where none is given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from kleiber.lab.cell import Cell
from kleiber.lab.log.logger import Logger

PROJECT = "kleiber"


class _Logged:
    """One run of W&B's."""

    def __init__(self, place: str, cell: Cell, settings: Mapping[str, Any]) -> None:
        import wandb  # type: ignore[import-not-found]

        mode = None if "WANDB_MODE" in os.environ else "offline"
        self._run = wandb.init(
            project=place or PROJECT, name=cell.run, config=dict(settings), mode=mode, reinit="create_new"
        )

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """One row of the history."""
        self._run.log(dict(numbers), step=step)

    def close(self, *, finished: bool) -> None:
        """Finished or failed."""
        self._run.finish(exit_code=0 if finished else 1)


LOGGER = Logger(name="wandb", package="wandb", extra="wandb", needs_place=False, open=_Logged)
