"""What the loggers share: when something is written, under which names, and what a run is.

The one idea: a program gets means over stretches of steps, about two hundred a run, so that logging costs nothing to speak of and the
loss is read from its device that often only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from kleiber.errors import InputError
from kleiber.lab.cell import Cell
from kleiber.lab.listener import Listening

if TYPE_CHECKING:
    import torch

    from kleiber.lab.curve import Recorder
    from kleiber.lab.train import Trainer

POINTS = 200


class Book(Protocol):
    """Where one run is written: numbers by name and step, and a last word."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Numbers of one step."""

    def close(self, *, finished: bool) -> None:
        """Nothing more comes."""


Open = Callable[[str, Cell, Mapping[str, Any]], Book]
"""A place, the run and what it is made of -> where to write it."""


@dataclass(frozen=True, kw_only=True)
class Logger:
    """A program that draws curves: its name, the package and extra it needs, how a place is opened."""

    name: str
    package: str
    extra: str
    needs_place: bool
    open: Open

    def at(self, place: str) -> Listening:
        """Listeners that write to a place."""
        if self.needs_place and not place:
            raise InputError(f"{self.name} needs a place", expected=f"{self.name}:FOLDER", where="--log")
        if find_spec(self.package) is None:
            raise InputError(
                f"logging to {self.name} needs the package {self.package}, which is not installed",
                remedy=f"pip install 'kleiber[{self.extra}]'",
                where="--log",
            )
        return _Writes(place=place, open=self.open)


@dataclass(frozen=True, kw_only=True)
class _Writes:
    """Made of a place and a function, so that another process can have it."""

    place: str
    open: Open

    def __call__(self, cell: Cell, recorder: Recorder) -> _Writing:
        return _Writing(cell=cell, book=self.open(self.place, cell, settings(cell)))


@dataclass(kw_only=True)
class _Writing:
    """One run on its way into a book."""

    cell: Cell
    book: Book
    heard: list[torch.Tensor] = field(default_factory=list)
    since_seconds: float = field(default_factory=time.perf_counter)

    def __call__(self, trainer: Trainer, lr: float, loss: torch.Tensor) -> None:
        self.heard.append(loss)
        recipe = self.cell.recipe
        every = max(1, recipe.steps(self.cell.tokens) // POINTS)
        if trainer.step % every:
            return
        now = time.perf_counter()
        numbers = {
            "train/loss": sum(float(each) for each in self.heard) / len(self.heard),
            "lr": lr,
            "tokens": float(trainer.step * recipe.batch_tokens),
            "tokens_per_second": len(self.heard) * recipe.batch_tokens / max(now - self.since_seconds, 1e-9),
        }
        self.book.write(trainer.step, numbers)
        self.heard, self.since_seconds = [], now

    def end(self, row: Mapping[str, Any] | None) -> None:
        if row is not None:
            last = {"val/loss": row["loss"], "tokens": float(row["tokens"])}
            self.book.write(self.cell.recipe.steps(self.cell.tokens), last)
        self.book.close(finished=row is not None)


def settings(cell: Cell) -> dict[str, Any]:
    """What a run is, flat: shape, recipe, budget, seed."""
    shape, recipe = cell.shape, cell.recipe
    return {
        "family": shape.family,
        "params": shape.active_params,
        "width": shape.width,
        "depth": shape.depth,
        "tokens_planned": cell.tokens,
        "seed": cell.seed,
        "corpus": cell.corpus,
        "lr_peak": recipe.peak_lr(shape.width),
        "batch_tokens": recipe.batch_tokens,
        "warmup_tokens": recipe.warmup_tokens,
        "decay_fraction": recipe.decay_fraction,
    }
