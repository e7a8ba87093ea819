"""Seconds of every stage of the pipeline: what `kleiber.cost` says of a block, stretched by the slowest device's experts.

A block's pass takes what `cost.stage.block_work` says under even loads, plus (slowest - 1) x the routed experts' part of it; its
messages are those of `communication.py` for that layer's loads. The head joins the last stage. So an even trace gives the times
of `kleiber cost`, and an uneven one says where the rest goes.

Legend: S stages, L layers of experts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import Block, Experts, Hardware, Layout, Practice, Shape
from kleiber.cost.cache import bytes_of
from kleiber.cost.collective import one_way
from kleiber.cost.cut import kinds, stage_counts
from kleiber.cost.stage import MESSAGE_BYTES, Bench, bench, block_work
from kleiber.errors import InputError
from kleiber.experts.communication import Wires, all_to_all
from kleiber.experts.pipeline.pair import Passes, Pieces
from kleiber.experts.routing import Routing

Floats = NDArray[np.float64]
Layers = tuple[tuple[Pieces, ...], ...]
"""The layers of every stage."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stages:
    """What a micro-batch takes in each stage, layer by layer: of the slowest device, and of the mean one.

    `pieces` and `even_pieces`: the layers of every stage, the head as one more without messages; the mean device works as
    under even loads, less what is dropped. `dispatch` and `combine`: seconds of the mean layer's all-to-alls of one pass.
    """

    pieces: Layers
    even_pieces: Layers
    dispatch: float
    combine: float

    @property
    def forward(self) -> Floats:
        """Compute of a forward pass, (S,); the next ones likewise."""
        return _total(self.pieces, lambda layer: layer.mixer.forward + layer.experts.forward)

    @property
    def backward(self) -> Floats:
        """Of a whole backward pass."""
        return _total(self.pieces, _backward)

    @property
    def weight(self) -> Floats:
        """Of its part for the weights."""
        return _total(self.pieces, _weight)

    @property
    def even_forward(self) -> Floats:
        """Of a forward pass of the mean device."""
        return _total(self.even_pieces, lambda layer: layer.mixer.forward + layer.experts.forward)

    @property
    def even_backward(self) -> Floats:
        """Of its whole backward pass."""
        return _total(self.even_pieces, _backward)

    @property
    def even_weight(self) -> Floats:
        """Of the part for the weights."""
        return _total(self.even_pieces, _weight)

    @property
    def forward_messages(self) -> Floats:
        """All-to-alls of a forward pass."""
        return _total(self.pieces, lambda layer: layer.dispatch + layer.combine)

    @property
    def backward_messages(self) -> Floats:
        """All-to-alls of a backward pass."""
        return _total(self.pieces, lambda layer: layer.times_back * (layer.dispatch + layer.combine))


def _total(layers: Layers, seconds: Callable[[Pieces], float]) -> Floats:
    return np.array([sum(seconds(layer) for layer in stage) for stage in layers])


def _backward(layer: Pieces) -> float:
    return layer.mixer.back + layer.experts.back + _weight(layer)


def _weight(layer: Pieces) -> float:
    return layer.mixer.weight + layer.experts.weight


def sparse_layer(shape: Shape) -> Experts:
    """The layer of experts of a model; raises `InputError` where there is none, or where there are unlike ones."""
    found = {block.feed_forward for block in shape.unrolled() if isinstance(block.feed_forward, Experts)}
    if len(found) != 1:
        raise InputError(
            "a step of experts needs one kind of expert layer", found=f"{len(found)} kinds", where=shape.name
        )
    return found.pop()


def sparse_depth(shape: Shape) -> int:
    """How many layers have experts."""
    return sum(isinstance(block.feed_forward, Experts) for block in shape.unrolled())


def wires(device: Hardware, practice: Practice) -> Wires:
    """What a device gets out of its wires, by the parts of peak that `cost` reckons with."""
    reached = practice.efficiency
    return Wires(link=one_way(device) * reached.link, network=device.network * reached.network, latency=reached.latency)


