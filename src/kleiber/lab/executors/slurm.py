"""Jobs on Slurm through submitit: each call is one Slurm job, which leaves its log in a folder.

The folder must lie where the nodes see it, and Kleiber's environment too. What a site wants to be told (partition, account, time)
is told by Slurm's own variables, such as SBATCH_PARTITION and SBATCH_TIMELIMIT, which `sbatch` reads.

Source: submitit 1.5, `AutoExecutor`; sbatch(1), "Input environment variables".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kleiber.errors import InputError
from kleiber.lab.executors.executor import Executor, LostWorker, outcome, value_of

MOST_WORKERS = 16
"""Jobs in the queue at once, unless told."""


def open_slurm(*, workers: int | None, folder: str | Path, cluster: str = "slurm") -> Executor:
    """Slurm jobs, at most `workers` of them queued or running; logs under `folder`; `cluster`: submitit's name for the scheduler.

    The cluster `local` runs the same jobs as processes of this machine, to try a ladder before it is queued. Raises `InputError`
    where submitit is not installed or there is no Slurm.
    """
    return Executor(Slurm(folder=Path(folder), cluster=cluster), workers=workers or MOST_WORKERS)


class Slurm:
    """Slurm jobs of one core each."""

    def __init__(self, *, folder: Path, cluster: str) -> None:
        try:
            import submitit
        except ImportError as error:
            raise InputError("submitit is not installed", remedy="pip install 'kleiber[slurm]'") from error
        try:
            self._queue = submitit.AutoExecutor(folder=folder, cluster=cluster)
        except RuntimeError as error:
            raise InputError(
                "there is no Slurm here",
                found=str(error),
                expected="`srun` on the path",
                remedy="run this on a login node of the cluster, or use --on local",
            ) from error
        self._queue.update_parameters(cpus_per_task=1)
        self._lock = threading.Lock()
        self._jobs: set[Any] = set()
        self._stopped = False

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """The value of the call as a Slurm job."""
        from submitit.core.utils import FailedJobError, UncompletedJobError

        with self._lock:
            if self._stopped:
                raise LostWorker("the workers were sent home before this job began")
            job = self._queue.submit(outcome, function, args)
            self._jobs.add(job)
        try:
            ended = job.result()
        except (FailedJobError, UncompletedJobError) as error:
            raise LostWorker(
                f"Slurm job {job.job_id} ended in state {job.state} without an answer: see {job.paths.stderr}"
            ) from error
        finally:
            with self._lock:
                self._jobs.discard(job)
        return value_of(ended)

    def stop(self) -> None:
        """Cancel what is queued or running."""
        with self._lock:
            self._stopped = True
            for job in self._jobs:
                job.cancel()
