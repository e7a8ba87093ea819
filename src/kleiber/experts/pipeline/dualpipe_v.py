"""DualPipe-V: DualPipe folded in the middle, so that one copy of the model is enough and half the devices do.

Device i of D holds the stages i and 2D - 1 - i; what was the other way is the same micro-batches coming back up the V. The
lists are those of the first half of DualPipe on 2D devices, and so is the bubble: (D - 1)(F&B + B - 3 W), per stage of 2D.

Source: github.com/deepseek-ai/DualPipe (DualPipeV, "cut in half"); the order agrees with PyTorch's ScheduleDualPipeV (tests).
"""

from __future__ import annotations

from kleiber.experts.pipeline.chunk import Orders, Pipeline, Slot
from kleiber.experts.pipeline.dualpipe import near_end


def order(devices: int, batches: int, virtual: int) -> Orders:
    """Way 0 is down the V, way 1 up."""

    def device(place: int) -> tuple[Slot, ...]:
        def placed(way: int, count: int) -> tuple[int, int]:
            return (2 * devices - 1 - place if way else place), count

        return near_end(place, devices, batches, placed)

    return tuple(device(place) for place in range(devices))


DUALPIPE_V = Pipeline(
    name="dualpipe-v",
    source="github.com/deepseek-ai/DualPipe, DualPipeV",
    order=order,
    stages_per_device=2,
    fewest=2,
    pairs=True,
    splits_backward=True,
)
