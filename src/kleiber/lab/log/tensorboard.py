"""TensorBoard: an event file per run, in a folder of the run's name (extra `tensorboard`).

Written through the package `tensorboard`, as PyTorch does; a settings table goes in as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kleiber.lab.cell import Cell
from kleiber.lab.log.logger import Logger


class _Events:
    """One run's event file."""

    def __init__(self, place: str, cell: Cell, settings: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(Path(place) / cell.run))
        rows = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
        self._writer.add_text("settings", f"| setting | value |\n|---|---|\n{rows}")

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """A scalar for each number."""
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)

    def close(self, *, finished: bool) -> None:
        """Flush and close the file."""
        self._writer.close()


LOGGER = Logger(name="tensorboard", package="tensorboard", extra="tensorboard", needs_place=True, open=_Events)
