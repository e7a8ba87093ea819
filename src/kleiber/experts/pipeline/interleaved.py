"""Interleaved 1F1B: each device has v thin stages far apart, so that filling the pipe takes a v-th of the time.

Device i holds the stages i, P + i, 2P + i, ...; micro-batches go through in rounds of P, a round through all of a device's stages
before the next round. The bubble is (P - 1)(F + B)/v, with F and B the passes through all v stages of a device.

Source: Narayanan et al. 2021, arXiv 2104.04473, section 2.2.2.
"""

from __future__ import annotations

from kleiber.experts.pipeline.chunk import Chunk, Orders, Pipeline, Slot
from kleiber.experts.pipeline.one_f_one_b import order as plain


def order(devices: int, batches: int, virtual: int) -> Orders:
    """2(P - 1 - i) + (v - 1) P forward to fill the pipe, then one forward and one backward in turn."""
    if virtual == 1:
        return plain(devices, batches, 1)
    return tuple(_device(device, devices, batches, virtual) for device in range(devices))


def _device(device: int, devices: int, batches: int, virtual: int) -> tuple[Slot, ...]:
    passes = batches * virtual

    def place(count: int, *, back: bool) -> tuple[int, int]:
        """Stage and micro-batch of the count-th pass of this device."""
        round_, within = divmod(count, devices * virtual)
        layer, batch = divmod(within, devices)
        layer = virtual - 1 - layer if back else layer
        return layer * devices + device, round_ * devices + batch

    ahead = min(passes, 2 * (devices - 1 - device) + (virtual - 1) * devices)
    slots: list[Slot] = [(Chunk("F", *place(count, back=False)),) for count in range(ahead)]
    for count in range(passes):
        if count + ahead < passes:
            slots.append((Chunk("F", *place(count + ahead, back=False)),))
        slots.append((Chunk("B", *place(count, back=True)),))
    return tuple(slots)


INTERLEAVED = Pipeline(
    name="interleaved",
    source="arXiv 2104.04473, section 2.2.2",
    order=order,
    stages_per_device=None,
    rounds=True,
)
