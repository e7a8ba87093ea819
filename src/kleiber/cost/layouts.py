"""The fastest layout that fits: every way to spread a model over so many devices, by step time and memory.

What is tried: tensor parallelism in powers of two within a node, as far as it divides the heads; context parallelism in powers
of two, at least 4,096 tokens to a rank; any pipeline that divides the rest, whole or in 2 or 4 chunks; experts over powers of
two; ZeRO 1, and 3 without a pipeline; 1, 2, 4 or 8 sequences to a micro-batch; nothing or everything recomputed. Data
parallelism is the rest. Spreads whose thriftiest variant does not fit are left out at once; the others are put in order of
seconds per token and the first that fits in memory is the answer.

The batch is taken to the nearest whole number of micro-batches, at most 5 % from what was asked (`StepTime.tokens` says).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kleiber.cost.attention import Attention
from kleiber.cost.checks import whole
from kleiber.cost.counting import KLEIBER, Counting
from kleiber.cost.cut import kinds
from kleiber.cost.efficiency import Practice
from kleiber.cost.experts import Experts
from kleiber.cost.hardware import Hardware
from kleiber.cost.latent import LatentAttention
from kleiber.cost.memory import Layout, training_memory
from kleiber.cost.shape import Shape
from kleiber.cost.state_space import Mamba, Mamba2
from kleiber.cost.step import StepTime, check_wires, sequences_in, step_time
from kleiber.errors import InputError, Refusal

USABLE = 0.9
"""Part of a device's memory that a layout may fill: buffers, the allocator and the framework take the rest."""
ROUNDING, MOST_TENSOR, FEWEST_TOKENS, MOST_EXPERT = 0.05, 8, 4096, 64
MICRO_BATCHES, CHUNKS = (1, 2, 4, 8), (1, 2, 4)


def best_layout(
    shape: Shape,
    device: Hardware,
    devices: int,
    batch_tokens: float,
    context: int,
    *,
    practice: Practice | None = None,
    counting: Counting = KLEIBER,
    usable: float = USABLE,
) -> tuple[Layout, StepTime]:
    """The layout of `shape` on `devices` with the least time per token, and its step.

    `batch_tokens` per step in sequences of `context` tokens; `usable`: the part of the memory that may be filled.
    Raises `Refusal` where no layout fits in memory, saying by how much, or the batch cannot be spread so widely.

    >>> from kleiber.cost import find_hardware, model
    >>> layout, step = best_layout(model("llama-3-8b"), find_hardware("h100"), 64, 4e6, 8192)
    >>> layout.devices, step.mfu > 0.3
    (64, True)
    """
    whole("training", "devices", devices)
    if not context <= batch_tokens < float("inf"):
        raise InputError("a batch holds at least one sequence", found=f"{batch_tokens:g} tokens", expected=f"{context}")
    shape.check_context(context)
    check_wires(device, devices)
    sequences, room = sequences_in(batch_tokens, context), usable * device.memory
    thrifty = [
        (training_memory(shape, context, spread).total, spread) for spread in _spreads(shape, device, devices, context)
    ]
    fitting = [spread for total, spread in thrifty if total <= room]
    if not fitting:
        _refuse_memory(shape, device, devices, context, min(total for total, _ in thrifty), room)
    timed = []
    for spread in fitting:
        for layout, count in _variants(shape, spread, sequences):
            step = step_time(
                shape, device, layout, sequences=count, context=context, practice=practice, counting=counting
            )
            timed.append((step.seconds / step.tokens, len(timed), layout, step))
    for _, _, layout, step in sorted(timed, key=lambda found: found[:2]):
        if training_memory(shape, context, layout).total <= room:
            return layout, step
    least = min(spread.data for spread in fitting)
    raise Refusal(
        f"a batch of {sequences} sequences cannot be spread over {devices} devices",
        remedy=f"a batch of at least {least * context:,} tokens, or fewer devices",
    )


