"""What an executor is: a place that runs one call at a time and says how it ended, and a thread here for each of its workers.

One idea: every place (a process on this machine, a Ray cluster, Slurm) is a blocking call `run(function, args)`; futures, queues
and cancelling are those of the standard library's threads, written once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol

from kleiber.errors import InputError, KleiberError

Outcome = tuple[Any, Exception | None]
"""What a call returned, or what it raised."""


class LostWorker(KleiberError):  # noqa: N818 - it names what happened
    """A worker went while it ran a job: killed, out of memory, or with its machine. Other jobs are none the worse."""


class Place(Protocol):
    """Where jobs run. `run` blocks and may be called by several threads at once; `stop` makes every `run` under way end."""

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """The value of `function(*args)`; raises what it raised, or `LostWorker`."""
        ...

    def stop(self) -> None:
        """Let all workers go, those at work too."""
        ...


class Executor:
    """`submit` and `shutdown` as in `concurrent.futures`; a `with` block waits for its jobs, or drops them when it fails."""

    def __init__(self, place: Place, *, workers: int) -> None:
        if workers < 1:
            raise InputError("there must be a worker", found=workers, expected="1 or more workers")
        self.workers = workers
        self._place = place
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="kleiber-worker")

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Have `function(*args)` run by the next free worker.

        Its module must be importable where it runs. What it raises comes back from `Future.result()` as itself, and `LostWorker`
        if its worker was killed.
        """
        return self._threads.submit(self._place.run, function, args)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the workers go: after all jobs are done, or at once with `cancel_futures`, which ends those at work too."""
        if cancel_futures:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._place.stop()
        self._threads.shutdown(wait=wait)
        if wait:
            self._place.stop()

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(cancel_futures=kind is not None)


def outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    """Call, and catch: run where the job is, so that what it raised travels as a value.

    >>> outcome(divmod, (7, 2))
    ((3, 1), None)
    >>> outcome(divmod, (7, 0))[1]
    ZeroDivisionError(...)
    """
    try:
        return function(*args), None
    except Exception as error:
        return None, error


def value_of(ended: Outcome) -> Any:
    """The value of an outcome; raises what its call raised."""
    value, error = ended
    if error is not None:
        raise error
    return value
