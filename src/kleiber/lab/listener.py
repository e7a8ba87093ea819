"""Who may listen while a run trains: stop rules, loggers, diagnostics, all by one hook.

The way the data takes: a `Listening` (what was asked for, small enough to be sent to another process) -> for each run a
`Listener` -> called after every step, and once at the run's end.

The one idea: a listener hears and may raise, which fails the run with its words; it changes nothing. A run's bits are the same
whoever listens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from kleiber.lab.cell import Cell
    from kleiber.lab.curve import Recorder
    from kleiber.lab.train import Trainer


class Listener(Protocol):
    """One run's listener."""

    def __call__(self, trainer: Trainer, lr: float, loss: torch.Tensor) -> None:
        """A step was taken at the rate `lr`; `loss` is a scalar that is still on its device."""

    def end(self, row: Mapping[str, Any] | None) -> None:
        """The run is over: its row, or None where it has none because it failed, was stopped or interrupted."""


class Listening(Protocol):
    """Makes the listener of a run."""

    def __call__(self, cell: Cell, recorder: Recorder) -> Listener:
        """Whoever is to hear the run of `cell`; the recorder has its curve, also of the steps before this process."""
        ...


class Pulse:
    """Calls a function after every step, of whichever run: for whoever wants to be called now and then while training goes on."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat

    def __call__(self, cell: Cell, recorder: Recorder) -> Listener:
        """The same for every run."""
        return _Beat(self._beat)


class _Beat:
    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat

    def __call__(self, trainer: Trainer, lr: float, loss: torch.Tensor) -> None:
        self._beat()

    def end(self, row: Mapping[str, Any] | None) -> None:
        self._beat()


class Audience:
    """The listeners of one run, as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)
        self.row: Mapping[str, Any] | None = None

    def __call__(self, trainer: Trainer, lr: float, loss: torch.Tensor) -> None:
        """Tell each of a step."""
        for listener in self._listeners:
            listener(trainer, lr, loss)

    def end(self, row: Mapping[str, Any] | None) -> None:
        """Tell each that the run is over."""
        for listener in self._listeners:
            listener.end(row)


@contextmanager
def audience(cell: Cell, recorder: Recorder, wanted: Sequence[Listening]) -> Iterator[Audience]:
    """The recorder and the listeners that were asked for, told of the end however the block is left, with the row set in it."""
    # The recorder first: the others may ask it for the curve, up to the step that they hear of.
    present = Audience([recorder, *(listening(cell, recorder) for listening in wanted)])
    try:
        yield present
    finally:
        present.end(present.row)
