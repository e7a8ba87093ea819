"""How every run of a ladder is trained: one frozen set of dials, the same at every size but for the rate."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from kleiber.cost.checks import one_of
from kleiber.errors import InputError

BASE_WIDTH = 32
FLAGS = ("compile", "transfer")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW with warm-up, a constant trunk and linear decay branches (WSD).

    The peak rate follows one smooth rule, lr · (width / 32)^lr_exponent, so that no rung of a ladder stands off its
    neighbours because of a jumpy pick. Tokens are bytes.

    With `transfer` the rate is that of width 32 and every tensor has its own, so that one rate holds at all widths (see
    `kleiber.lab.models.roles`): lr · 32 / width for maps, lr for embedding and vectors; `weight_decay` is lr's at width 32,
    and a step takes the same share of a weight at every width.

    `precision` is that of the matrix products: "float32", "bfloat16", or "auto", which is bfloat16 on a GPU and float32 on a
    processor. Weights, their updates and the loss stay float32, as does attention on a processor. A processor with matrix
    units for bfloat16 (AMX on x86) trains wide models quicker by it, one without trains slower.
    """

    context: int = 128
    batch_windows: int = 16
    lr: float = 0.01
    lr_exponent: float = -0.5
    warmup_tokens: int = 409_600
    decay_fraction: float = 0.25
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.98
    clip_norm: float = 1.0
    compile: bool = False
    transfer: bool = False
    precision: str = "auto"

    def __post_init__(self) -> None:
        one_of("the recipe", "precision", self.precision, PRECISIONS)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "precision":
                continue
            if isinstance(value, bool) != (field.name in FLAGS) or not isinstance(value, (int, float)):
                expected = "true or false" if field.name in FLAGS else "a number"
                raise InputError(f"the recipe's {field.name} must be {expected}", found=repr(value))
        for name in ("context", "batch_windows", "lr", "warmup_tokens", "clip_norm"):
            if getattr(self, name) <= 0:
                raise InputError(f"the recipe's {name} must be positive", found=getattr(self, name))
        if not 0 < self.decay_fraction < 1:
            raise InputError(
                "the recipe's decay_fraction is a share of a run's tokens",
                found=self.decay_fraction,
                expected="a number between 0 and 1",
            )
        if self.transfer and self.lr_exponent not in (-1.0, Recipe.lr_exponent):
            raise InputError(
                "the recipe's lr_exponent has no say where the rate transfers",
                found=self.lr_exponent,
                remedy="leave it out, or set transfer = false",
            )

    def facts(self) -> dict[str, Any]:
        """What a run's name is made of. A dial added later is left out at its default: names given before it stand."""
        facts = asdict(self)
        usual = {"transfer": False, "precision": "auto"}
        return {name: value for name, value in facts.items() if name not in usual or value != usual[name]}

    def half(self, device: str) -> bool:
        """Whether products on this kind of device ("cpu", "cuda") are in bfloat16."""
        return self.precision == "bfloat16" or (self.precision == "auto" and device == "cuda")

    @property
    def batch_tokens(self) -> int:
        """Tokens of one optimiser step."""
        return self.batch_windows * self.context

    def peak_lr(self, width: int) -> float:
        """The rate of the trunk at this width; with `transfer` that of the maps."""
        return self.lr * (width / BASE_WIDTH) ** (-1.0 if self.transfer else self.lr_exponent)

    def steps(self, tokens: int) -> int:
        """Optimiser steps of a run of that many tokens, to the nearest whole step."""
        return max(1, round(tokens / self.batch_tokens))

    def branch_step(self, tokens: int) -> int:
        """The trunk step at which the decay branch of a run of that many tokens begins."""
        steps = self.steps(tokens)
        return steps - max(1, round(steps * self.decay_fraction))

    def trunk_lr(self, step: int, width: int) -> float:
        """Rate of trunk step `step` (from 0): linear warm-up, then constant."""
        warmup_steps = max(1, round(self.warmup_tokens / self.batch_tokens))
        return self.peak_lr(width) * min(1.0, (step + 1) / warmup_steps)

    def branch_lr(self, step: int, width: int, tokens: int) -> float:
        """Rate of step `step` on the decay branch: linear from the trunk's rate down to zero at the end."""
        begin, end = self.branch_step(tokens), self.steps(tokens)
        return self.trunk_lr(begin, width) * (end - step) / (end - begin)
