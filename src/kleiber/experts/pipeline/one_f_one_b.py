"""1F1B: as soon as a device can go backward it does, so that stage i holds P - i micro-batches and not all of them.

The bubble is GPipe's, (P - 1)(F + B).

Source: Narayanan et al. 2021, arXiv 2104.04473, section 2.2.1.
"""

from __future__ import annotations

from kleiber.experts.pipeline.chunk import Chunk, Orders, Pipeline, Slot


def order(devices: int, batches: int, virtual: int) -> Orders:
    """P - 1 - i forward to fill the pipe, then one forward and one backward in turn, then what is left backward."""
    return tuple(_device(device, devices - 1 - device, batches) for device in range(devices))


def _device(stage: int, ahead: int, batches: int) -> tuple[Slot, ...]:
    ahead = min(ahead, batches)
    slots: list[Slot] = [(Chunk("F", stage, batch),) for batch in range(ahead)]
    for batch in range(batches):
        if batch + ahead < batches:
            slots.append((Chunk("F", stage, batch + ahead),))
        slots.append((Chunk("B", stage, batch),))
    return tuple(slots)


ONE_F_ONE_B = Pipeline(name="1f1b", source="arXiv 2104.04473, section 2.2.1", order=order)
