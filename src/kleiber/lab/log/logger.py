"""What the loggers share: when something is written, under which names, and what a run is.

The one idea: a program gets means over stretches of steps, about two hundred a run, so that logging costs nothing to speak of and
the loss is read from its device that often only. A program that fails is left alone from there on, and training goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
        writing = _Writing(cell=cell)
        with writing.forgiven():
            writing.book = self.open(self.place, cell, settings(cell))
        return writing


@dataclass(kw_only=True)
class _Writing:
    """One run on its way into a book; none where the program has failed."""

    cell: Cell
    book: Book | None = None
    heard: list[torch.Tensor] = field(default_factory=list)
    since_seconds: float = field(default_factory=time.perf_counter)

    def __call__(self, trainer: Trainer, lr: float, loss: torch.Tensor) -> None:
        if self.book is None:
            return
        self.heard.append(loss)
        if trainer.step % max(1, self.cell.recipe.steps(self.cell.tokens) // POINTS):
            return
        now, batch_tokens = time.perf_counter(), self.cell.recipe.batch_tokens
        numbers = {
            "train/loss": sum(float(each) for each in self.heard) / len(self.heard),
            "lr": lr,
            "tokens": float(trainer.step * batch_tokens),
            "tokens_per_second": len(self.heard) * batch_tokens / max(now - self.since_seconds, 1e-9),
        }
        self.heard, self.since_seconds = [], now
        with self.forgiven():
            self.book.write(trainer.step, numbers)

    def end(self, row: Mapping[str, Any] | None) -> None:
        if self.book is None:
            return
        with self.forgiven():
            if row is not None:
                last = {"val/loss": row["loss"], "tokens": float(row["tokens"])}
                self.book.write(self.cell.recipe.steps(self.cell.tokens), last)
            self.book.close(finished=row is not None)

    @contextmanager
    def forgiven(self) -> Iterator[None]:
        """Whatever goes wrong in somebody else's program is said once, and ends the writing, not the run."""
        try:
            yield
        except Exception as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            sys.stderr.write(f"kleiber: run {self.cell.run} is no longer logged: {said}\n")
            self.book = None


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
