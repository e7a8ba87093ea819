"""How long one training step takes on many devices, and what it is spent on.

seconds = m x slowest stage + bubble + data-parallel messages that nothing hides + optimiser, with m micro-batches per replica.
The slowest stage's micro-batch is compute and the waiting for tensor-, context-, expert- and pipeline-parallel messages
(`stage.py`); the bubble is the schedule's (`schedule.py`), with the mean of the other stages as its slot; gradients are
reduced once per step (ZeRO 0: all-reduce; 1: reduce-scatter, and weights gathered once), or with every micro-batch (2, 3; 3
gathers the weights for either pass as well); the optimiser reads and writes 12 bytes per parameter, and one gradient and weight.

mfu = model FLOPs, nothing recomputed, / (peak x devices x seconds); hfu counts what is recomputed too.

Left out: loading data, checkpoints, evaluation, restarts, stragglers, the starting of kernels, uneven routing of experts.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from kleiber.cost.checks import whole
from kleiber.cost.collective import all_gather, exposed, group_speed, point_to_point
from kleiber.cost.counting import KLEIBER, Counting
from kleiber.cost.cut import kinds, stages_alike
from kleiber.cost.efficiency import Practice
from kleiber.cost.flops import train_flops
from kleiber.cost.hardware import Hardware
from kleiber.cost.memory import OPTIMISER_BYTES, WEIGHT_BYTES, Layout, held
from kleiber.cost.schedule import find_schedule
from kleiber.cost.shape import Shape
from kleiber.cost.stage import MESSAGE_BYTES, Pass, Work, bench, block_work
from kleiber.errors import InputError

ERRORS = {"dense": 0.042, "experts": 0.268}
"""Mean error against published runs that no constant was fitted on, by family; those of experts all took longer."""
PARTS = ("compute", "tensor", "context", "expert", "pipeline", "data", "bubble", "optimiser")


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """Seconds of one training step by what they are spent on; messages: only what is waited for.

    `tokens` of the step on `devices`; `micro_batches` per replica; `model_flops` and `hardware_flops` of the step; `peak` of
    one device in FLOP/s.
    """

    compute: float
    tensor: float
    context: float
    expert: float
    pipeline: float
    data: float
    bubble: float
    optimiser: float
    tokens: float
    devices: int
    micro_batches: int
    model_flops: float
    hardware_flops: float
    peak: float

    @property
    def seconds(self) -> float:
        """The whole step."""
        return sum(getattr(self, name) for name in PARTS)

    def shares(self) -> dict[str, float]:
        """What part of the step each takes."""
        return {name: getattr(self, name) / self.seconds for name in PARTS}

    @property
    def mfu(self) -> float:
        """Model FLOPs utilisation."""
        return self.model_flops / (self.peak * self.devices * self.seconds)

    @property
    def hfu(self) -> float:
        """Hardware FLOPs utilisation: what is recomputed counts."""
        return self.hardware_flops / (self.peak * self.devices * self.seconds)

    @property
    def tokens_per_second_per_device(self) -> float:
        """Tokens each device gets through in a second."""
        return self.tokens / self.seconds / self.devices

    def to_json(self) -> dict[str, Any]:
        """The step as data."""
        return {
            "seconds": self.seconds,
            **{f"{name}_seconds": getattr(self, name) for name in PARTS},
            "mfu": self.mfu,
            "hfu": self.hfu,
            "tokens": self.tokens,
            "tokens_per_second_per_device": self.tokens_per_second_per_device,
            "devices": self.devices,
            "micro_batches": self.micro_batches,
        }


def step_time(
    shape: Shape,
    device: Hardware,
    layout: Layout,
    *,
    sequences: int,
    context: int,
    practice: Practice | None = None,
    counting: Counting = KLEIBER,
) -> StepTime:
    """The time of one step over `sequences` sequences of `context` tokens.

    Raises `InputError` where the batch does not fill the micro-batches evenly, or the device's wires are not known.

    >>> from kleiber.cost import find_hardware, model
    >>> layout = Layout(data=8, tensor=8, pipeline=16, recompute="selective", zero=1)
    >>> found = step_time(model("llama-3-405b"), find_hardware("h100"), layout, sequences=1024, context=8192)
    >>> 0.3 < found.mfu < 0.5
    True
    """
    practice = practice or Practice()
    shape.check_context(context)
    check_wires(device, layout.devices)
    micro_batches = _micro_batches(layout, sequences)
    stages = _stages(shape, layout, context, device, practice)
    tokens = float(sequences) * context
    return StepTime(
        **_spent(shape, layout, context, device, practice, stages, micro_batches),
        tokens=tokens,
        devices=layout.devices,
        micro_batches=micro_batches,
        model_flops=tokens * _flops(shape, context, counting, recompute="none"),
        hardware_flops=tokens * _flops(shape, context, counting, recompute=layout.recompute),
        peak=device.peak(practice.precision),
    )


# A search asks for the same few thousands of times.
_flops = functools.lru_cache(maxsize=256)(train_flops)


def check_wires(device: Hardware, devices: int) -> None:
    """Raise `InputError` where the speed of a wire that `devices` need is not known."""
    if devices > 1 and not device.link:
        raise InputError(f"the link of {device.name} is not known", remedy="give link_gb_per_s in a hardware file")
    if devices > device.node and not device.network:
        raise InputError(
            f"the network between nodes of {device.name} is not known",
            found=f"{devices} devices, {device.node} to a node",
            remedy="give network_gb_per_s in a hardware file",
        )


def _micro_batches(layout: Layout, sequences: int) -> int:
    whole("a step", "sequences", sequences)
    each = layout.data * layout.micro_batch
    if sequences % each:
        raise InputError(
            "the sequences do not fill the micro-batches evenly",
            found=f"{sequences} sequences, data x micro_batch = {each}",
            expected="the first as a multiple of the second",
        )
    count = sequences // each
    if layout.virtual > 1 and count % layout.pipeline:
        raise InputError(
            "an interleaved schedule needs micro-batches in rounds of the pipeline",
            found=f"{count} micro-batches, {layout.pipeline} stages",
            expected="the first as a multiple of the second",
        )
    return count


def _stages(
    shape: Shape, layout: Layout, context: int, device: Hardware, practice: Practice
) -> list[tuple[tuple[int, ...], int, Work]]:
    """Blocks, number and work of the stages that are alike; the head joins the last one."""
    speeds = bench(device, layout, practice)
    works = [block_work(shape, block, context, layout, device, practice, speeds) for block in kinds(shape)[0]]
    head = (
        2 * shape.vocabulary * shape.width * layout.micro_batch * context / layout.context / layout.tensor / speeds.head
    )
    found = []
    for counts, alike in stages_alike(shape, layout.pipeline):
        work = Work()
        for count, each in zip(counts, works, strict=True):
            if count:
                work = work.plus(each.times(count))
        found.append((counts, alike, work))
    counts, alike, work = found[-1]
    found[-1] = (counts, alike, work.plus(Work(Pass(head), Pass(2 * head), head)))
    return found


def _spent(
    shape: Shape,
    layout: Layout,
    context: int,
    device: Hardware,
    practice: Practice,
    stages: list[tuple[tuple[int, ...], int, Work]],
    micro_batches: int,
) -> dict[str, float]:
    """Seconds by part."""
    slowest = max((work for _, _, work in stages), key=lambda work: work.forward.total + work.backward.total)
    one = slowest.forward.plus(slowest.backward)
    hop = _hop(shape, layout, context, device, practice, slowest.forward.compute)
    whole_step = one.times(micro_batches)
    data = _data(shape, layout, device, practice, stages, micro_batches, one.compute)
    moved = sum(
        params * (2 * OPTIMISER_BYTES + layout.gradient_bytes + WEIGHT_BYTES) / (replicas if layout.zero else 1)
        for params, replicas, _ in _held(shape, layout, stages)
    )
    return {
        "compute": whole_step.compute,
        "tensor": whole_step.tensor,
        "context": whole_step.context,
        "expert": whole_step.expert,
        "pipeline": 2 * hop * micro_batches,
        "data": data,
        "bubble": _bubble(layout, stages, slowest, hop),
        "optimiser": moved / device.bandwidth,
    }


def _hop(shape: Shape, layout: Layout, context: int, device: Hardware, practice: Practice, compute: float) -> float:
    """Seconds that a micro-batch waits to go on to the next stage, once for each chunk of layers."""
    if layout.pipeline == 1:
        return 0.0
    reached = practice.efficiency
    stride = layout.data * layout.context * layout.tensor
    speed = group_speed(device, 2, stride, reached.link, reached.network)
    size = MESSAGE_BYTES * layout.micro_batch * context / layout.context * shape.width / layout.tensor
    spent = layout.virtual * point_to_point(size, speed, reached.latency)
    return exposed(spent, compute) if "pipeline" in practice.overlap else spent


def _bubble(layout: Layout, stages: list[tuple[tuple[int, ...], int, Work]], slowest: Work, hop: float) -> float:
    """The schedule's idle time, with the mean of the stages beside the slowest as its slot."""
    others = layout.pipeline - 1
    if not others:
        return 0.0

    def mean(seconds: list[tuple[float, int]], most: float) -> float:
        return (sum(value * alike for value, alike in seconds) - most) / others

    forward = mean([(work.forward.total, alike) for _, alike, work in stages], slowest.forward.total) + hop
    backward = mean([(work.backward.total, alike) for _, alike, work in stages], slowest.backward.total) + hop
    weight = mean([(work.weight, alike) for _, alike, work in stages], slowest.weight)
    return find_schedule(layout.schedule).bubble(layout.pipeline, forward, backward, weight, virtual=layout.virtual)


