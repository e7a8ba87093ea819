"""The workers of one call: started on an executor, watched, replaced when they are lost, their rows streamed.

The one idea: a worker that is lost gives its run back and is replaced, so long as that helps. One that stops in good order, for a
full disk or a dead database, says why and is not replaced, as the next would fare no better.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from kleiber.errors import KleiberError
from kleiber.lab.description import Ladder
from kleiber.lab.executors import Executor, open_executor
from kleiber.lab.listener import Listening
from kleiber.lab.registry import Registry
from kleiber.lab.registry.claims import MOST_LOST, take_back
from kleiber.lab.registry.database import RegistryError
from kleiber.lab.registry.schema import DONE, FAILED
from kleiber.lab.worker import unsettled, work_for

LOOK_SECONDS = 0.25
Job = Future[str | None]


class Crew:
    """So many workers of one ladder on one executor; `yielded` names the runs whose rows have been streamed."""

    def __init__(
        self,
        ladder_toml: str,
        ladder: Ladder,
        results: Path,
        *,
        registry: Registry,
        url: str,
        yielded: set[str],
        listening: Sequence[Listening],
        pulse: Callable[[], None],
    ) -> None:
        self._ladder, self._results, self._registry, self._yielded = ladder, results, registry, yielded
        self._work = (ladder_toml, str(results), url, tuple(listening))
        self._pulse = pulse
        self._settled = self._lost_in_vain = 0
        self._stopped: list[str] = []

    def rows(self, executor_name: str, *, workers: int) -> Iterator[dict[str, Any]]:
        """Each run as it finishes. Raises `KleiberError` where workers stopped before every run was settled."""
        executor = open_executor(executor_name, workers=workers)
        try:
            jobs: list[Job] = [executor.submit(work_for, *self._work) for _ in range(workers)]
            while jobs:
                time.sleep(LOOK_SECONDS)
                self._pulse()
                # Looked at before the registry: what a worker wrote before it ended is there by now.
                ended = [job for job in jobs if job.done()]
                yield from self._new_rows()
                jobs = [job for job in jobs if job not in ended]
                for job in ended:
                    jobs += self._replaced(job, executor, workers)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        self._all_settled()

    def _new_rows(self) -> list[dict[str, Any]]:
        """The runs that have been finished since the last look; none while the registry does not answer."""
        try:
            states = self._registry.states(cell.run for cell in self._ladder.cells)
            new = {run for run, state in states.items() if state == DONE} - self._yielded
            rows = {entry.run: entry.result for entry in self._registry.entries(new)} if new else {}
        except RegistryError:
            return []
        settled = sum(state in (DONE, FAILED) for state in states.values())
        if settled > self._settled:
            self._settled, self._lost_in_vain = settled, 0
        self._yielded |= new
        return [row for row in rows.values() if row is not None]

    def _replaced(self, job: Job, executor: Executor, workers: int) -> list[Job]:
        """Who takes the place of a worker that has ended: nobody, if it was not lost or if all that follow are lost too."""
        error = job.exception()
        if error is None:
            self._stopped += [sentence] if (sentence := job.result()) else []
            return []
        self._lost_in_vain += 1
        with suppress(RegistryError):
            take_back(self._registry, self._results / "claims")
        if self._lost_in_vain > MOST_LOST * workers:
            self._stopped.append(f"a worker was lost: {error}")
            return []
        return [executor.submit(work_for, *self._work)]

    def _all_settled(self) -> None:
        said = "; ".join(dict.fromkeys(self._stopped)) or "the workers stopped early"
        try:
            left = len(unsettled(self._ladder, self._registry))
        except RegistryError as error:
            raise KleiberError(said if self._stopped else str(error)) from error
        if left:
            raise KleiberError(f"{said}. {left} runs are left to do: the same call goes on from there")
