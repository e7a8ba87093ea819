"""A forward and a backward chunk that overlap, piece by piece: what of their all-to-alls nothing hides.

One idea: a message hides behind what runs beside it, not behind the whole chunk. A layer is four pieces, attention, dispatch,
experts, combine, each waiting for the one before; two chunks take turns, so that the messages of one run beside the compute
of the other. Compute and messages are two streams, each in a fixed order, for every pair of layers

    compute:   experts B for the input, for the weights; experts F; attention B for the input, for the weights; next attention F
    messages:  dispatch F; combine back (the gradient of dispatch); combine F; next dispatch back (the gradient of combine)

exposed = the end of the later stream - all compute, at least max(0, all messages - all compute). The first attention F runs
beside the first dispatch back, and the last combine F beside the last attention B.

Source: DeepSeek-AI 2024, arXiv 2412.19437, section 3.2.1 and figure 4, whose order of pieces this is meant to be (the figure
could not be opened again to be held against it); deepseek-ai/DeepEP, docs/legacy.md (the gradient of a dispatch is a
combine, and the other way round).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Passes(NamedTuple):
    """Seconds of one part of a layer: forward, backward for its input, backward for its weights."""

    forward: float = 0.0
    back: float = 0.0
    weight: float = 0.0


class Pieces(NamedTuple):
    """One layer: its attention (or other mixer), its experts, and the seconds of a forward pass's messages.

    `times_back`: how often both messages are sent in a backward pass, twice where the forward pass is recomputed. A layer
    without experts has no messages.
    """

    mixer: Passes = Passes()
    experts: Passes = Passes()
    dispatch: float = 0.0
    combine: float = 0.0
    times_back: int = 1


class _Streams:
    """The ends of both streams; each method appends a piece and says when it ends."""

    def __init__(self, slowness: float) -> None:
        self.slowness, self.compute, self.messages, self.worked = slowness, 0.0, 0.0, 0.0

    def work(self, seconds: float, after: float = 0.0) -> float:
        """Compute, once what it needs is there."""
        seconds *= self.slowness
        self.worked += seconds
        self.compute = max(self.compute, after) + seconds
        return self.compute

    def send(self, seconds: float, after: float) -> float:
        """A message; none (0 s) holds nothing up."""
        if not seconds:
            return after
        self.messages = max(self.messages, after) + seconds
        return self.messages


def exposed(forward: Sequence[Pieces], backward: Sequence[Pieces], slowness: float = 1.0) -> float:
    """Seconds in which two overlapped chunks wait for messages; layers of both in the order of the model.

    >>> layer = Pieces(mixer=Passes(1, 1, 1), experts=Passes(1, 1, 1), dispatch=1, combine=1)
    >>> exposed([layer, layer], [layer, layer])  # each message is as long as the piece beside it
    0.0
    >>> longer = layer._replace(dispatch=1.5)
    >>> exposed([longer, longer], [longer, longer])  # 10 s of messages beside 12 s of compute
    0.5
    """
    streams, back = _Streams(slowness), list(reversed(backward))
    attended = streams.work(forward[0].mixer.forward) if forward else 0.0
    arrived = streams.send(back[0].dispatch * back[0].times_back, 0.0) if back else 0.0
    for place in range(max(len(forward), len(back))):
        one, other = (chunk[place] if place < len(chunk) else Pieces() for chunk in (forward, back))
        sent = streams.send(one.dispatch, attended)
        turned = streams.work(other.experts.back, arrived)
        streams.work(other.experts.weight)
        returned = streams.send(other.combine * other.times_back, turned)
        combined = streams.send(one.combine, streams.work(one.experts.forward, sent))
        done = streams.work(other.mixer.back, returned)
        if place + 1 < len(back):
            arrived = streams.send(back[place + 1].dispatch * back[place + 1].times_back, done)
        streams.work(other.mixer.weight)
        if place + 1 < len(forward):
            attended = streams.work(forward[place + 1].mixer.forward, combined)
    return max(0.0, max(streams.compute, streams.messages) - streams.worked)
