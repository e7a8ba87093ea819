"""A plan for the life of a model in words: sentences, a panel with a table of rivals, a card.

One idea: the decision first, then why the others lost, what binds and what more buys, what would turn it, and what was assumed.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from kleiber.cost.experts import Experts
from kleiber.cost.state_space import Mamba2
from kleiber.plan.reach import within
from kleiber.quantity import show, show_flops

if TYPE_CHECKING:
    from kleiber.plan.architecture.answer import LifePlan, Offer

NOTABLE = 1.25  # a difference in cost worth a word
HEADS = ("", "params", "tokens", "loss", "training", "serving", "memory", "ms per token", "best in")


def sentences(plan: LifePlan) -> tuple[str, ...]:
    """The whole plan, a sentence a line."""
    lines = [
        headline(plan),
        built(plan.best),
        *_doubt(plan),
        *(_rival(plan, rival) for rival in plan.rivals),
        *_binding(plan),
        *_buys(plan),
        *plan.turns,
        *_reach(plan),
        *plan.caveats,
    ]
    return tuple(line for line in lines if line)


def headline(plan: LifePlan) -> str:
    """The decision in one line."""
    best = plan.best
    size = f"{short(best.params.value)} params"
    total = _total(best)
    if total > 1.02 * best.params.value and best.family == "experts":
        size = f"{short(best.params.value)} active of {short(total)} params"
    asked = plan.brief.objective
    run = f"Train {KINDS[best.family]}, {size} on {short(best.tokens.value)} tokens"
    if asked == "loss":
        return f"{run}: loss {_loss(best)}"
    return f"{run}, to a loss of {plan.brief.loss_target:g}: {spent(plan, best.objective.value)}{_range(best.objective.interval)}"


KINDS = {
    "dense": "a dense transformer",
    "experts": "a model of sparse experts",
    "ssm": "a state-space model",
    "hybrid": "a hybrid of state spaces and attention",
}


def built(offer: Offer) -> str:
    """The shape, so that it can be built."""
    parts = [part for block in offer.shape.blocks for part in block.parts]
    pieces = [f"{offer.shape.depth} layers of width {offer.shape.width:,}", offer.option]
    pieces += [f"each expert {part.hidden:,} wide" for part in parts if isinstance(part, Experts)]
    pieces += [
        f"state {part.state} in {part.heads} heads of {part.head_width}" for part in parts if isinstance(part, Mamba2)
    ]
    if offer.costs.layout is not None and offer.costs.layout.layout is not None:
        spread = offer.costs.layout.layout
        degrees = {"data": spread.data, "tensor": spread.tensor, "pipeline": spread.pipeline, "context": spread.context,
                   "expert": spread.expert}  # fmt: skip
        pieces.append(
            "trained " + " x ".join(f"{size} {name}" for name, size in degrees.items() if size > 1) + " parallel"
        )
    if offer.precision != "bf16":
        pieces.append(f"served in {offer.precision}")
    heads = next((part for part in parts if hasattr(part, "kv_heads")), None)
    if heads is not None:
        pieces.append(f"{heads.heads} heads of {heads.head_width}, {heads.kv_heads} of keys")  # type: ignore[union-attr]
    return "; ".join(pieces)


def _doubt(plan: LifePlan) -> list[str]:
    best, lines = plan.best, []
    if best.expected_regret is not None:
        alone = len(plan.brief.families) == 1
        odds = "" if alone else f"the best family in {_percent(best.probability_best)} of the draws; "
        lines.append(f"{odds}deciding now costs {spent(plan, best.expected_regret)} on average over the draws")
    low, high = map(short, plan.near_optimal)
    near = f"shapes of {low} to {high} params come" if low != high else "no other size comes"
    lines.append(
        f"{near} within {100 * plan.near:g} % of it; {plan.considered:,} that no other beats in everything were compared"
        + (
            f", and a size between them would gain {spent(plan, max(plan.snapping, 0.0))}"
            if plan.snapping is not None
            else ""
        )
    )
    return lines


def _rival(plan: LifePlan, rival: Offer) -> str:
    size = f"{short(rival.params.value)} params"
    if rival.family == "experts":
        size = f"{short(rival.params.value)} active of {short(_total(rival))} params"
    lead = f"{rival.family}: {size} on {short(rival.tokens.value)} tokens"
    worse = f"{spent(plan, rival.excess.value, signed=True)}{_range(rival.excess.interval)}"
    ahead = f", ahead of the plan in {_percent(rival.probability_ahead)} of the draws" if rival.excess.interval else ""
    why = why_not(plan.best, rival)
    return f"{lead}: {worse}{ahead}" + (f"; {why}" if why else "")


def why_not(best: Offer, rival: Offer) -> str:
    """Where the rival's costs differ from the plan's by a quarter or more: per token trained and served, cache, replica."""
    pairs = [
        ("a token to train on costs", "the compute", _per_token(rival), _per_token(best)),
        ("a served token", "the compute", rival.costs.serving["flops"], best.costs.serving["flops"]),
        ("a full sequence", "the cache", rival.costs.cache_bytes, best.costs.cache_bytes),
        (
            "a written token",
            "the money",
            *(offer.costs.replica.get("usd_per_million_tokens", 0.0) for offer in (rival, best)),
        ),
    ]
    found = [
        f"{what} {times(one / other)} {of}"
        for what, of, one, other in pairs
        if one and other and abs(log(one / other)) > log(NOTABLE)
    ]
    return ", ".join(found)


def _per_token(offer: Offer) -> float:
    return offer.costs.training["flops"] / offer.tokens.value


def times(ratio: float) -> str:
    """A ratio in words.

    >>> times(2.04), times(0.25), times(1 / 131)
    ('2x', '1/4 of', '1/130 of')
    """
    return f"{short(ratio)}x" if ratio >= 1 else f"1/{short(1 / ratio)} of"


def _binding(plan: LifePlan) -> list[str]:
    unit = (
        plan.loss_unit
        if plan.brief.objective == "loss"
        else {"money": "USD", "time": "days", "energy": "kWh"}[plan.brief.objective]
    )
    return [
        f"{constraint.words} binds: 1 % more buys {constraint.nats_per_percent:.2g} {unit}"
        for constraint in plan.constraints
        if constraint.binding and constraint.name != "loss"
    ]


def _buys(plan: LifePlan) -> list[str]:
    if "tenfold" not in plan.buys or plan.brief.objective != "loss":
        return []
    return [
        f"twice the budget buys {plan.buys['doubling'].value:.2g} {plan.loss_unit}; ten times {plan.buys['tenfold'].value:.2g}"
    ]


def _reach(plan: LifePlan) -> list[str]:
    if plan.extrapolation_decades is None:
        return ["how far this extrapolates is not known: the fit carries no compute of its runs"]
    if plan.extrapolation_decades > 0:
        return [f"extrapolates {plan.extrapolation_decades:.1f} decades beyond your largest run"]
    return [within(plan.outside)]


def spent(plan: LifePlan, value: float, *, signed: bool = False) -> str:
    """An amount of the objective with its unit."""
    sign = "+" if signed and value >= 0 else ""
    if plan.brief.objective == "loss":
        return f"{sign}{value:.2g} {plan.loss_unit}"
    unit = {"money": "USD ", "time": "", "energy": ""}[plan.brief.objective]
    after = {"money": "", "time": " days", "energy": " kWh"}[plan.brief.objective]
    return f"{sign}{unit}{show(value)}{after}"


def short(value: float) -> str:
    """Two significant digits, as people say it."""
    return show(float(f"{value:.2g}"), 3)


def _total(offer: Offer) -> float:
    from kleiber.cost import params

    return float(params(offer.shape).total)


def _loss(offer: Offer) -> str:
    inside = offer.loss.interval
    return f"{offer.loss.value:.3f}" + (f" ({inside[0]:.3f} - {inside[1]:.3f})" if inside else "")


def _range(interval: tuple[float, float] | None) -> str:
    return f" ({short(interval[0])} to {short(interval[1])})" if interval else ""


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def rows(plan: LifePlan) -> list[tuple[str, ...]]:
    """One row per offer, as in `HEADS`."""
    return [_row(offer) for offer in (plan.best, *plan.rivals)]


def _row(offer: Offer) -> tuple[str, ...]:
    costs, replica = offer.costs, offer.costs.replica
    size = short(offer.params.value)
    if offer.family == "experts":
        size = f"{size} of {short(_total(offer))}"
    return (
        offer.family,
        size,
        short(offer.tokens.value),
        f"{offer.loss.value:.4f}",
        _money(costs.training),
        _money(costs.serving) if costs.serving.get("flops") else "-",
        f"{replica['devices']:.0f} x {replica['memory_gb']:.0f} GB" if replica else "-",
        f"{replica['tpot_ms']:.3g}" if replica else "-",
        "-" if offer.expected_regret is None else _percent(offer.probability_best),
    )


def _money(found: Any) -> str:
    return f"${short(found['usd'])}" if "usd" in found else f"{show_flops(found['flops'], 2)} FLOP"


def table(plan: LifePlan) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the offers, where there is more than one."""
    return HEADS, rows(plan) if plan.rivals else []
