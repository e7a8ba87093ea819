"""Everything that a model costs at one context, in one answer: what `kleiber cost` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kleiber.cost.cache import Cache, cache
from kleiber.cost.counting import KLEIBER, Counting
from kleiber.cost.efficiency import Practice
from kleiber.cost.flops import Flops, flops
from kleiber.cost.hardware import Hardware
from kleiber.cost.latency import Bound, Serving, decode_latency, devices_needed, prefill_latency, weight_bytes
from kleiber.cost.layouts import best_layout
from kleiber.cost.memory import Layout, TrainingMemory, training_memory
from kleiber.cost.params import Params, params
from kleiber.cost.shape import Shape
from kleiber.cost.step import ERRORS, StepTime, sequences_in, step_time

USUAL_CONTEXT = 4096


@dataclass(frozen=True, kw_only=True)
class OnDevice:
    """A model served on a device: bounds of the latency, and how many devices hold it."""

    hardware: Hardware
    serving: Serving
    needed: int
    prefill: Bound
    decode: Bound

    @property
    def usd_per_million_tokens(self) -> float | None:
        """What a million written tokens cost at the least, at the device's price; None without one."""
        if self.hardware.price is None:
            return None
        return 1e6 * self.serving.devices * self.hardware.price / 3600 * self.decode.seconds / self.serving.batch

    def to_json(self) -> dict[str, Any]:
        """The answer as data."""
        return {
            "hardware": self.hardware.to_json(),
            "serving": {
                "batch": self.serving.batch,
                "devices": self.serving.devices,
                "precision": self.serving.precision,
                "cache_precision": self.serving.cache_precision,
                "flops_efficiency": self.serving.flops_efficiency,
                "bandwidth_efficiency": self.serving.bandwidth_efficiency,
            },
            "devices_needed": self.needed,
            "fits": self.serving.devices >= self.needed,
            "prefill": self.prefill.to_json(),
            "decode": self.decode.to_json(),
            "usd_per_million_tokens": self.usd_per_million_tokens,
            "ridge_flops_per_byte": self.hardware.ridge(self.serving.precision),
        }


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model in training on a device: the layout, whether it was searched for, and its step.

    `mean_error` of such times against published runs of the same family (None: there are none).
    """

    hardware: Hardware
    layout: Layout
    searched: bool
    precision: str
    step: StepTime
    mean_error: float | None

    @property
    def usd_per_billion_tokens(self) -> float | None:
        """What training on a billion tokens costs at the device's price; None without one."""
        if self.hardware.price is None:
            return None
        return 1e9 * self.step.devices * self.hardware.price / 3600 * self.step.seconds / self.step.tokens

    def to_json(self) -> dict[str, Any]:
        """The answer as data."""
        return {
            "hardware": self.hardware.name,
            "layout": self.layout.to_json(),
            "searched": self.searched,
            "precision": self.precision,
            **self.step.to_json(),
            "usd_per_billion_tokens": self.usd_per_billion_tokens,
            "mean_error": self.mean_error,
        }


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a shape costs, and under which convention it was counted."""

    shape: Shape
    context: int
    counting: Counting
    recompute: str
    precision: str
    cache_precision: str
    params: Params
    flops: Flops
    cache: Cache
    weight_bytes: float
    training: TrainingMemory | None = None
    trained: Trained | None = None
    served: OnDevice | None = None

    def to_json(self) -> dict[str, Any]:
        """The answer as data (schema kleiber/cost/1, without its stamp)."""
        shape = self.shape
        return {
            "model": {
                "name": shape.name,
                "family": shape.family,
                "depth": shape.depth,
                "width": shape.width,
                "vocabulary": shape.vocabulary,
                "tied": shape.tied,
            },
            "context": self.context,
            "params": self.params.to_json(),
            "flops": self.flops.to_json(),
            **self.cache.to_json(),
            "weight_bytes": self.weight_bytes,
            "precision": self.precision,
            "cache_precision": self.cache_precision,
            "recompute": self.recompute,
            "counting": self.counting.to_json(),
            "training_memory": None if self.training is None else self.training.to_json(),
            "training_step": None if self.trained is None else self.trained.to_json(),
            "serving": None if self.served is None else self.served.to_json(),
        }


def summary(
    shape: Shape,
    *,
    context: int,
    counting: Counting = KLEIBER,
    recompute: str = "none",
    serving: Serving | None = None,
    device: Hardware | None = None,
    layout: Layout | None = None,
    batch_tokens: float | None = None,
) -> Summary:
    """Everything about `shape` at `context`; on `device` where one is named, spread by `layout` where one is given.

    With `batch_tokens` also the step of training on them: by `layout`, or by the best one on the devices of `serving`.

    Raises `InputError` where the context is beyond the model's positions or the device has no peak at the precision.

    >>> from kleiber.cost import model
    >>> summary(model("llama-3-8b"), context=8192).cache.per_token
    131072.0
    """
    serving = serving or Serving()
    served = None if device is None else _served(shape, device, context, counting, serving)
    trained = None
    if device is not None and batch_tokens is not None:
        trained = _trained(shape, device, context, counting, serving, layout, batch_tokens)
        layout = trained.layout
    return Summary(
        shape=shape,
        context=context,
        counting=counting,
        recompute=recompute,
        precision=serving.precision,
        cache_precision=serving.cache_precision,
        params=params(shape, counting),
        flops=flops(shape, context, counting, recompute=recompute),
        cache=cache(shape, context, serving.cache_precision),
        weight_bytes=weight_bytes(shape, serving.precision),
        training=None if layout is None else training_memory(shape, context, layout),
        trained=trained,
        served=served,
    )


def _served(shape: Shape, device: Hardware, context: int, counting: Counting, serving: Serving) -> OnDevice:
    return OnDevice(
        hardware=device,
        serving=serving,
        needed=devices_needed(shape, device, context, serving),
        prefill=prefill_latency(shape, device, context, serving, counting),
        decode=decode_latency(shape, device, context, serving, counting),
    )


def _trained(
    shape: Shape,
    device: Hardware,
    context: int,
    counting: Counting,
    serving: Serving,
    layout: Layout | None,
    batch_tokens: float,
) -> Trained:
    practice = Practice(precision=serving.precision)
    if layout is None:
        found, step = best_layout(
            shape, device, serving.devices, batch_tokens, context, practice=practice, counting=counting
        )
    else:
        found = layout
        step = step_time(
            shape,
            device,
            layout,
            sequences=sequences_in(batch_tokens, context),
            context=context,
            practice=practice,
            counting=counting,
        )
    return Trained(
        hardware=device,
        layout=found,
        searched=layout is None,
        precision=serving.precision,
        step=step,
        mean_error=ERRORS.get(shape.family),
    )


def usual_context(shape: Shape) -> int:
    """The context where none is asked for: 4,096 tokens, or as many as there are learned positions."""
    return min(USUAL_CONTEXT, shape.positions or USUAL_CONTEXT)
