"""Jobs on a Ray cluster: one started here for the occasion, or one at an address.

On a cluster Kleiber must be installed on every node, and files named by a job must lie where every node sees them.

Source: Ray's documentation of `ray.init`, tasks (`max_retries`) and `RAY_ADDRESS`, version 2.60.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from kleiber.errors import InputError, KleiberError
from kleiber.lab.executors.executor import Executor, LostWorker, outcome, value_of
from kleiber.lab.executors.local import most_workers


def open_ray(*, workers: int | None, address: str | None) -> Executor:
    """A Ray cluster at `address` (`ray://host:10001`, `host:6379`), else at RAY_ADDRESS, else one started here.

    Without `workers` as many as the cluster has cores. Raises `InputError` where Ray is not installed or nothing answers.
    """
    place = Ray(address=address or os.environ.get("RAY_ADDRESS"), workers=workers)
    return Executor(place, workers=workers if workers is not None else place.cores())


class Ray:
    """Ray tasks of one core each, never retried by Ray: what to do about a lost job is for its owner to say."""

    def __init__(self, *, address: str | None, workers: int | None) -> None:
        try:
            import ray
        except ImportError as error:
            raise InputError("Ray is not installed", remedy="pip install 'kleiber[ray]'") from error
        self._ray = ray
        _connect(address) if address else _start(workers if workers is not None else most_workers())
        self._task = ray.remote(num_cpus=1, max_retries=0)(outcome)

    def cores(self) -> int:
        """How many jobs the cluster runs at once."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """The value of the call as a Ray task."""
        from ray.exceptions import RayError

        try:
            ended = self._ray.get(self._task.remote(function, args))
        except RayError as error:
            raise LostWorker(f"Ray lost the worker of a job: {_first_line(error)}") from error
        return value_of(ended)

    def stop(self) -> None:
        """Leave the cluster; one started here ends."""
        self._ray.shutdown()


def _start(cores: int) -> None:
    import ray

    try:
        ray.init(
            address="local", num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
    # Ray has no type of its own for a start that took too long.
    except Exception as error:
        raise KleiberError(f"Ray did not start on this machine: {_first_line(error)}") from error


def _connect(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        raise InputError(
            "no Ray cluster answers there",
            found=_first_line(error),
            expected="a running cluster, as ray://host:10001 or host:6379",
            remedy="start one with `ray start --head`, or leave the address out to run on this machine",
            where=address,
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
