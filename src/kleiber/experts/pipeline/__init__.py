"""Pipeline schedules: each is a function that lists, device by device, the order of its chunks; the clock is one for all.

This is the contents page. A schedule joins by being in `SCHEDULES`, and with that in the conformance test: every chunk is there
once, nothing waits for ever, no two chunks of a device overlap, and the bubble is the closed form of its row.
"""

from __future__ import annotations

from kleiber.errors import InputError, did_you_mean
from kleiber.experts.pipeline.chunk import Chunk, Orders, Pipeline, Slot
from kleiber.experts.pipeline.dualpipe import DUALPIPE
from kleiber.experts.pipeline.dualpipe_v import DUALPIPE_V
from kleiber.experts.pipeline.gpipe import GPIPE
from kleiber.experts.pipeline.interleaved import INTERLEAVED
from kleiber.experts.pipeline.one_f_one_b import ONE_F_ONE_B
from kleiber.experts.pipeline.timeline import Durations, Timeline, timeline
from kleiber.experts.pipeline.zero_bubble import ZERO_BUBBLE

SCHEDULES: tuple[Pipeline, ...] = (GPIPE, ONE_F_ONE_B, INTERLEAVED, ZERO_BUBBLE, DUALPIPE, DUALPIPE_V)
"""Every schedule."""


def find_pipeline(name: str) -> Pipeline:
    """The schedule called `name`; raises `InputError` with a suggestion.

    >>> find_pipeline("zb-h1").splits_backward
    True
    """
    for schedule in SCHEDULES:
        if schedule.name == name:
            return schedule
    names = [schedule.name for schedule in SCHEDULES]
    raise InputError("no such pipeline schedule", found=repr(name), remedy=did_you_mean(name, names))


__all__ = [
    "SCHEDULES",
    "Chunk",
    "Durations",
    "Orders",
    "Pipeline",
    "Slot",
    "Timeline",
    "find_pipeline",
    "timeline",
]
