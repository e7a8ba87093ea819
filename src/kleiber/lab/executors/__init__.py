"""Executors: where the runs of a ladder are trained, with the shape of `concurrent.futures`. This is the contents page.

    with open_executor("local", workers=2) as executor:
        future = executor.submit(function, argument)
        value = future.result()

A function's value comes back, what it raises comes back as itself, and a worker that is killed fails its own job only, with
`LostWorker`. A place joins by a class with `run` and `stop` (`kleiber.lab.executors.executor.Place`) and an entry in `EXECUTORS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kleiber.errors import InputError, did_you_mean
from kleiber.lab.executors.executor import Executor, LostWorker
from kleiber.lab.executors.local import most_workers, open_local
from kleiber.lab.executors.ray import open_ray
from kleiber.lab.executors.slurm import open_slurm


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked of an executor; each place reads what concerns it."""

    workers: int | None
    address: str | None
    folder: str | Path


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One place to run jobs, and how to get there."""

    name: str
    title: str
    open: Callable[[Wanted], Executor]


EXECUTORS: tuple[Entry, ...] = (
    Entry(
        name="local",
        title="processes of this machine, one core and one thread each",
        open=lambda wanted: open_local(workers=wanted.workers),
    ),
    Entry(
        name="ray",
        title="a Ray cluster: at --address, at RAY_ADDRESS, or started here",
        open=lambda wanted: open_ray(workers=wanted.workers, address=wanted.address),
    ),
    Entry(
        name="slurm",
        title="Slurm jobs through submitit",
        open=lambda wanted: open_slurm(workers=wanted.workers, folder=wanted.folder, cluster=wanted.address or "slurm"),
    ),
)


def open_executor(
    name: str, *, workers: int | None = None, address: str | None = None, folder: str | Path = "slurm-logs"
) -> Executor:
    """The executor called `name`: `local`, `ray` or `slurm`.

    `workers`: jobs at once; left out, as many as the cores and the free memory of this machine (`local`), the cores of the
    cluster (`ray`) or 16 jobs (`slurm`). `address`: of a Ray cluster; for Slurm submitit's name of a scheduler, where `local`
    runs the jobs here. `folder`: for the logs of Slurm jobs. Raises `InputError` for an unknown name, a package that is not
    installed and a cluster that does not answer.

    >>> open_executor("slrum")
    Traceback (most recent call last):
    ...
    kleiber.errors.InputError: no such executor (found slrum). To mend it: did you mean 'slurm'?
    """
    for entry in EXECUTORS:
        if entry.name == name:
            return entry.open(Wanted(workers=workers, address=address, folder=folder))
    raise InputError("no such executor", found=name, remedy=did_you_mean(name, [entry.name for entry in EXECUTORS]))


__all__ = ["EXECUTORS", "Entry", "Executor", "LostWorker", "Wanted", "most_workers", "open_executor"]
