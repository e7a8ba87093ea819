"""A plan in words: sentences for people, a panel for the terminal, a card for the notebook.

One idea: the sentences are the plan; the panel and the card only frame them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kleiber.plan.reach import within
from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.plan.result import Amount, Plan, RuleOutcome


SAME_SIZE = 0.01


def sentences(plan: Plan) -> tuple[str, ...]:
    """The decision first, then how sure it is, what binds, what more buys, the rules, and the caveats."""
    lines = [
        f"Train {_short(plan.params.value)} params on {_short(plan.tokens.value)} tokens: loss {_loss(plan.loss)}",
        _freedom(plan),
        *_regret(plan),
        _compute(plan),
        *_binding(plan),
        *(_rule(plan, rule) for rule in plan.rules),
        *_reach(plan),
        *plan.caveats,
    ]
    return tuple(line for line in lines if line)


def _short(value: float) -> str:
    """Two significant digits, never in the form 1.1e+02B."""
    return show(float(f"{value:.2g}"), 3)


def _range(interval: tuple[float, float]) -> str:
    return " - ".join(_short(end) for end in interval)


def _loss(loss: Amount) -> str:
    inside = f" ({loss.interval[0]:.3f} - {loss.interval[1]:.3f})" if loss.interval else ""
    return f"{loss.value:.3f}{inside}"


def _freedom(plan: Plan) -> str:
    spread = f"params {_range(plan.params.interval)} ({100 * plan.level:g} %); " if plan.params.interval else ""
    return (
        f"{spread}anything from {_range(plan.near_optimal).replace(' - ', ' to ')} costs less than "
        f"{100 * plan.near:g} % of the loss: choose what is cheap to serve"
    )


def _regret(plan: Plan) -> list[str]:
    if plan.regret is None:
        return []
    return [
        f"deciding now costs {plan.regret.expected:.2g} {plan.loss_unit} on average over the draws; "
        f"{_short(plan.regret.least_params)} params would cost least ({plan.regret.least_expected:.2g})"
    ]


def _compute(plan: Plan) -> str:
    one, ten = plan.buys["one_percent"].value, plan.buys["tenfold"]
    spread = f" ({_range(ten.interval)})" if ten.interval else ""
    return (
        f"1 % more compute buys {100 * one / plan.loss.value:.2g} % less loss; "
        f"doubling it {plan.buys['doubling'].value:.2g} {plan.loss_unit}; 10x more {ten.value:.2g}{spread}"
    )


def _binding(plan: Plan) -> list[str]:
    lines = []
    for constraint in plan.constraints:
        if constraint.name == "flops":
            if not constraint.binding:
                lines.append("the other limits bind first: some of the compute is left over")
        elif constraint.binding:
            lines.append(
                f"{constraint.words} is limited to {show(constraint.bound)}: 1 % more buys "
                f"{constraint.nats_per_percent:.2g} {plan.loss_unit}"
            )
    return lines


def _rule(plan: Plan, rule: RuleOutcome) -> str:
    ratio = rule.params / plan.params.value
    if abs(ratio - 1) < SAME_SIZE:
        return f"{rule.words} agrees: {_short(rule.params)} params"
    size = f"{ratio:.2g}x the params" if ratio >= 1 else f"{1 / ratio:.2g}x fewer params"
    would = f"{rule.words} would train {_short(rule.params)} on {_short(rule.tokens)} ({size})"
    spread = f" ({_range(rule.excess.interval)})" if rule.excess.interval else ""
    if rule.excess.interval and rule.excess.interval[0] <= 0:
        return f"{would}: these runs cannot tell it from this plan, {rule.excess.value:+.2g} {plan.loss_unit}{spread}"
    return f"{would} and lose {rule.excess.value:.2g} {plan.loss_unit}{spread}"


def _reach(plan: Plan) -> list[str]:
    if plan.extrapolation_decades is None:
        return ["how far this extrapolates is not known: the fit carries no compute of its runs"]
    if plan.extrapolation_decades > 0:
        return [f"extrapolates {plan.extrapolation_decades:.1f} decades beyond your largest run"]
    return [within(plan.outside)]
