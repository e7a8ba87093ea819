"""GPipe: every micro-batch forward, then every one backward. The bubble is (P - 1)(F + B); every activation is kept.

Source: Huang et al. 2018, arXiv 1811.06965, section 2.3; Narayanan et al. 2021, arXiv 2104.04473, section 2.2.1.
"""

from __future__ import annotations

from kleiber.experts.pipeline.chunk import Chunk, Orders, Pipeline


def order(devices: int, batches: int, virtual: int) -> Orders:
    """All forward, all backward in the same order."""
    return tuple(
        tuple((Chunk(kind, device, batch),) for kind in ("F", "B") for batch in range(batches))
        for device in range(devices)
    )


GPIPE = Pipeline(name="gpipe", source="arXiv 1811.06965, section 2.3", order=order)
