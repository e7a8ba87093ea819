"""Jobs in processes of this machine, one thread each; where they fill the machine, each keeps to a core of its own.

The standard pool gives up every job when one worker dies. Here each worker has its own pipe: a death ends the pipe, fails the
job that ran and nothing else, and the next job finds a fresh process.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from kleiber.errors import KleiberError
from kleiber.lab.executors.executor import Executor, LostWorker, outcome, value_of

WORKER_BYTES = 1 << 30
"""Memory set aside for a worker: PyTorch takes 0.3 GB before it holds a model."""
GOODBYE_SECONDS = 5.0
SECONDS_BETWEEN_LOOKS = 1.0


def open_local(*, workers: int | None) -> Executor:
    """Processes of this machine; without `workers` as many as `most_workers` allows."""
    count = workers if workers is not None else most_workers()
    return Executor(Processes(count), workers=count)


def most_workers(worker_bytes: int = WORKER_BYTES) -> int:
    """How many workers there is room for: one for each core it may use and `worker_bytes` of free memory, at least 1."""
    return max(1, min(len(_cores()), _free_bytes() // worker_bytes))


class Processes:
    """Spawned processes; one that dies is replaced when its turn comes."""

    def __init__(self, count: int) -> None:
        cores = _cores()
        # Fewer workers than cores are left to the system: pinned, those of two crews would share a core and leave others idle.
        own = count >= len(cores)
        self._crew = [Worker(cores={cores[number % len(cores)]} if own else set(cores)) for number in range(count)]
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._crew:
            self._idle.put(worker)

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """The value of the call in the next idle process."""
        worker = self._idle.get()
        try:
            return worker.run(function, args)
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """End all processes."""
        for worker in self._crew:
            worker.stop()


class Worker:
    """One process after another on the same cores, started when there is a job."""

    def __init__(self, *, cores: set[int]) -> None:
        self._cores = cores
        self._lock = threading.Lock()
        self._stopped = False
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """The value of the call; raises `LostWorker` if the process died of it."""
        process, pipe = self._alive()
        try:
            pipe.send((function, args))
            ended = pipe.recv()
        except (EOFError, ConnectionError) as error:
            process.join(GOODBYE_SECONDS)
            raise LostWorker(_how_it_went(process.exitcode, function)) from error
        return value_of(ended)

    def stop(self) -> None:
        """End the process: by the end of its pipe if it is idle, or else by force."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()
                self._process.join()

    def _alive(self) -> tuple[BaseProcess, Connection]:
        with self._lock:
            if self._stopped:
                raise LostWorker("the workers were sent home before this job began")
            if self._process is None or self._pipe is None or not self._process.is_alive():
                self._process, self._pipe = _start(self._cores)
            return self._process, self._pipe


def _start(cores: set[int]) -> tuple[BaseProcess, Connection]:
    # Spawned, not forked: a fork would inherit the threads of whatever the caller has loaded.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, cores, os.getpid()), daemon=True)
    process.start()
    # Held by the worker alone, so that its death ends the pipe.
    there.close()
    return process, here


def _serve(pipe: Connection, cores: set[int], parent: int) -> None:
    """The life of a worker: calls until the pipe ends, or until its parent is gone, whatever call it is in."""
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    if sys.platform == "linux":
        os.sched_setaffinity(0, cores)
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        except Exception as error:
            pipe.send((None, error))
            continue
        ended = outcome(function, args)
        try:
            pipe.send(ended)
        except Exception as error:
            pipe.send((None, KleiberError(f"what {_name(function)} gave cannot leave its process: {error}")))


def _leave_with(parent: int) -> None:
    """End this process at once when its parent has ended: a run goes on from its checkpoint, with whoever asks for it next."""
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os._exit(1)


def _how_it_went(exit_code: int | None, function: Callable[..., Any]) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"the worker of {_name(function)} was ended by {name}{why}"
    return f"the worker of {_name(function)} left with exit code {exit_code}"


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))


def _cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))


def _free_bytes() -> int:
    """Memory that could be taken without swapping; all there could ever be where the system does not say."""
    path = Path("/proc/meminfo")
    if not path.exists():
        return sys.maxsize
    lines = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024
