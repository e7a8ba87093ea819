"""How long one micro-batch takes in one block on one device: compute, and the messages that nothing hides.

forward compute = products/(matmul x best product) + scores/(attention x best product) + bytes/bandwidth; the backward pass is
two forward passes (two and a half for fused attention, which computes its scores again), plus what is recomputed.
bytes = traffic x (tensors kept for the backward pass, softmax included where attention is not fused) + the weights read.

Messages of a block, of n tokens and width h in bf16:
- tensor: per part and pass an all-reduce of 2 n h bytes (with sequence parallelism a reduce-scatter and an all-gather: the same);
- context: keys and values of the other ranks go round a ring behind attention, twice in the backward pass (with gradients);
- expert: dispatch and combine, again in the backward pass, each token once to every node and over the link to every expert.

Sources: Korthikanti et al. 2022, arXiv 2205.05198, section 4 (tensors kept; what sequence parallelism sends); Dao 2023,
arXiv 2307.08691, section 4.1 (backward at 2.5 times forward); Liu et al. 2023, arXiv 2310.01889 (ring attention).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

from kleiber.cost.cache import bytes_of
from kleiber.cost.collective import all_reduce, dispatch, exposed, group_speed, nodes_reached, point_to_point
from kleiber.cost.counting import KLEIBER, PALM
from kleiber.cost.efficiency import Practice
from kleiber.cost.experts import Experts
from kleiber.cost.hardware import Hardware
from kleiber.cost.memory import WEIGHT_BYTES, Layout, held
from kleiber.cost.shape import Block, Shape

MESSAGE_BYTES = 2.0


@dataclass(frozen=True, slots=True)
class Pass:
    """Seconds of one pass of one micro-batch: compute and what is left to wait for of each kind of message."""

    compute: float = 0.0
    tensor: float = 0.0
    context: float = 0.0
    expert: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        return self.compute + self.tensor + self.context + self.expert

    def times(self, count: float) -> Pass:
        """As many passes."""
        return Pass(self.compute * count, self.tensor * count, self.context * count, self.expert * count)

    def plus(self, other: Pass) -> Pass:
        """Both passes."""
        return Pass(
            self.compute + other.compute,
            self.tensor + other.tensor,
            self.context + other.context,
            self.expert + other.expert,
        )


@dataclass(frozen=True, slots=True)
class Work:
    """A micro-batch's forward and backward pass (with what is recomputed), and the part of the latter for the weights."""

    forward: Pass = Pass()
    backward: Pass = Pass()
    weight: float = 0.0

    def times(self, count: float) -> Work:
        """As many blocks."""
        return Work(self.forward.times(count), self.backward.times(count), self.weight * count)

    def plus(self, other: Work) -> Work:
        """Both blocks."""
        return Work(self.forward.plus(other.forward), self.backward.plus(other.backward), self.weight + other.weight)


@dataclass(frozen=True, slots=True)
class Bench:
    """Speeds of one device under a practice: FLOP/s of products, of attention and of the head; bytes/s of memory."""

    product: float
    attention: float
    head: float
    bandwidth: float


def bench(device: Hardware, layout: Layout, practice: Practice) -> Bench:
    """What the device reaches; raises `InputError` where it has no such precision."""
    reached, left = practice.efficiency, 1.0 - practice.reserved
    plain = device.sustained("bf16") * left
    return Bench(
        product=device.sustained(practice.precision) * left * reached.matmul,
        attention=plain * (reached.attention if layout.fused else reached.matmul),
        head=plain * reached.matmul,
        bandwidth=device.bandwidth * left,
    )


