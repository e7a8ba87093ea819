"""What a step's time goes into on one rank: its own work, waiting for the slowest, and moving rows.

Before every exchange the ranks meet. What passes until a rank arrives is its work, what passes until the last arrives is its
idle time, and the exchange itself is exposed communication. A meeting costs time of its own, so that a clock is for measuring.

Work is read twice: off the wall, and as processor time of this thread, which other programs on the machine do not lengthen.

Shapes: R ranks, Q stretches of work between exchanges.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """A step on every rank: seconds of work in each stretch (on the wall, and of the processor), waiting, moving rows."""

    work_seconds_RQ: NDArray[np.float64]
    processor_seconds_RQ: NDArray[np.float64]
    idle_seconds_R: NDArray[np.float64]
    exchange_seconds_R: NDArray[np.float64]

    @property
    def idle_fraction(self) -> float:
        """Share of all ranks' time that is spent waiting for the slowest."""
        whole = self.work_seconds_RQ.sum() + self.idle_seconds_R.sum() + self.exchange_seconds_R.sum()
        return float(self.idle_seconds_R.sum() / whole)

    @property
    def idle_fraction_of_work(self) -> float:
        """1 - mean / max of the ranks' processor time, stretch by stretch: what waiting would be on a machine of their own."""
        longest_Q = self.processor_seconds_RQ.max(axis=0)
        return float(1 - self.processor_seconds_RQ.mean(axis=0).sum() / longest_Q.sum())


class Clock:
    """One rank's clock; `begin` before a step, `times` after it on every rank."""

    def __init__(self) -> None:
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self.begin()

    def begin(self) -> None:
        """Meet, and forget the last step."""
        self._work: list[float] = []
        self._processor: list[float] = []
        self._idle = self._exchange = 0.0
        dist.barrier()
        self._mark()

    def arrive(self) -> None:
        """This rank's work is done: wait for the others."""
        processor = time.thread_time()
        now = self._now()
        self._work.append(now - self._since)
        self._processor.append(processor - self._processor_since)
        dist.barrier()
        self._since = self._now()
        self._idle += self._since - now

    def leave(self) -> None:
        """The exchange is over."""
        self._exchange += self._now() - self._since
        self._mark()

    def times(self) -> StepTimes:
        """The step that ends here, on every rank."""
        self.arrive()
        mine = torch.tensor([*self._work, *self._processor, self._idle, self._exchange], dtype=torch.float64)
        mine = mine.to(self._device)
        all_ranks = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(all_ranks, mine)
        found = torch.stack(all_ranks).cpu().numpy()
        stretches = len(self._work)
        return StepTimes(
            work_seconds_RQ=found[:, :stretches],
            processor_seconds_RQ=found[:, stretches : 2 * stretches],
            idle_seconds_R=found[:, -2],
            exchange_seconds_R=found[:, -1],
        )

    def _mark(self) -> None:
        self._since, self._processor_since = self._now(), time.thread_time()

    def _now(self) -> float:
        if self._device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()
