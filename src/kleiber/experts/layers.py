"""Seconds of every stage of the pipeline: what `kleiber.cost` says of a block, stretched by the slowest device's experts.

A block's pass takes what `cost.stage.block_work` says under even loads, plus (slowest - 1) x the routed experts' part of it; its
messages are those of `communication.py` for that layer's loads. The head joins the last stage. So an even trace gives the times
of `kleiber cost`, and an uneven one says where the rest goes.

Legend: S stages, L layers of experts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import Experts, Hardware, Layout, Practice, Shape
from kleiber.cost.cache import bytes_of
from kleiber.cost.collective import one_way
from kleiber.cost.cut import kinds, stage_counts
from kleiber.cost.stage import MESSAGE_BYTES, Bench, bench, block_work
from kleiber.errors import InputError
from kleiber.experts.communication import Wires, all_to_all
from kleiber.experts.routing import Routing

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stages:
    """Seconds of a micro-batch in each stage, (S,): compute of the slowest device, of the mean one, and messages.

    `weight`: the part of the slowest device's backward pass for the weights, `even_weight` of the mean one's. The mean device
    works as under even loads, less what is dropped.
    `dispatch` and `combine`: seconds of the mean layer's all-to-alls of one pass.
    """

    forward: Floats
    backward: Floats
    weight: Floats
    even_weight: Floats
    even_forward: Floats
    even_backward: Floats
    forward_messages: Floats
    backward_messages: Floats
    dispatch: float
    combine: float


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
    shape: Shape, device: Hardware, layout: Layout, practice: Practice, context: int, routing: Routing, cuts: int
) -> Stages:
    """The seconds of each of `cuts` stages; `layout.pipeline` devices hold them."""
    blocks, order = kinds(shape)
    speeds = bench(device, layout, practice)
    works = [block_work(shape, block, context, layout, device, practice, speeds) for block in blocks]
    again = {"none": 0, "selective": 0, "full": 1}[layout.recompute]
    routed = routed_seconds(shape, layout, practice, context, speeds)
    tokens = layout.micro_batch * context / layout.context
    dispatched, combined = (
        all_to_all(routing.reached, tokens, size * shape.width, wires(device, practice))
        .seconds_L.reshape(-1, len(routing.slowest_L))
        .mean(axis=0)
        for size in (min(bytes_of(practice.precision), MESSAGE_BYTES), MESSAGE_BYTES)
    )
    stage_of = np.repeat(np.arange(cuts), [sum(counts) for counts in stage_counts(shape, cuts)])
    found = {name: np.zeros(cuts) for name in Stages.__dataclass_fields__ if name not in ("dispatch", "combine")}
    layer = 0
    for kind, stage in zip(order, stage_of, strict=True):
        work = works[kind]
        late = less = 0.0
        if isinstance(blocks[kind].feed_forward, Experts):
            late, less = float(routing.slowest_L[layer] - 1), float(routing.dropped_L[layer])
            messages = float(dispatched[layer] + combined[layer])
            found["forward_messages"][stage] += messages
            found["backward_messages"][stage] += (1 + again) * messages
            layer += 1
        for name, more in (("", late), ("even_", -less)):
            found[f"{name}forward"][stage] += work.forward.compute + more * sum(routed)
            found[f"{name}backward"][stage] += work.backward.compute + (2 + again) * more * sum(routed)
            found[f"{name}weight"][stage] += work.weight + more * routed[0]
    head = 2 * shape.vocabulary * shape.width * tokens / speeds.head
    for name, times in {
        "forward": 1,
        "even_forward": 1,
        "backward": 2,
        "even_backward": 2,
        "weight": 1,
        "even_weight": 1,
    }.items():
        found[name][-1] += times * head
    return Stages(**found, dispatch=float(dispatched.mean()), combine=float(combined.mean()))


def routed_seconds(
    shape: Shape, layout: Layout, practice: Practice, context: int, speeds: Bench
) -> tuple[float, float]:
    """Seconds of a layer's forward pass that go with the tokens its experts get: products, and what goes through memory."""
    experts = sparse_layer(shape)
    tokens = layout.micro_batch * context / layout.context
    inner = experts.chosen * experts.hidden
    product = 2 * tokens * experts.maps * shape.width * inner / speeds.product
    passed = tokens * (2 * experts.maps * inner + 4 * experts.chosen * shape.width)
    return product, practice.efficiency.traffic * passed / speeds.bandwidth
