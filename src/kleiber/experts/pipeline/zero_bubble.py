"""ZB-H1 (ZB1P): the gradient of the weights waits for nobody, so it fills the bubble at no memory beyond 1F1B's.

Device i puts W off by i micro-batches: P - i are under way and i wait for W, P in all on every device. The bubble is
(P - 1)(F + B - 2 W) with B the whole backward pass, (P - 1)(T_F + T_B - T_W) as the paper counts (T_B is B - W).

Source: Qi et al. 2023, arXiv 2401.10241, section 2.1 and table 2.
"""

from __future__ import annotations

from kleiber.experts.pipeline.chunk import Chunk, Orders, Pipeline, Slot


def order(devices: int, batches: int, virtual: int) -> Orders:
    """1F1B with B cut in two, and W of micro-batch j - i after I of micro-batch j on device i."""
    return tuple(_device(device, devices - 1 - device, batches) for device in range(devices))


def _device(stage: int, ahead: int, batches: int) -> tuple[Slot, ...]:
    ahead, late = min(ahead, batches), min(stage, batches)
    slots: list[Slot] = [(Chunk("F", stage, batch),) for batch in range(ahead)]
    for batch in range(batches):
        if batch + ahead < batches:
            slots.append((Chunk("F", stage, batch + ahead),))
        slots.append((Chunk("I", stage, batch),))
        if batch >= late:
            slots.append((Chunk("W", stage, batch - late),))
    slots += [(Chunk("W", stage, batch),) for batch in range(batches - late, batches)]
    return tuple(slots)


ZERO_BUBBLE = Pipeline(name="zb-h1", source="arXiv 2401.10241, table 2", order=order, splits_backward=True)
