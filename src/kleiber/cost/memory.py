"""What training keeps on each device: weights, gradients, optimiser, activations.

Mixed precision with Adam: 2 bytes of weights, 2 (or 4) of gradients and 12 of optimiser (a copy in fp32 and two moments) per
parameter. ZeRO divides the optimiser (stage 1), the gradients (2) and the weights (3) among the replicas. There are three
divisors: tensor parallelism for attention, dense feed-forwards, shared experts, state spaces and the tables; none for norms,
routers and learned positions; expert x expert-tensor parallelism for routed experts, whose replicas are correspondingly fewer.

Activations of one transformer layer of plain heads and hidden = 4 width, with dropout: s b h (34 + 5 a s/h) bytes; tensor
parallelism leaves s b h (10 + 24/t + 5 a s/(h t)), sequence parallelism divides the 10 as well; selective recomputation (or
fused attention) drops 5 a s/h; full recomputation keeps the 2 s b h that enter each layer, and one layer at work.
In a 1F1B pipeline stage i of p holds p - i micro-batches; the other schedules, and DualPipe's second stage on each device:
`schedule.py`.

Left out: buffers of communication and of the allocator, fragmentation, the framework itself.

Sources: Rajbhandari et al. 2020, arXiv 1910.02054 (ZeRO), section 3.1 and figure 1; Korthikanti et al. 2022, arXiv 2205.05198,
equations 1, 2, 4 and section 4.2.3 (activations); for other layers the same tally of kept tensors.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kleiber.cost.checks import one_of, whole_each
from kleiber.cost.cut import kinds, stage_counts
from kleiber.cost.flops import RECOMPUTE
from kleiber.cost.params import block_params, norm_params
from kleiber.cost.schedule import check_schedule, find_schedule
from kleiber.cost.shape import Block, Shape
from kleiber.errors import InputError

WEIGHT_BYTES, OPTIMISER_BYTES, LOGIT_BYTES = 2.0, 12.0, 4.0
WHOLE = ("norms", "router", "positions")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a model is spread over devices for training.

    Degrees of `data`, `tensor`, `pipeline`, `context` and `expert` parallelism; `expert_tensor`: tensor parallelism within an
    expert (None: as `tensor`); `zero`: stage 0 to 3; `micro_batch`: sequences per replica at once; `recompute`: `none`,
    `selective` or `full`; `fused`: attention that never stores its scores; `gradient_bytes`: 2, or 4 where they add up
    in fp32; `schedule` of the pipeline, `virtual`: chunks of layers on each of its devices.
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    expert: int = 1
    expert_tensor: int | None = None
    zero: int = 0
    micro_batch: int = 1
    recompute: str = "none"
    fused: bool = True
    sequence_parallel: bool = True
    dropout: bool = False
    gradient_bytes: float = 2.0
    schedule: str = "1f1b"
    virtual: int = 1

    def __post_init__(self) -> None:
        owner = "a layout"
        whole_each(owner, self, ("data", "tensor", "pipeline", "context", "expert", "micro_batch"))
        one_of(owner, "recomputation", self.recompute, RECOMPUTE)
        check_schedule(self.schedule, self.pipeline, self.virtual)
        if self.zero not in (0, 1, 2, 3):
            raise InputError("ZeRO has no such stage", found=repr(self.zero), expected="0, 1, 2 or 3")
        ranks, taken = self.data * self.context * self.tensor, self.expert * self.expert_split
        if ranks % taken:
            raise InputError(
                "the experts do not fill the ranks of a pipeline stage evenly",
                found=f"expert x expert_tensor = {taken}, data x context x tensor = {ranks}",
                expected="the second as a multiple of the first",
            )

    @property
    def expert_split(self) -> int:
        """Devices that share one expert."""
        return self.tensor if self.expert_tensor is None else self.expert_tensor

    @property
    def devices(self) -> int:
        """Devices in all."""
        return self.data * self.context * self.tensor * self.pipeline

    def to_json(self) -> dict[str, Any]:
        """The layout as data."""
        return {"devices": self.devices, **asdict(self), "expert_tensor": self.expert_split}

    def bytes_per_param(self, replicas: int) -> tuple[float, float, float]:
        """Weights, gradients and optimiser of one parameter held by `replicas` devices.

        >>> Layout(data=64, zero=1).bytes_per_param(64)
        (2.0, 2.0, 0.1875)
        """
        share = [replicas if self.zero >= stage else 1 for stage in (3, 2, 1)]
        return WEIGHT_BYTES / share[0], self.gradient_bytes / share[1], OPTIMISER_BYTES / share[2]


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Bytes on each device of one pipeline stage."""

    stage: int
    weights: float
    gradients: float
    optimiser: float
    activations: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.weights + self.gradients + self.optimiser + self.activations

    def to_json(self) -> dict[str, Any]:
        """The bytes as data."""
        return {
            "stage": self.stage,
            "weights_bytes": self.weights,
            "gradients_bytes": self.gradients,
            "optimiser_bytes": self.optimiser,
            "activations_bytes": self.activations,
            "total_bytes": self.total,
        }


