"""The rules people name when they split compute between params and tokens, and what each would train here.

One idea: a rule is data, tokens ∝ params**power, either anchored at a fixed ratio or at the law's own optimum at the
largest run's compute (what a team would extrapolate from there). The limits are the same as the plan's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.boundary import NARROWINGS, Boundary
from kleiber.plan.result import RuleOutcome, amount
from kleiber.plan.surface import Surface

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """tokens ∝ params**power; `ratio` is tokens per param where the rule fixes it, else it is anchored."""

    name: str
    power: float
    words: str
    source: str
    ratio: float | None = None


RULES = (
    Rule(
        name="kaplan",
        power=0.27 / 0.73,
        words="Kaplan's rule (tokens ∝ params^0.37)",
        source="Kaplan et al. (2020, arXiv 2001.08361), Table 6: params ∝ C^0.73, tokens ∝ C^0.27",
    ),
    Rule(
        name="chinchilla",
        power=1.0,
        ratio=20.0,
        words="20 tokens per param",
        source="Hoffmann et al. (2022, arXiv 2203.15556), Table 3",
    ),
    Rule(name="popular_0.28", power=0.28, words="data ∝ params^0.28", source="a claim in circulation, without a paper"),
)


def shape(rule: Rule, limits: Boundary, anchor: tuple[float, float] | None) -> tuple[float, float] | None:
    """The (params, tokens) of `rule` under the limits, or None where it needs an anchor and has none.

    It is where tokens = tokens0 (params / params0)**power meets the boundary; a rule that wants more params than the
    limits allow takes the most they allow. `anchor` is (params0, tokens0), the optimum that the rule is extended from.

    >>> from kleiber.plan.boundary import boundary
    >>> from kleiber.plan.question import flops_limit
    >>> line = boundary((flops_limit(5.76e23),))
    >>> [round(part / 1e9, 2) for part in shape(RULES[1], line, None)]
    [69.28, 1385.64]
    """
    if rule.ratio is not None:
        offset = np.log(rule.ratio)
    elif anchor is not None:
        offset = np.log(anchor[1]) - rule.power * np.log(anchor[0])
    else:
        return None
    low, high = limits.low, limits.high
    for _ in range(NARROWINGS):
        x_R = np.linspace(low, high, 400)
        short_R = ~(limits.at(x_R)[0] > rule.power * x_R + offset)
        at = max(1, int(short_R.argmax())) if short_R.any() else len(x_R) - 1
        low, high = float(x_R[at - 1]), float(x_R[at])
    return float(np.exp(low)), float(np.exp(limits.at(np.array([low]))[0][0]))


def outcomes(
    surface: Surface, limits: Boundary, here_K: Array, anchor: tuple[float, float] | None, level: float
) -> tuple[RuleOutcome, ...]:
    """What every rule would train under the limits, and its loss above that of the decision, `here_K`."""
    found = []
    for rule in RULES:
        there = shape(rule, limits, anchor)
        if there is None:
            continue
        loss_K = surface.loss(*there)[:, 0]
        excess_K = loss_K - here_K
        found.append(
            RuleOutcome(
                name=rule.name,
                words=rule.words,
                params=there[0],
                tokens=there[1],
                loss=amount(loss_K[0], loss_K[1:], level),
                excess=amount(excess_K[0], excess_K[1:], level),
            )
        )
    return tuple(found)
