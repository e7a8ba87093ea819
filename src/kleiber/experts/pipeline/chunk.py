"""What a schedule is made of: chunks, slots that hold one or two of them, and a row that says how a schedule lists them.

The way the data takes: devices and micro-batches -> `Pipeline.orders` (one list of slots per device) -> `timeline` (when each
slot runs). The one idea: a schedule decides an order and nothing else. When a chunk runs follows from what it waits for.

Kinds: F forward, B whole backward, I the part of B that yields the gradient of the input, W the part for the weights.
A chunk waits for F of the stage before, or B or I of the stage behind; W waits for its own I. Two chunks in one slot overlap
each other, which is what hides the messages of one behind the compute of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from kleiber.cost.checks import whole
from kleiber.errors import InputError

Kind = Literal["F", "B", "I", "W"]


class Chunk(NamedTuple):
    """One pass of one micro-batch through one stage; `stage` counts along the model, from 0."""

    kind: Kind
    stage: int
    batch: int


Slot = tuple[Chunk, ...]
"""One chunk, or a forward and a backward one that overlap."""
Orders = tuple[tuple[Slot, ...], ...]
"""What each device does, in order."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A schedule: `orders(devices, batches, virtual)` and what it asks for.

    `stages_per_device`: stages of the model on each device, None where the user chooses (`virtual`); `copies`: how often
    each stage is held; `even`: needs an even number of devices; `rounds`: micro-batches come in rounds of the devices; `fewest`:
    micro-batches for each device at least; `splits_backward`: whether W is a chunk of its own somewhere.
    """

    name: str
    source: str
    order: Callable[[int, int, int], Orders]
    stages_per_device: int | None = 1
    copies: int = 1
    even: bool = False
    rounds: bool = False
    fewest: int = 1
    pairs: bool = False
    splits_backward: bool = False

    def stages(self, devices: int, virtual: int = 1) -> int:
        """Stages that the model is cut into."""
        return devices * (virtual if self.stages_per_device is None else self.stages_per_device // self.copies)

    def orders(self, devices: int, batches: int, virtual: int = 1) -> Orders:
        """One list of slots per device; raises `InputError` where the schedule cannot run so.

        >>> from kleiber.experts.pipeline import find_pipeline
        >>> [slot[0].kind for slot in find_pipeline("1f1b").orders(2, 2)[0]]
        ['F', 'F', 'B', 'B']
        """
        self.check(devices, batches, virtual)
        return self.order(devices, batches, virtual)

    def check(self, devices: int, batches: int, virtual: int = 1) -> None:
        """Raise `InputError` where the schedule cannot run on so many devices or micro-batches."""
        where = f"the schedule {self.name}"
        for name, value in (("devices", devices), ("batches", batches), ("virtual", virtual)):
            whole(where, name, value)
        if virtual > 1 and self.stages_per_device is not None:
            raise InputError(
                "chooses the stages of a device itself", found=f"virtual = {virtual}", where=where, remedy="interleaved"
            )
        if self.even and devices % 2:
            raise InputError("pairs its devices", found=f"{devices} devices", expected="an even number", where=where)
        if self.even and batches % 2:
            raise InputError(
                "sends half of the micro-batches each way", found=f"{batches}", expected="an even number", where=where
            )
        if batches < self.fewest * devices:
            raise InputError(
                f"needs {self.fewest} micro-batches for each device",
                found=f"{batches} on {devices} devices",
                expected=f"at least {self.fewest * devices}",
                where=where,
            )
        if self.rounds and virtual > 1 and batches % devices:
            raise InputError(
                "needs micro-batches in rounds of the devices",
                found=f"{batches} on {devices} devices",
                expected="the first as a multiple of the second",
                where=where,
            )
