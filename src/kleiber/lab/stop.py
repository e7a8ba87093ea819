"""The stop rule: a listener that ends a run which is sure to end badly. It listens only where it was asked for.

The way the data takes: every step -> now and then the curve so far -> outlook and limits -> `Stopped`, raised out of the training
loop with the reason. A stopped run has no held-out loss: it enters no table and no fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kleiber.errors import KleiberError
from kleiber.lab.cell import Cell
from kleiber.lab.outlook import Finished, outlook
from kleiber.lab.warning import MARGIN, law_so_far, limits, verdict

if TYPE_CHECKING:
    import torch

    from kleiber.lab.curve import Curve
    from kleiber.lab.train import Trainer

LOOKS = 20


class Stopped(KleiberError):  # noqa: N818 - what happened to the run, not to the program
    """A run was stopped on purpose; the message says why."""


class StopRule:
    """Looks at a run twenty times on its way, from the first quarter on."""

    def __init__(
        self, cell: Cell, curve: Callable[[], Curve], finished: Sequence[Finished], *, margin: float = MARGIN
    ) -> None:
        self._cell, self._curve, self._finished = cell, curve, finished
        self._margin = margin
        self._steps = cell.recipe.steps(cell.tokens)
        self._limits = limits(cell, finished, law_so_far(cell, finished))

    def __call__(self, trainer: Trainer, lr: float, loss: torch.Tensor) -> None:
        """Raise `Stopped` where the verdict is that the run is lost."""
        every = max(1, self._steps // LOOKS)
        if not self._limits or trainer.step % every or 4 * trainer.step < self._steps:
            return
        now = outlook(self._cell, self._curve(), self._finished)
        if now is not None and (why := verdict(now, self._limits, margin=self._margin)):
            raise Stopped(why)
