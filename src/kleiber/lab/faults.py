"""What can go wrong while a run trains, and whose fault it is.

The one idea: a fault of the run (it diverged, it does not fit in memory, its settings make no sense) fails the run, and the sweep
goes on; a fault of the machine (a full disk, a missing package) stops the worker, and the run waits for a better one.
"""

from __future__ import annotations

from kleiber.errors import KleiberError


class Fault(KleiberError):  # noqa: N818 - what happened to the run, not to the program
    """A run has ended without a result; the message is the reason that is written down."""


class Diverged(Fault):
    """The loss of a run is no longer a number."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(f"diverged at step {step}")


def reason(error: Exception) -> str | None:
    """Why a run fails by this error, in a sentence of one line; `None` where the run is not to blame."""
    if isinstance(error, (OSError, ImportError)):
        return None
    said = str(error).strip().splitlines()
    what = said[0] if said else ""
    if isinstance(error, Fault):
        return what
    if isinstance(error, MemoryError) or _is_allocation(error):
        return f"out of memory: {what}" if what else "out of memory"
    return f"{type(error).__name__}: {what}"


def _is_allocation(error: Exception) -> bool:
    """PyTorch says so in a RuntimeError: a class of its own on a GPU, in words on a processor."""
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in said
        for words in ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")
    )
