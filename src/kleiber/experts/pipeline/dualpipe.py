"""DualPipe: micro-batches enter at both ends at once, and a forward chunk of one way overlaps a backward chunk of the other.

Every device holds two stages, i and P - 1 - i (two copies of the model). The bubble is (P/2 - 1)(F&B + B - 3 W), at most P + 1
micro-batches are kept, and the messages of F hide behind the compute of B and the other way round.

A device is told apart by its distance d from the near end only: what comes from the near end is way 0, the rest way 1. Its list
has eight parts (`near_end`), the same for both halves with the ways swapped.

Source: DeepSeek-AI 2024, arXiv 2412.19437, section 3.2.1; github.com/deepseek-ai/DualPipe, README and the eight steps
of its `step`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kleiber.experts.pipeline.chunk import Chunk, Kind, Orders, Pipeline, Slot

Placed = Callable[[int, int], tuple[int, int]]
"""(way, count) -> the stage, and the micro-batch that is the count-th of its way."""


@dataclass
class Desk:
    """The list of one device as it grows: how far each way has come, and the W that are put off."""

    placed: Placed
    slots: list[Slot] = field(default_factory=list)
    forward: list[int] = field(default_factory=lambda: [0, 0])
    backward: list[int] = field(default_factory=lambda: [0, 0])
    late: deque[Chunk] = field(default_factory=deque)

    def f(self, way: int) -> Chunk:
        """The next forward chunk of a way."""
        return self._next("F", way, self.forward)

    def b(self, way: int, *, split: bool = False) -> Chunk:
        """The next backward chunk of a way, whole or with W put off."""
        chunk = self._next("I" if split else "B", way, self.backward)
        if split:
            self.late.append(chunk._replace(kind="W"))
        return chunk

    def _next(self, kind: Kind, way: int, counts: list[int]) -> Chunk:
        chunk = Chunk(kind, *self.placed(way, counts[way]))
        counts[way] += 1
        return chunk

    def do(self, *chunks: Chunk) -> None:
        """Each in a slot of its own."""
        self.slots += [(chunk,) for chunk in chunks]

    def pair(self, *chunks: Chunk) -> None:
        """Both in one slot."""
        self.slots.append(chunks)


def near_end(distance: int, half: int, each_way: int, placed: Placed) -> tuple[Slot, ...]:
    """The list of the device at `distance` from its end of a pipe of 2 `half` stages, `each_way` micro-batches each way."""
    desk, inner = Desk(placed), half - 1 - distance
    for _ in range(2 * inner):  # 1: fill from the near end
        desk.do(desk.f(0))
    for _ in range(distance + 1):  # 2: and from the far one
        desk.do(desk.f(0), desk.f(1))
    for _ in range(inner):  # 3: what comes back first goes back at once
        desk.do(desk.b(1, split=True), desk.late.popleft(), desk.f(1))
    for count in range(each_way - 2 * half + distance + 1):  # 4: both ways overlap
        if count == 0 and inner == 0:
            desk.do(desk.f(0), desk.b(1))  # at the meeting point the first two would only hold each other up
        else:
            desk.pair(desk.f(0), desk.b(1))
        desk.pair(desk.f(1), desk.b(0))
    for _ in range(inner):  # 5: the near end has no more to send
        desk.do(desk.b(1))
        desk.pair(desk.f(1), desk.b(0))
    for count in range(2 * (distance + 1)):  # 6: back, the second half with W put off
        desk.do(desk.b(1 - count % 2, split=count > distance))
    for _ in range(inner):  # 7: W in the gaps
        desk.do(desk.late.popleft(), desk.b(0, split=True))
    desk.do(*desk.late)  # 8: the rest of W
    return tuple(desk.slots)


def order(devices: int, batches: int, virtual: int) -> Orders:
    """Way 0 of the first half of the devices carries the first half of the micro-batches, from stage 0 up."""
    half, each = devices // 2, batches // 2

    def device(place: int) -> tuple[Slot, ...]:
        far = place >= half

        def placed(way: int, count: int) -> tuple[int, int]:
            against = way ^ far
            return (devices - 1 - place, count + each) if against else (place, count)

        return near_end(min(place, devices - 1 - place), half, each, placed)

    return tuple(device(place) for place in range(devices))


DUALPIPE = Pipeline(
    name="dualpipe",
    source="arXiv 2412.19437, section 3.2.1; DualPipe, README",
    order=order,
    stages_per_device=2,
    copies=2,
    even=True,
    fewest=2,
    pairs=True,
    splits_backward=True,
)