def stages(
    shape: Shape,
    device: Hardware,
    layout: Layout,
    practice: Practice,
    context: int,
    routing: Routing,
    cuts: int,
    row_seconds: tuple[float, float] | None = None,
) -> Stages:
    """The seconds of each of `cuts` stages; `layout.pipeline` devices hold them.

    `row_seconds`: measured seconds of one assignment through its expert, forward and backward, in place of reckoned ones. They
    say what more or fewer assignments take, not what the block takes under even loads.
    """
    blocks, order = kinds(shape)
    speeds = bench(device, layout, practice)
    plain = [_pieces(shape, block, device, layout, practice, context) for block in blocks]
    routed = routed_seconds(shape, layout, practice, context, speeds, row_seconds)
    tokens = layout.micro_batch * context / layout.context
    sent = [
        all_to_all(routing.reached, tokens, size * shape.width, wires(device, practice))
        .seconds_L.reshape(-1, len(routing.slowest_L))
        .mean(axis=0)
        for size in (min(bytes_of(practice.precision), MESSAGE_BYTES), MESSAGE_BYTES)
    ]
    slow, mean, layer = [], [], 0
    for kind in order:
        piece = late = less = plain[kind]
        if isinstance(blocks[kind].feed_forward, Experts):
            piece = piece._replace(dispatch=float(sent[0][layer]), combine=float(sent[1][layer]))
            late = _stretched(piece, float(routing.slowest_L[layer] - 1), routed)
            less = _stretched(piece, -float(routing.dropped_L[layer]), routed)
            layer += 1
        slow.append(late)
        mean.append(less)
    head = 2 * shape.vocabulary * shape.width * tokens / speeds.head
    found = [
        (*chunk[:-1], (*chunk[-1], Pieces(mixer=Passes(head, head, head))))
        for chunk in (_cut(layers, shape, cuts) for layers in (slow, mean))
    ]
    return Stages(pieces=found[0], even_pieces=found[1], dispatch=float(sent[0].mean()), combine=float(sent[1].mean()))


def _pieces(shape: Shape, block: Block, device: Hardware, layout: Layout, practice: Practice, context: int) -> Pieces:
    """A block under even loads, without messages."""
    speeds = bench(device, layout, practice)
    alone = block if block.mixer is None else replace(block, feed_forward=None)
    whole, mixer = (block_work(shape, part, context, layout, device, practice, speeds) for part in (block, alone))
    parts = [Passes(work.forward.compute, work.backward.compute - work.weight, work.weight) for work in (whole, mixer)]
    rest = Passes(*(all_of - own for all_of, own in zip(*parts, strict=True)))
    times = 2 if layout.recompute == "full" else 1
    if block.mixer is None:
        return Pieces(experts=parts[0], times_back=times)
    return Pieces(mixer=parts[1], experts=rest, times_back=times)


def _stretched(piece: Pieces, more: float, routed: Passes) -> Pieces:
    """A layer whose routed experts have `more` to do (-0.1: a tenth less) than under even loads."""
    again = (piece.times_back - 1) * routed.forward
    times = Passes(routed.forward, routed.back + again, routed.weight)
    return piece._replace(experts=Passes(*(even + more * own for even, own in zip(piece.experts, times, strict=True))))


def _cut(layers: list[Pieces], shape: Shape, cuts: int) -> Layers:
    """The layers of each stage."""
    ends = np.cumsum([sum(counts) for counts in stage_counts(shape, cuts)])
    return tuple(tuple(layers[begin:end]) for begin, end in zip([0, *ends[:-1]], ends, strict=True))


def routed_seconds(
    shape: Shape,
    layout: Layout,
    practice: Practice,
    context: int,
    speeds: Bench,
    row_seconds: tuple[float, float] | None = None,
) -> Passes:
    """Seconds of a layer's passes that go with the assignments its experts get: as measured, or products and memory."""
    experts = sparse_layer(shape)
    tokens = layout.micro_batch * context / layout.context
    inner = experts.chosen * experts.hidden
    product = 2 * tokens * experts.maps * shape.width * inner / speeds.product
    passed = tokens * (2 * experts.maps * inner + 4 * experts.chosen * shape.width)
    forward = product + practice.efficiency.traffic * passed / speeds.bandwidth
    backward = 2 * forward
    if row_seconds is not None:
        forward, backward = (tokens * experts.chosen * seconds for seconds in row_seconds)
    return Passes(forward, backward - min(product, backward), min(product, backward))
