"""The curve of a run: training loss and learning rate of every step, whole after any kill.

The way the data takes: the trainer tells its listeners of every step -> a `Recorder` keeps what it hears, without waiting for the
device -> `curves/RUN.parquet`, and at every checkpoint of a trunk a piece beside it, `trunks/TRUNK/STEP.parquet`.

The one idea: a piece holds the steps from the checkpoint it went on from to the one it stands beside. Whoever goes on from a
checkpoint walks the pieces back to the beginning, so no step is missing and none is there twice, whatever was killed in between.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.lab.folder import replacing, write_json

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from kleiber.lab.train import Trainer

SECONDS_BETWEEN_WRITES = 10.0
KINDS = {"step": "int64", "tokens": "int64", "loss": "float32", "lr": "float64", "wall_seconds": "float64"}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """S steps of a run, in order; `step_S` counts from 1, `loss_S` is the training loss of that step in nats per token.

    A student's loss is what it learns from, text and teacher mixed. `wall_seconds_S` goes on across a kill.
    """

    step_S: NDArray[np.int64]
    tokens_S: NDArray[np.int64]
    loss_S: NDArray[np.float32]
    lr_S: NDArray[np.float64]
    wall_seconds_S: NDArray[np.float64]

    def __len__(self) -> int:
        return self.step_S.size

    def until(self, step: int) -> Curve:
        """The steps up to and with `step`."""
        return self._part(slice(None, int(np.searchsorted(self.step_S, step, side="right"))))

    def after(self, step: int) -> Curve:
        """The steps that came after `step`."""
        return self._part(slice(int(np.searchsorted(self.step_S, step, side="right")), None))

    def _part(self, kept: slice) -> Curve:
        return Curve(**{field.name: getattr(self, field.name)[kept] for field in fields(self)})

    def then(self, later: Curve) -> Curve:
        """This curve with a later one behind it."""
        pairs = {field.name: (getattr(self, field.name), getattr(later, field.name)) for field in fields(self)}
        return Curve(**{name: np.concatenate(pair) for name, pair in pairs.items()})

    def save(self, path: Path) -> None:
        """Write as Parquet, atomically."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {name: pa.array(getattr(self, f"{name}_S"), type=pa.type_for_alias(KINDS[name])) for name in KINDS}
        with replacing(path) as file:
            pq.write_table(pa.table(columns), file)

    @staticmethod
    def load(path: Path) -> Curve:
        """Read what `save` wrote."""
        import pyarrow.parquet as pq

        columns = pq.read_table(path)
        return Curve(**{f"{name}_S": columns.column(name).to_numpy() for name in KINDS})


EMPTY = Curve(**{f"{name}_S": np.empty(0, dtype=kind) for name, kind in KINDS.items()})


class Recorder:
    """A listener that writes a run's curve: at every checkpoint, at the end and every few seconds. It is the run's clock, too."""

    def __init__(self, results: Path, run: str, *, writes: bool = True) -> None:
        # Of several ranks that train a run, one writes.
        self._writes = writes
        self._path = results / "curves" / f"{run}.parquet"
        self._began = self._written = time.perf_counter()
        self._seconds_before = 0.0
        self._from_step = 0
        self._known = EMPTY
        self._heard: list[tuple[int, int, torch.Tensor, float, float]] = []

    def go_on_from(self, checkpoint: Path) -> None:
        """Take up the curve that led to a trunk's checkpoint, and the seconds it took."""
        self._known = lead_to(checkpoint)
        self._from_step = int(checkpoint.stem)
        self._seconds_before = json.loads(checkpoint.with_suffix(".json").read_text())["wall_seconds"]

    def seconds(self) -> float:
        """How long the run has taken by now, all its processes together."""
        return self._seconds_before + time.perf_counter() - self._began

    def __call__(self, trainer: Trainer, lr: float, loss: torch.Tensor) -> None:
        """Note a step. The loss stays on its device until the curve is written: reading it would wait for the step to end."""
        tokens = trainer.step * trainer.recipe.batch_tokens
        self._heard.append((trainer.step, tokens, loss, lr, self.seconds()))
        if time.perf_counter() - self._written > SECONDS_BETWEEN_WRITES:
            self.write()

    def end(self, row: Mapping[str, Any] | None) -> None:
        """Write what was heard of a run that is over, however it ended."""
        self.write()

    def curve(self) -> Curve:
        """The curve up to the last step heard of."""
        if self._heard:
            self._known = self._known.then(_heard(self._heard))
            self._heard = []
        return self._known

    def write(self) -> None:
        """Bring the run's file up to the last step heard of."""
        if self._writes:
            self.curve().save(self._path)
        self._written = time.perf_counter()

    def keep_beside(self, checkpoint: Path) -> None:
        """Write the clock, and the piece that leads from the checkpoint before to this one, which is not there yet."""
        self.write()
        if not self._writes:
            return
        write_json(checkpoint.with_suffix(".json"), {"wall_seconds": self.seconds()})
        self._known.after(self._from_step).save(checkpoint.with_suffix(".parquet"))
        self._from_step = int(checkpoint.stem)


def _heard(steps: list[tuple[int, int, torch.Tensor, float, float]]) -> Curve:
    import torch

    step, tokens, loss, lr, seconds = zip(*steps, strict=True)
    return Curve(
        step_S=np.array(step),
        tokens_S=np.array(tokens),
        loss_S=torch.stack(loss).float().cpu().numpy(),
        lr_S=np.array(lr),
        wall_seconds_S=np.array(seconds),
    )


def lead_to(checkpoint: Path) -> Curve:
    """The curve that leads to a trunk's checkpoint: its piece, behind that of the checkpoint it went on from, and so on.

    Checkpoints written before there were curves have no piece: what came before them is missing.
    """
    pieces: list[Curve] = []
    step = int(checkpoint.stem)
    while step > 0 and (path := checkpoint.with_name(f"{step}.parquet")).exists():
        piece = Curve.load(path)
        pieces.append(piece)
        step = int(piece.step_S[0]) - 1
    curve = EMPTY
    for piece in reversed(pieces):
        curve = curve.then(piece)
    return curve
