"""The stop rule: a listener that ends a run which is sure to end badly. It listens only where it was asked for.

The way the data takes: every step -> now and then the curve so far -> outlook and limits -> `Stopped`, raised out of the training
loop with the reason. A stopped run has no held-out loss: it enters no table and no fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.lab.cell import Cell
from kleiber.lab.description import read_ladder
from kleiber.lab.faults import Fault
from kleiber.lab.outlook import Finished, outlook
from kleiber.lab.progress import STOPPED, finished_runs
from kleiber.lab.warning import MARGIN, law_so_far, limits, verdict

if TYPE_CHECKING:
    import torch

    from kleiber.lab.curve import Curve, Recorder
    from kleiber.lab.train import Trainer

LOOKS = 20


class Stopped(Fault):
    """A run was stopped on purpose; the message says why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{STOPPED}{why}")


@dataclass(frozen=True, kw_only=True)
class Stop:
    """The stop rule of a ladder: what `listening` takes. `results` is where its finished runs and their curves lie."""

    ladder_toml: str
    results: Path
    margin: float = MARGIN

    def __call__(self, cell: Cell, recorder: Recorder) -> StopRule:
        """The rule for one run, against all that are finished when it begins."""
        done = finished_runs(read_ladder(self.ladder_toml), self.results)
        return StopRule(cell, recorder.curve, done, margin=self.margin)


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
        if why := self.reason():
            raise Stopped(why)

    def reason(self) -> str | None:
        """Why the run should be stopped now; None where it should not."""
        now = outlook(self._cell, self._curve(), self._finished)
        return None if now is None else verdict(now, self._limits, margin=self._margin)

    def end(self, row: Mapping[str, Any] | None) -> None:
        """Nothing is left to do."""