def _held(
    shape: Shape, layout: Layout, stages: list[tuple[tuple[int, ...], int, Work]]
) -> list[tuple[float, int, int]]:
    """Parameters on one device of the fullest stage, over how many replicas, and how far apart these are: dense, routed."""
    taken = layout.expert * layout.expert_split
    each = [held(shape, block, layout) for block in kinds(shape)[0]]
    dense_each, routed_each = [dense for dense, _ in each], [routed for _, routed in each]
    tables = shape.vocabulary * shape.width / layout.tensor
    copies = find_schedule(layout.schedule).copies
    table_count = 2 - shape.tied if layout.pipeline == 1 else 1
    fullest = max(
        (counts for counts, _, _ in stages), key=lambda counts: _sum(counts, dense_each) + _sum(counts, routed_each)
    )
    dense = _sum(fullest, dense_each) + tables * table_count
    routed = _sum(fullest, routed_each)
    replicas = layout.data * layout.context
    return [
        (copies * dense, replicas, layout.tensor),
        (copies * routed, max(1, replicas * layout.tensor // taken), taken),
    ]


def _sum(counts: tuple[int, ...], each: list[float]) -> float:
    return sum(count * value for count, value in zip(counts, each, strict=True))


def _data(
    shape: Shape,
    layout: Layout,
    device: Hardware,
    practice: Practice,
    stages: list[tuple[tuple[int, ...], int, Work]],
    micro_batches: int,
    compute: float,
) -> float:
    """Seconds of reducing gradients and gathering weights that nothing hides."""
    reached, spent = practice.efficiency, 0.0
    often = micro_batches if layout.zero >= 2 else 1
    gathers = {0: 0, 1: 1, 2: 1, 3: 2 * often}[layout.zero]
    latency = reached.latency * max(sum(counts) for counts, _, _ in stages)  # one message per block
    for params, replicas, stride in _held(shape, layout, stages):
        if replicas == 1 or not params:
            continue
        speed = group_speed(device, replicas, stride, reached.link, reached.network)
        reduced = all_gather(layout.gradient_bytes * params, replicas, speed, latency)
        spent += reduced * (2 if not layout.zero else often)
        spent += gathers * all_gather(WEIGHT_BYTES * params, replicas, speed, latency)
    if "data" not in practice.overlap:
        return spent
    return exposed(spent, often * compute)


def sequences_in(tokens: float, context: int) -> int:
    """Sequences of `context` tokens nearest to a batch of `tokens`, at least one."""
    return max(1, round(tokens / context))
