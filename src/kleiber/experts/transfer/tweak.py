"""A tweak: one or more numbers of the model or the cluster that change, and the job that results.

One idea: what is not named stays. Granularity g makes every expert g times narrower, g times as many of them and g times as
many chosen, so params and FLOPs stay; a new width takes heads, hidden widths and shared experts along in proportion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kleiber.cost import Attention, Block, Experts, FeedForward, LatentAttention, Shape
from kleiber.errors import InputError, did_you_mean
from kleiber.experts.layers import sparse_layer
from kleiber.experts.simulate import Job

TWEAKS = ("experts", "top-k", "granularity", "shared", "width", "node", "context")
"""What can be changed: experts of a layer, those chosen, how finely they are cut, shared experts, the model's width, devices to
a node, length of the sequences."""


@dataclass(frozen=True, kw_only=True)
class Tweak:
    """New values by name; raises `InputError` for a name that is none and for what is not a whole number.

    >>> Tweak(values={"top-k": 4, "node": 4}).changes("loss")
    ('top-k',)
    """

    values: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError("nothing changes", expected=" or ".join(f"{name}=N" for name in TWEAKS))
        for name, value in self.values.items():
            if name not in TWEAKS:
                raise InputError("no such tweak", found=repr(name), remedy=did_you_mean(name, TWEAKS))
            least = 0 if name == "shared" else 1
            if value != int(value) or value < least:
                raise InputError(f"{name} must be a whole number", found=value, expected=f"at least {least}")

    def changes(self, what: str) -> tuple[str, ...]:
        """Which of the new values touch what a part of the plan rests on."""
        return tuple(name for name in self.values if name in TOUCHES[what])


TOUCHES = {
    "routing": ("experts", "top-k", "granularity", "shared", "width", "context"),
    "loss": ("experts", "top-k", "granularity", "shared", "width", "context"),
}
"""The tweaks after which the loads of the experts, or the loss, are others."""


def tweaked(job: Job, tweak: Tweak) -> Job:
    """The job with the tweak made; a step keeps its tokens as nearly as whole micro-batches allow."""
    values = {name: int(value) for name, value in tweak.values.items()}
    shape = _shape(job.shape, values)
    nodes, per_node, context = job.nodes, job.devices_per_node, job.context
    if "node" in values:
        per_node = values["node"]
        if job.width % per_node:
            raise InputError(
                "the devices do not fill nodes of that size", found=f"{job.width} devices, {per_node} a node"
            )
        nodes = job.width // per_node
    if "context" in values:
        context = values["context"]
    each = job.width * job.groups * job.micro_batch
    wanted = job.sequences * job.context / context / each
    if wanted < 1:
        raise InputError("a step's tokens do not fill one sequence a device", found=f"context {context}")
    return replace(
        job,
        shape=shape,
        nodes=nodes,
        devices_per_node=per_node,
        context=context,
        sequences=max(1, round(wanted)) * each,
    )


def _shape(shape: Shape, values: Mapping[str, int]) -> Shape:
    before = sparse_layer(shape)
    fine = values.get("granularity", 1)
    if before.hidden % fine:
        raise InputError("an expert cannot be cut so finely", found=f"hidden width {before.hidden} in {fine}")
    scale = values.get("width", shape.width) / shape.width
    count = values.get("experts", before.count) * fine
    chosen = values.get("top-k", before.chosen) * fine
    hidden = _scaled(before.hidden // fine, scale)
    shared = before.shared_hidden * scale
    if "shared" in values:
        shared = values["shared"] * before.hidden * scale
    after = replace(before, count=count, chosen=chosen, hidden=hidden, shared_hidden=round(shared))
    blocks = tuple(
        replace(
            block,
            mixer=_mixer(block, scale),
            feed_forward=after if block.feed_forward == before else _dense(block, scale),
        )
        for block in shape.blocks
    )
    return replace(shape, width=values.get("width", shape.width), blocks=blocks)


def _scaled(value: int, scale: float) -> int:
    return max(1, round(value * scale))


def _dense(block: Block, scale: float) -> FeedForward | Experts | None:
    layer = block.feed_forward
    return replace(layer, hidden=_scaled(layer.hidden, scale)) if isinstance(layer, FeedForward) else layer  # type: ignore[return-value]


def _mixer(block: Block, scale: float) -> Attention | LatentAttention | None:
    """The same kind of layer with as many heads as the width asks for."""
    mixer = block.mixer
    if scale == 1:
        return mixer  # type: ignore[return-value]
    if isinstance(mixer, Attention):
        kv = _scaled(mixer.kv_heads, scale)
        return replace(mixer, heads=kv * (mixer.heads // mixer.kv_heads), kv_heads=kv)
    if isinstance(mixer, LatentAttention):
        return replace(mixer, heads=_scaled(mixer.heads, scale))
    raise InputError("a new width is worked out for attention only", found=type(mixer).__name__)
