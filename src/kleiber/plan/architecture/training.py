"""How fast each family really trains on the devices at hand: the best layout of its shape, and the MFU that it reaches.

The way the data takes: a first decision at an assumed MFU -> the shape of every family -> `cost.best_layout` -> MFU by family
-> the decision again. The one idea: MFU depends on the shape far less than on family, devices and batch, so that of the
family's first choice stands for all of its shapes. The batch is what the step law advises for the tokens of that choice.

Source of the batch: Li et al. 2025 (Step Law), arXiv 2503.04715: .58 tokens^.571.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kleiber.cost import Layout, Shape, StepTime, best_layout
from kleiber.errors import InputError, Refusal
from kleiber.laws import find
from kleiber.plan.architecture.brief import Brief


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """How one shape is trained: its layout and step, or why there is none."""

    layout: Layout | None = None
    step: StepTime | None = None
    batch_tokens: float = 0.0
    refusal: str = ""

    def to_json(self) -> dict[str, Any]:
        """The layout and the step as data."""
        if self.layout is None or self.step is None:
            return {"refusal": self.refusal}
        names = ("data", "tensor", "pipeline", "context", "expert", "zero", "micro_batch", "recompute")
        return {
            "layout": {name: getattr(self.layout, name) for name in names},
            "batch_tokens": self.batch_tokens,
            "step": self.step.to_json(),
        }


def training(shape: Shape, tokens: float, brief: Brief) -> Training:
    """The best layout of `shape` on the brief's devices, with the batch that the step law gives for `tokens`."""
    assert brief.hardware is not None
    assert brief.devices is not None
    law = find("step-batch")
    batch = float(law.evaluate(law.coefficients("step-law-2025").values, {"tokens": tokens}))
    batch = max(batch, float(brief.train_context * brief.devices) if brief.devices < 64 else batch)
    try:
        layout, step = best_layout(shape, brief.hardware, brief.devices, batch, brief.train_context)
    except (Refusal, InputError) as error:
        return Training(refusal=str(error))
    return Training(layout=layout, step=step, batch_tokens=batch)


def efficiencies(offers: Sequence[tuple[str, Shape, float]], brief: Brief) -> dict[str, float]:
    """MFU by family, of (family, shape, tokens) of its first choice; families that have no layout keep the assumed one."""
    found: Mapping[str, Training] = {family: training(shape, tokens, brief) for family, shape, tokens in offers}
    return {family: each.step.mfu for family, each in found.items() if each.step is not None}