def _spreads(shape: Shape, device: Hardware, devices: int, context: int) -> Iterator[Layout]:
    """Every way to divide the devices, in its thriftiest variant."""
    for tensor in _powers(min(device.node, MOST_TENSOR)):
        if devices % tensor or not _divides(shape, tensor):
            continue
        for ring in _powers(_most_context(shape, context)):
            if devices % (tensor * ring):
                continue
            rest = devices // tensor // ring
            for pipeline in (count for count in range(1, min(rest, shape.depth) + 1) if rest % count == 0):
                yield from _sharded(
                    shape, Layout(data=rest // pipeline, tensor=tensor, pipeline=pipeline, context=ring)
                )


def _sharded(shape: Shape, plain: Layout) -> Iterator[Layout]:
    """The ways to share out the experts and the optimiser."""
    counts = [block.feed_forward.count for block in kinds(shape)[0] if isinstance(block.feed_forward, Experts)]
    ranks = plain.data * plain.context * plain.tensor
    replicated = plain.data * plain.context > 1
    for expert in _powers(min([MOST_EXPERT, ranks, *counts])) if counts else [1]:
        if ranks % expert or any(count % expert for count in counts):
            continue
        split = {"expert": expert, "expert_tensor": 1} if counts else {}
        found = replace(plain, **split, zero=1 if replicated else 0, recompute="full")
        yield found
        if plain.pipeline == 1 and replicated:
            yield replace(found, zero=3)


def _variants(shape: Shape, spread: Layout, sequences: int) -> Iterator[tuple[Layout, int]]:
    """What else can be chosen for a spread, with the sequences of its step."""
    for micro_batch in MICRO_BATCHES:
        each = spread.data * micro_batch
        for virtual in CHUNKS:
            if virtual > 1 and (spread.pipeline == 1 or virtual * spread.pipeline > shape.depth):
                continue
            unit = each * (spread.pipeline if virtual > 1 else 1)
            count = max(1, round(sequences / unit)) * unit
            if abs(count - sequences) > ROUNDING * sequences:
                continue
            schedule = "interleaved" if virtual > 1 else "1f1b"
            for recompute in ("none", "full"):
                yield (
                    replace(spread, micro_batch=micro_batch, virtual=virtual, schedule=schedule, recompute=recompute),
                    count,
                )


def _powers(most: int) -> list[int]:
    """1, 2, 4, ... up to `most`."""
    return [2**power for power in range(most.bit_length()) if 2**power <= most]


def _divides(shape: Shape, tensor: int) -> bool:
    """Whether tensor parallelism gives every rank the same heads and channels."""
    for block in kinds(shape)[0]:
        mixer = block.mixer
        if isinstance(mixer, Mamba) and mixer.inner % tensor:
            return False
        if isinstance(mixer, (Attention, LatentAttention, Mamba2)) and mixer.heads % tensor:
            return False
    return shape.width % tensor == 0


def _most_context(shape: Shape, context: int) -> int:
    """Ranks that a sequence may be cut into; a state space's scan stays on one."""
    if any(isinstance(block.mixer, (Mamba, Mamba2)) for block in shape.blocks):
        return 1
    return max(1, context // FEWEST_TOKENS)


def _refuse_memory(shape: Shape, device: Hardware, devices: int, context: int, least: float, room: float) -> None:
    """Say how much is missing and how many devices would do."""
    more = devices
    while more < 2**20:
        more *= 2
        if device.network == 0 and more > device.node:
            break
        found = min(training_memory(shape, context, spread).total for spread in _spreads(shape, device, more, context))
        if found <= room:
            break
    raise Refusal(
        f"{shape.name} does not fit on {devices:,} x {device.name}: the thriftiest layout needs {least / 1e9:.3g} GB on each "
        f"device, {least / room:.3g} times the {room / 1e9:.3g} GB there are",
        remedy=f"{more:,} devices, a shorter context, or devices with more memory",
    )