def training_memory(shape: Shape, context: int, layout: Layout) -> TrainingMemory:
    """The fullest stage of `stage_memory`.

    >>> from kleiber.cost import model
    >>> found = training_memory(model("llama-3-8b"), 8192, Layout(data=64, zero=3, recompute="full"))
    >>> f"{found.weights / 1e9:.3f}"
    '0.251'
    """
    return max(stage_memory(shape, context, layout), key=lambda found: found.total)


def stage_memory(shape: Shape, context: int, layout: Layout) -> tuple[TrainingMemory, ...]:
    """Bytes on each device of every pipeline stage, for sequences of `context` tokens."""
    shape.check_context(context)
    counts = stage_counts(shape, layout.pipeline)
    blocks, _ = kinds(shape)
    last = len(counts) - 1
    each = [held(shape, block, layout) for block in blocks]
    states = [_states(shape, count, each, layout, first=at == 0, last=at == last) for at, count in enumerate(counts)]
    if find_schedule(layout.schedule).copies > 1:
        states = [[a + b for a, b in zip(states[at], states[last - at], strict=True)] for at in range(last + 1)]
    kept = [block_activations(shape, block, context, layout) for block in blocks]
    return tuple(
        TrainingMemory(
            stage=at,
            weights=states[at][0],
            gradients=states[at][1],
            optimiser=states[at][2],
            activations=_activations(shape, count, kept, context, layout, at, last=at == last),
        )
        for at, count in enumerate(counts)
    )


def block_activations(shape: Shape, block: Block, context: int, layout: Layout) -> float:
    """Bytes that one block keeps per token on one device, nothing recomputed but what the layout says."""
    parts = [part.activations(shape.width, layout.dropout) for part in block.parts]
    norms = 2 * shape.width * shape.norms_per_part * len(parts)
    whole = sum(part.whole for part in parts) + norms
    split = sum(part.split for part in parts)
    if layout.recompute == "none" and not layout.fused:
        split += context * sum(part.scores for part in parts)
    return whole / (layout.tensor if layout.sequence_parallel else 1) + split / layout.tensor


def held(shape: Shape, block: Block, layout: Layout) -> tuple[float, float]:
    """Parameters of a block on one device: all but the routed ones, and those."""
    dense = routed = 0.0
    for group, count in block_params(shape, block).items():
        if group == "routed":
            routed += count / (layout.expert * layout.expert_split)
        else:
            dense += count if group in WHOLE else count / layout.tensor
    return dense, routed


def _states(
    shape: Shape,
    counts: tuple[int, ...],
    each: list[tuple[float, float]],
    layout: Layout,
    *,
    first: bool,
    last: bool,
) -> list[float]:
    """Bytes of weights, gradients and optimiser on one device of a stage."""
    # A tied head on another stage is a copy.
    tables = shape.vocabulary * shape.width * (first + (last and not (first and shape.tied)))
    dense = tables / layout.tensor + first * shape.positions * shape.width
    dense += (last and shape.final_norm) * norm_params(shape)
    dense += sum(count * found[0] for count, found in zip(counts, each, strict=True))
    routed = sum(count * found[1] for count, found in zip(counts, each, strict=True))
    replicas, taken = layout.data * layout.context, layout.expert * layout.expert_split
    return [
        dense * one + routed * other
        for one, other in zip(
            layout.bytes_per_param(replicas), layout.bytes_per_param(replicas * layout.tensor // taken), strict=True
        )
    ]


def _activations(
    shape: Shape, counts: tuple[int, ...], each: list[float], context: int, layout: Layout, stage: int, *, last: bool
) -> float:
    """Bytes of activations on one device of a stage, with every micro-batch that is under way."""
    tokens = layout.micro_batch * context / layout.context
    rank = layout.tensor if layout.sequence_parallel else 1
    under_way = find_schedule(layout.schedule).under_way(layout.pipeline, stage, layout.virtual)
    kept = under_way * sum(count * size for count, size in zip(counts, each, strict=True))
    if layout.recompute == "full":
        at_work = max(size for count, size in zip(counts, each, strict=True) if count)
        kept = under_way * sum(counts) * 2 * shape.width / rank + at_work
    if stage == 0:
        kept += under_way * layout.dropout * shape.width / rank
    if last:
        kept += 4 * shape.width / rank + LOGIT_BYTES * shape.vocabulary / layout.tensor
    return tokens * kept
