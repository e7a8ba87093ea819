"""Jobs as processes of this machine, one process each.

The one idea: a job that is killed takes no other with it. (A pool of `concurrent.futures` ends all its processes when one is
killed.) A process ends when whoever started it is gone, so that no sweep goes on unseen.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import Any, TypeVar

T = TypeVar("T")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ProcessLost(RuntimeError):  # noqa: N818 - what happened
    """A job's process ended without an answer: it was killed, or the system took it down for its memory."""


class LocalExecutor(Executor):
    """At most `workers` jobs at once, each in a new process of one thread."""

    def __init__(self, *, workers: int) -> None:
        # Spawned, not forked: a fork would inherit the threads of whatever the caller has loaded.
        self._context = multiprocessing.get_context("spawn")
        self._free = threading.Semaphore(workers)
        self._processes: list[BaseProcess] = []
        self._threads: list[threading.Thread] = []
        self._open, self._cancelled = True, False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run `fn(*args)` in a process of its own; the future has its answer, its exception, or `ProcessLost`."""
        if not self._open:
            raise RuntimeError("the executor is shut down")
        future: Future[T] = Future()
        thread = threading.Thread(target=self._see_through, args=(future, fn, args, kwargs), daemon=True)
        self._threads.append(thread)
        thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; with `cancel_futures` end those that run and forget those that wait."""
        self._open = False
        if cancel_futures:
            self._cancelled = True
            for process in self._processes:
                process.terminate()
        if wait:
            for thread in self._threads:
                thread.join()

    def _see_through(self, future: Future[Any], fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
        with self._free:
            if self._cancelled:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                return
            ours, theirs = self._context.Pipe(duplex=False)
            process = self._context.Process(target=_answer, args=(theirs, fn, args, kwargs))
            process.start()
            theirs.close()
            self._processes.append(process)
            if self._cancelled:  # in the same moment
                process.terminate()
            try:
                kind, answer = ours.recv()
            except Exception:  # nothing came, or nothing that can be read
                process.join()
                future.set_exception(ProcessLost(f"process {process.pid} ended with {process.exitcode}"))
                return
            process.join()
            if kind == "answer":
                future.set_result(answer)
            else:
                future.set_exception(answer)


def _answer(answers: Connection, fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
    for name in THREADS:
        os.environ[name] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # An interrupt at the keyboard reaches all processes: the caller decides, and says so by ending this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_in_good_order)
    try:
        answers.send(("answer", fn(*args, **kwargs)))
    except Exception as error:
        answers.send(("error", error))


def _end_in_good_order(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
