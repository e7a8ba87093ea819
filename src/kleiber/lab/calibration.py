"""Ten seconds of training tell how long a ladder will take on this machine.

The way the data takes: the smallest, middle and largest shape of each family -> a few real steps each, the first left out ->
seconds per counted FLOP at three sizes -> straight lines between them over log params.
The one idea: small models are slow per FLOP, so one speed for all sizes would be wrong by a multiple.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kleiber.lab.cell import Cell
from kleiber.lab.corpus import Corpus
from kleiber.lab.dial import Shape
from kleiber.lab.thread import one_quick_thread

SECONDS = 10.0
LEAST_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Measured seconds per counted FLOP by family: (active params, seconds per FLOP), smallest first; one process."""

    points: Mapping[str, tuple[tuple[int, float], ...]]
    device: str

    def seconds(self, shape: Shape, flops: float) -> float:
        """Seconds for that many counted FLOPs of the shape."""
        params, rates = zip(*self.points[shape.family], strict=True)
        return flops * float(np.exp(np.interp(np.log(shape.active_params), np.log(params), np.log(rates))))


def calibrate(cells: Sequence[Cell], corpus: Corpus, *, seconds: float = SECONDS) -> Calibration:
    """Train the smallest, middle and largest shape of each family for their share of `seconds`, from scratch."""
    import torch

    chosen = [cell for family in dict.fromkeys(c.shape.family for c in cells) for cell in _three(cells, family)]
    points: dict[str, list[tuple[int, float]]] = {}
    with one_quick_thread():
        for cell in chosen:
            rate = _measured(cell, corpus, seconds / len(chosen))
            points.setdefault(cell.shape.family, []).append((cell.shape.active_params, rate))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU, one thread"
    return Calibration(points={family: tuple(found) for family, found in points.items()}, device=device)


def _three(cells: Sequence[Cell], family: str) -> list[Cell]:
    sizes = {cell.shape.active_params: cell for cell in cells if cell.shape.family == family}
    order = [sizes[size] for size in sorted(sizes)]
    return [order[place] for place in sorted({0, len(order) // 2, len(order) - 1})]


def _measured(cell: Cell, corpus: Corpus, seconds: float) -> float:
    from kleiber.lab.train import Trainer

    trainer = Trainer(cell.shape, cell.recipe, corpus, seed=cell.seed)
    trainer.train_trunk(1)  # the first step pays for what is set up once
    _settle()
    began = time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds or trainer.step <= LEAST_STEPS:
        trainer.train_trunk(trainer.step + 1)
        _settle()
    tokens = (trainer.step - 1) * cell.recipe.batch_tokens
    return spent / (tokens * cell.shape.counted_flops_per_token)


def _settle() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
