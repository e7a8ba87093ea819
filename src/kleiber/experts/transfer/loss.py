"""What a tweak does to the loss, by every published law that covers both shapes; a law that does not says why.

One idea: a law may speak only where both points lie in its fitted range. Outside, it abstains with the factor by which it
would be extrapolated; where no law is left, the answer is that there is none. The interval of a difference is +- sqrt(2) x
what the law is off by on runs (its printed residual, else its tolerance): as if the errors of both were independent.

What each law is asked: sparsity (Abnar 2025) total params, tokens and the share of experts used; granularity (Krajewski 2024)
total non-embedding params, tokens and G; joint-experts (Ludziejewski 2025) active params, tokens and experts, one chosen;
efficiency-leverage (Ling 2025) share used, G and compute, which gives not a loss but the compute of an equally good dense model,
leverage x own compute. Leverage alone would not do: of two shapes at equal tokens the one with more of it may have less compute.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from kleiber.cost import Shape, flops, params
from kleiber.experts.layers import sparse_layer
from kleiber.laws import find
from kleiber.laws.parameter import badge

RESIDUAL = {"sparsity": sqrt(0.00056), "granularity": 0.019}
"""Nats that a law was off by on runs: Abnar 2025, mean squared error of the fit; Krajewski 2024, RMSE on held-out runs."""
SETS = (
    ("sparsity", "abnar-2025"),
    ("granularity", "krajewski-2024"),
    ("joint-experts", "ludziejewski-2025"),
    ("efficiency-leverage", "ling-2025"),
)
KNOWS = {
    "sparsity": ("experts", "top-k", "width"),
    "granularity": ("granularity", "width"),
    "joint-experts": ("experts", "width"),
    "efficiency-leverage": ("experts", "top-k", "granularity", "shared", "width"),
}
"""The tweaks that move an input of a law; of any other it would wrongly say that nothing changes."""
LEVERAGE = "efficiency-leverage"
KRAJEWSKI_EXPANSION, ALIKE = 64, 0.02


@dataclass(frozen=True, kw_only=True)
class LossEffect:
    """What one law says before and after, or why it says nothing: the loss, or FLOPs of a dense model that is as good."""

    law: str
    coefficients: str
    quantity: str
    before: float | None = None
    after: float | None = None
    doubt: float | None = None
    abstains: str = ""

    @property
    def change(self) -> float | None:
        """after - before; a loss below 0 is better, of a dense model's FLOPs what is above."""
        return None if self.after is None or self.before is None else self.after - self.before

    def to_json(self) -> dict[str, Any]:
        """The effect as data."""
        found: dict[str, Any] = {"law": self.law, "set": self.coefficients, "quantity": self.quantity}
        if self.change is None or self.doubt is None:
            return found | {"abstains": self.abstains}
        return found | {
            "before": self.before,
            "after": self.after,
            "change": self.change,
            "interval": [self.change - self.doubt, self.change + self.doubt],
        }


def loss_effects(
    before: Shape, after: Shape, tokens: float, tokens_after: float, context: int, changed: Collection[str]
) -> list[LossEffect]:
    """What each law says of going from `before` at `tokens` to `after` at `tokens_after`; `changed` names what differs."""
    found = []
    for law, name in SETS:
        blind = [what for what in changed if what not in KNOWS[law]]
        if blind:
            why = f"it does not know of {' and '.join(blind)}"
            found.append(LossEffect(law=law, coefficients=name, quantity=_quantity(law), abstains=why))
        else:
            inputs = _inputs(law, before, tokens, context), _inputs(law, after, tokens_after, context)
            found.append(_effect(law, name, *inputs))
    return found


def _effect(name: str, coefficients: str, before: Mapping[str, float], after: Mapping[str, float]) -> LossEffect:
    law = find(name)
    found = law.coefficients(coefficients)
    reason = next((words for inputs in (before, after) if (words := _foreign(name, inputs))), "")
    for place, inputs in (("before", before), ("after", after)):
        factors = found.extrapolation({key: inputs[key] for key in law.inputs})
        if factors and not reason:
            reason = f"{place} the tweak it would be {badge(factors)}"
    if reason:
        return LossEffect(law=name, coefficients=coefficients, quantity=_quantity(name), abstains=reason)
    values = [float(law.evaluate(found.values, {key: inputs[key] for key in law.inputs})) for inputs in (before, after)]
    if name == LEVERAGE:
        values = [value * inputs["flops"] for value, inputs in zip(values, (before, after), strict=True)]
    off = RESIDUAL.get(name, found.tolerance * values[0])
    return LossEffect(
        law=name,
        coefficients=coefficients,
        quantity=_quantity(name),
        before=values[0],
        after=values[1],
        doubt=sqrt(2) * off,
    )


def _quantity(name: str) -> str:
    """What a law's numbers are here."""
    return "FLOPs of an equally good dense model" if name == LEVERAGE else find(name).target


def _foreign(name: str, inputs: Mapping[str, float]) -> str:
    """Why a law is not about such a shape at all."""
    if name == "joint-experts" and inputs["chosen"] != 1:
        return f"it is for one expert a token, not {inputs['chosen']:.0f}"
    if name == "granularity" and abs(inputs["expansion"] / KRAJEWSKI_EXPANSION - 1) > ALIKE:
        return f"it is for 64 times the expert params of a dense layer, not {inputs['expansion']:.3g} times"
    return ""


def _inputs(law: str, shape: Shape, tokens: float, context: int) -> dict[str, float]:
    """The inputs of a law, counted as its source does."""
    layer, counted = sparse_layer(shape), params(shape)
    found = {"tokens": tokens, "chosen": float(layer.chosen)}
    if law == "sparsity":
        return found | {"params": float(counted.total), "activation_ratio": layer.chosen / layer.count}
    if law == "granularity":
        dense = 2 * 4 * shape.width  # two maps of four widths
        return found | {
            "params": float(counted.non_embedding),
            "granularity": 4 * shape.width / layer.hidden,
            "expansion": layer.count * layer.maps * layer.hidden / dense,
        }
    if law == "joint-experts":
        return found | {"active_params": float(counted.active), "experts": float(layer.count)}
    shared = layer.shared_hidden / layer.hidden
    return found | {
        "activation_ratio": (layer.chosen + shared) / (layer.count + shared),
        "granularity": 2 * shape.width / layer.hidden,
        # Its source leaves embedding and head out.
        "flops": tokens * (flops(shape, context).train_per_token - 6 * shape.vocabulary * shape.width),
    }