def block_work(
    shape: Shape, block: Block, context: int, layout: Layout, device: Hardware, practice: Practice, speeds: Bench
) -> Work:
    """The seconds of one micro-batch in one block."""
    width, tokens = shape.width, layout.micro_batch * context / layout.context
    product = 2 * tokens * sum(part.multiplied(width) for part in block.parts) / layout.tensor / speeds.product
    mixing, scores = _mixing(block, context, layout, practice, speeds)
    passing = practice.efficiency.traffic * tokens * _kept(shape, block, layout) / speeds.bandwidth
    weights = WEIGHT_BYTES * sum(held(shape, block, layout)) / speeds.bandwidth
    forward = product + mixing + scores + passing + weights
    back = (2.5 if layout.fused else 2.0) * mixing
    backward = 2 * (product + scores + passing) + back + 3 * weights
    again = {"none": 0.0, "selective": mixing + scores, "full": forward}[layout.recompute]
    passes = 2 if layout.recompute == "full" else 1
    tensor = _tensor(width, block, tokens, layout, device, practice)
    ring = _ring(block, tokens, layout, device, practice)
    hide = "context" in practice.overlap
    there = exposed(ring, mixing) if hide else ring
    routed = _routed(width, block, tokens, layout, device, practice)
    if "expert" in practice.overlap:
        routed = exposed(2 * routed, forward + backward + again) / 2
    return Work(
        Pass(forward, tensor, there, routed),
        Pass(
            backward + again,
            tensor * passes,
            (exposed(2 * ring, back) if hide else 2 * ring) + (passes - 1) * there,
            routed * (passes if "expert" not in practice.overlap else 1),
        ),
        product,
    )


def _mixing(block: Block, context: int, layout: Layout, practice: Practice, speeds: Bench) -> tuple[float, float]:
    """Seconds of the mixer's arithmetic beyond its weights, and of passing its scores through memory."""
    if block.mixer is None:
        return 0.0, 0.0
    counting = KLEIBER if layout.fused else PALM
    share = layout.micro_batch / layout.context / layout.tensor
    mixing = block.mixer.pass_flops(context, counting) * share / speeds.attention
    if layout.fused:
        return mixing, 0.0
    kept = block.mixer.activations(1, layout.dropout).scores * context * context * share
    return mixing, practice.efficiency.traffic * kept / speeds.bandwidth


def _kept(shape: Shape, block: Block, layout: Layout) -> float:
    """Bytes per token of the tensors of a block on one device, scores left out."""
    parts = [part.activations(shape.width, layout.dropout) for part in block.parts]
    whole = sum(part.whole for part in parts) + 2 * shape.width * shape.norms_per_part * len(parts)
    rank = layout.tensor if layout.sequence_parallel else 1
    return whole / rank + sum(part.split for part in parts) / layout.tensor


def _tensor(width: int, block: Block, tokens: float, layout: Layout, device: Hardware, practice: Practice) -> float:
    """Seconds of one pass's all-reduces, less what is overlapped."""
    if layout.tensor == 1:
        return 0.0
    reached = practice.efficiency
    speed = group_speed(device, layout.tensor, 1, reached.link, reached.network)
    spent = len(block.parts) * all_reduce(MESSAGE_BYTES * tokens * width, layout.tensor, speed, reached.latency)
    return spent * (1 - reached.hidden) if "tensor" in practice.overlap else spent


def _ring(block: Block, tokens: float, layout: Layout, device: Hardware, practice: Practice) -> float:
    """Seconds in which keys and values go once round the ring."""
    if layout.context == 1 or block.mixer is None:
        return 0.0
    reached = practice.efficiency
    speed = group_speed(device, layout.context, layout.tensor, reached.link, reached.network)
    values = MESSAGE_BYTES * tokens * block.mixer.values_per_token() / layout.tensor
    return (layout.context - 1) * point_to_point(values, speed, reached.latency)


def _routed(width: int, block: Block, tokens: float, layout: Layout, device: Hardware, practice: Practice) -> float:
    """Seconds of one pass's dispatch (at the precision of the products) and combine (in bf16)."""
    part = block.feed_forward
    if layout.expert == 1 or not isinstance(part, Experts):
        return 0.0
    nodes = -(-layout.expert * layout.expert_split // device.node)
    reached, limit = practice.efficiency, practice.node_limit
    spread = nodes_reached(part.count, part.chosen, nodes, limit)
    numbers = tokens * width / layout.tensor
    size = numbers * (min(bytes_of(practice.precision), MESSAGE_BYTES) + MESSAGE_BYTES)
    waits = 2 * reached.latency * log2(layout.expert * layout.expert_split)
    return dispatch(size, part.chosen, spread, nodes, device, reached.link, reached.network) + waits
