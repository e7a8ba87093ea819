"""The models the lab can train, one file each; they need PyTorch. This is the contents page.

A family joins by a function from a shape and a seed to a module that maps bytes `(B, T)` to logits `(B, T, 256)`, and by being
listed in `MODELS`; its shape (`kleiber.lab.dial`) must say by `cost` what it costs. The tests then want: every tensor counted by
`kleiber.cost`, causality, a loss that falls, the same bits from the same seed and after a kill, and a rate that transfers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from kleiber.lab.dial import Shape
from kleiber.lab.models import dense, hybrid
from kleiber.lab.shape import DenseShape


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of models: `build(shape, seed=...)` makes one, freshly initialised, the same bits for the same seed."""

    name: str
    build: Callable[..., nn.Module]


def build(shape: Shape, *, seed: int) -> nn.Module:
    """A model of any shape; plain dense shapes have a module of their own, so that runs made by it can be made again."""
    return dense.build(shape, seed=seed) if isinstance(shape, DenseShape) else hybrid.build(shape, seed=seed)


MODELS: tuple[Family, ...] = (
    Family(name="dense", build=build),
    Family(name="experts", build=hybrid.build),
    Family(name="ssm", build=hybrid.build),
    Family(name="hybrid", build=hybrid.build),
)
