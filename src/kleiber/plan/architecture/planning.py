"""From a fit and a brief to a plan for the whole life of a model.

The way the data takes: brief -> every buildable shape of every family, with its costs (`shapes`, `serving`) -> those no other
beats (`candidates`) -> the objective under every draw (`quality`, `budgets`) -> the decision (`choose`) -> certificate and
shadow prices (`relaxation`) -> offers, in words and as data (`answer`). The one idea: what can be built is finite, so it is
enumerated in full, with exact counts; for each shape the rest is closed form. The geometric program stands beside it: it
certifies that nothing between the shapes would have been better by more than `snapping`, prices every limit, and says which
limits conflict where no shape keeps them.

Legend: K rows (the point estimate, then B draws), M candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import FAMILIES, Shape
from kleiber.cost.families import options
from kleiber.cost.step import ERRORS
from kleiber.laws.parameter import badge
from kleiber.plan.architecture import infeasible, pricing
from kleiber.plan.architecture.answer import Costs, LifePlan, Offer
from kleiber.plan.architecture.brief import Brief, brief
from kleiber.plan.architecture.candidates import Candidates, Demand, candidates
from kleiber.plan.architecture.choose import Choice, Decision, decide
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.shapes import counts, shapes_of
from kleiber.plan.architecture.training import Training, efficiencies, training
from kleiber.plan.architecture.weights import weighted
from kleiber.plan.result import Amount, Interval, amount

if TYPE_CHECKING:
    from kleiber.fit import Fit

Array = NDArray[np.float64]


def plan_life(
    fit: Fit,
    *,
    level: float = 0.95,
    near: float = 1e-3,
    also: Sequence[Fit] = (),
    family_fits: Mapping[str, Fit] | None = None,
    seed: int | None = None,
    **asked: Any,
) -> LifePlan:
    """What to build, train and serve: the shape with the least expected regret among all that `asked` allows.

    `asked` are the fields of `Brief`, as people write them. `also`: fits of other laws to the same runs, weighted by their
    back-test; `family_fits`: fits of single families' own runs, by family. `near`: the relative objective that counts as
    near-optimal.

    Raises `InputError` for a brief that is incomplete or that no shape can keep (naming the limits that conflict), and
    `ConventionError` for fits that measure differently.
    """
    from kleiber.plan.decision import check

    check(level, near)
    wish = brief(**with_vocabulary(asked, fit))
    laws = Laws(fits=(fit, *also), shares=weighted((fit, *also)), own=dict(family_fits or {}))
    seed = fit.seed if seed is None else seed
    found, decision = _decided(wish, laws, seed)
    if wish.devices is not None and wish.hardware is not None and "training_efficiency" not in asked:
        first = [_first(found[choice.option], choice.index) for choice in decision.choices]
        wish = replace(wish, family_efficiency=efficiencies(first, wish))
        found, decision = _decided(wish, laws, seed)
    return _answer(wish, laws, seed, found, decision, level, near)


def _decided(wish: Brief, laws: Laws, seed: int) -> tuple[list[Candidates], Decision]:
    """The candidates and the decision; raises `InputError` with the limits that conflict where there is none."""
    found = candidates_of(wish, laws, seed)
    decision = decide(found)
    if decision is None:
        raise infeasible.explain(wish, laws, seed)
    return found, decision


def _first(found: Candidates, index: int) -> tuple[str, Shape, float]:
    """(family, shape, tokens at the point estimate) of one candidate."""
    tokens = float(np.ravel(found.take(np.array([index])).tokens(slice(0, 1)))[0])
    return found.shapes.option.family, found.shapes.build(index), tokens


def candidates_of(wish: Brief, laws: Laws, seed: int, thin: int = 1) -> list[Candidates]:
    """The candidates of every option of a brief in every precision; with `thin`, of one shape in so many."""
    return [
        found for precision in wish.precisions for found in _in_precision(wish.served_in(precision), laws, seed, thin)
    ]


def _in_precision(wish: Brief, laws: Laws, seed: int, thin: int) -> Iterator[Candidates]:
    demand = demand_of(wish, laws.draws + 1, seed)
    counted = counts(wish, laws.fit.runs.conventions.get("params", "unknown"))
    for option in options(wish.families, vocabulary=wish.vocabulary):
        # One generator per family, so that the doubt about a family is the same for all of its options.
        generator = np.random.default_rng([seed, FAMILIES.index(option.family)])
        shapes = shapes_of(option, counted)
        if thin > 1:
            shapes = shapes.take(np.arange(0, len(shapes), thin))
        yield candidates(shapes, wish, quality(option, laws, wish, generator), demand)


def demand_of(wish: Brief, rows: int, seed: int) -> Demand:
    """Demand and price in every row."""
    generator = np.random.default_rng([seed, 10_007])
    price = np.ones(rows) if wish.price is None else wish.price.rows(rows, generator)
    return Demand(tokens_K=wish.serve_tokens.rows(rows, generator), price_K=price)


def with_vocabulary(asked: Mapping[str, Any], fit: Fit) -> dict[str, Any]:
    """Bytes have a vocabulary of 256; a loss per byte without a tokenizer means bytes."""
    found = dict(asked)
    if found.get("vocabulary") is None and fit.runs.conventions.get("loss") in ("nats_per_byte", "bits_per_byte"):
        found["vocabulary"] = 256
    return found


def _answer(
    wish: Brief, laws: Laws, seed: int, found: list[Candidates], decision: Decision, level: float, near: float
) -> LifePlan:
    from kleiber.plan import decision as flops_only
    from kleiber.plan import reach

    offers = [_offer(wish, found[choice.option], choice, decision, level) for choice in decision.choices]
    best, rivals = offers[0], tuple(offers[1:])
    priced = pricing.price(found, decision)
    point = laws.fit
    largest = flops_only.largest_flops(point)
    return LifePlan(
        brief=wish,
        best=best,
        rivals=rivals,
        near_optimal=_near_optimal(found, decision, near),
        near=near,
        constraints=priced.constraints if priced else (),
        snapping=priced.snapping if priced else None,
        regret=_regret(decision.winner, level),
        buys=pricing.buys(priced),
        turns=pricing.turns(wish, laws, seed, best),
        considered=sum(len(each) for each in found),
        extrapolation_decades=flops_only.decades(best.costs.training["flops"], largest),
        outside=reach.outside(point, best.params.value, best.tokens.value),
        level=level,
        loss_unit=flops_only.loss_unit(point),
        caveats=caveats(wish, laws, {offer.family: offer.caveats for offer in offers}),
        provenance=flops_only.provenance(point),
    )


def _offer(wish: Brief, found: Candidates, choice: Choice, decision: Decision, level: float) -> Offer:
    one = found.take(np.array([choice.index]))
    every = slice(0, one.quality.rows)
    tokens_K = np.broadcast_to(one.tokens(every), (one.quality.rows, 1))[:, 0]
    with np.errstate(invalid="ignore"):
        loss_K = one.loss(every, one.tokens(every))[:, 0]
    loss_K = np.where(np.isfinite(tokens_K), loss_K, np.nan)
    with np.errstate(invalid="ignore"):  # neither can be built in such a draw
        excess_K = choice.objective_K - decision.winner.objective_K
    params = float(one.shapes["params"][0])
    shape = one.shapes.build(0)
    return Offer(
        family=one.shapes.option.family,
        option=one.shapes.option.name,
        precision=one.brief.precision,
        shape=replace(shape, name=f"{shape.family}-{shape.width}x{shape.depth}"),
        params=amount(params, choice.own_params_K[1:], level),
        tokens=amount(tokens_K[0], choice.own_tokens_K[1:], level),
        loss=amount(loss_K[0], loss_K[1:], level),
        objective=amount(choice.objective_K[0], choice.objective_K[1:], level),
        excess=amount(excess_K[0], excess_K[1:], level) if choice is not decision.winner else Amount(value=0.0),
        costs=replace(_costs(wish, one, float(tokens_K[0])), layout=_layout(wish, shape, float(tokens_K[0]))),
        binding=_binding(wish, one),
        probability_best=choice.probability_best,
        probability_ahead=float(
            np.mean((choice.objective_K < decision.winner.objective_K)[-max(1, len(excess_K) - 1) :])
        ),
        expected_regret=float(choice.regret_K[1:].mean()) if len(choice.regret_K) > 2 else None,
        caveats=_borrowed(one, float(tokens_K[0])),
    )


def _layout(wish: Brief, shape: Shape, tokens: float) -> Training | None:
    """How the shape is trained on the brief's devices, where there is a number of them."""
    if wish.devices is None or wish.hardware is None or not np.isfinite(tokens):
        return None
    return training(shape, tokens, wish)


def _no_draws(fit: Fit) -> str:
    return "fit with --bootstrap 4000" if fit.runs.count else "a published law has no draws, runs of your own do"


def _off(families: Iterable[str]) -> str:
    """How far the modelled rates of training are off, family by family."""
    known = ", ".join(f"{100 * ERRORS[family]:.0f} % ({family})" for family in families if family in ERRORS)
    unknown = " and ".join(family for family in families if family not in ERRORS)
    said = f"Against published runs the modelled rates are off by {known} on average" if known else ""
    return "; ".join(filter(None, [said, f"none is published for {unknown}" if unknown else ""])) + "."


def _borrowed(one: Candidates, tokens: float) -> tuple[str, ...]:
    """What was borrowed for this offer, with how far outside its range it is used."""
    transfer, rounded = one.quality.transfer, one.quality.rounding
    notes = []
    if transfer.caveat:
        at = {"params": float(one.shapes["active"][0]), "tokens": tokens, "experts": float(one.shapes.option.expansion)}
        beyond = badge(transfer.extrapolation(at))
        notes.append(f"{transfer.caveat} Here it is {beyond}." if beyond else transfer.caveat)
    return (*notes, rounded.caveat) if rounded is not None else tuple(notes)


def _costs(wish: Brief, one: Candidates, tokens: float) -> Costs:
    served, price = wish.serve_tokens.median, wish.price_now or 1.0
    names = {"flops": "flops", "gpu_hours": "device_hours", "cost": "usd", "energy": "kwh", "days": "days"}
    training, serving = {}, {}
    for name, use in one.used.items():
        training[names[name]] = float(use.used(tokens, 0.0, price)[0])
        if name not in ("days", "gpu_hours"):
            serving[names[name]] = float(use.used(0.0, served, price)[0])
    shapes, replica = one.shapes, {}
    if wish.hardware is not None:
        share = wish.output_share
        seconds = (1 - share) * shapes["prefill_s"][0] + share * shapes["decode_s"][0]
        serving["device_hours"] = float(served * seconds / 3600)
        replica = {
            "devices": float(shapes["devices"][0]),
            "batch": float(shapes["batch"][0]),
            "memory_gb": float(shapes["memory_bytes"][0] / 1e9),
            "ttft_ms": float(1e3 * shapes["ttft_s"][0]),
            "tpot_ms": float(1e3 * shapes["tpot_s"][0]),
        }
        if wish.price is not None:
            replica["usd_per_million_tokens"] = float(1e6 * shapes["decode_s"][0] / 3600 * price)
    return Costs(training=training, serving=serving, replica=replica, cache_bytes=float(shapes["cache_bytes"][0]))


def _binding(wish: Brief, one: Candidates) -> str:
    if wish.objective != "loss":
        return "loss"
    most = [
        float(np.ravel(limit.most_tokens(wish.serve_tokens.median, wish.price_now or 1.0))[0]) for limit in one.limits
    ]
    if float(one.enough[0]) < min(most):
        return "rounding"
    return one.limits[int(np.argmin(most))].name


def _near_optimal(found: list[Candidates], decision: Decision, near: float) -> Interval:
    """The params of all candidates whose expected objective is within `near` of the least."""
    best = min(float(mean.min()) for mean in decision.mean if mean.size)
    inside = [
        each.shapes["params"][mean <= best + near * abs(best)]
        for each, mean in zip(found, decision.mean, strict=True)
        if mean.size
    ]
    params = np.concatenate(inside)
    return float(params.min()), float(params.max())


def _regret(winner: Choice, level: float) -> Amount | None:
    return amount(float(winner.regret_K[1:].mean()), winner.regret_K[1:], level) if len(winner.regret_K) > 2 else None


def caveats(wish: Brief, laws: Laws, said: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What must be said of an answer, and of every family in it: `said`, by family."""
    notes = [f"{family}: {caveat}" for family, those in said.items() for caveat in those]
    if any(said.values()) and laws.fit.runs.conventions.get("loss") in ("nats_per_byte", "bits_per_byte"):
        notes.append("What is borrowed was measured per token; a token is taken to be four bytes.")
    if len(laws.fits) > 1:
        weights = ", ".join(
            f"{fit.law.name} {100 * share:.0f} %" for fit, share in zip(laws.fits, laws.shares, strict=True)
        )
        notes.append(f"The laws are weighed by the runs that they did not see: {weights}.")
    if laws.draws < 2:
        notes.append(f"Nothing here has an interval: {_no_draws(laws.fit)}.")
    if laws.fit.runs.conventions.get("params", "unknown") == "unknown":
        notes.append("The runs do not say whether their params include embeddings; they are taken to.")
    if wish.hardware is not None:
        rates = {family: f"{100 * wish.mfu(family):.0f} %" for family in said}
        alike = len(set(rates.values())) == 1
        mfu = next(iter(rates.values())) if alike else ", ".join(f"{rate} ({family})" for family, rate in rates.items())
        notes.append(
            f"Times {'rest on' if wish.family_efficiency else 'assume'} {mfu} of peak in training, "
            f"{100 * wish.prefill_efficiency:.0f} % in prefill, {100 * wish.bandwidth_efficiency:.0f} % of bandwidth in "
            "decoding, and a tenth lost to talking with every doubling of a replica's devices."
        )
        if wish.family_efficiency:
            notes.append(_off(said))
    if wish.unique_tokens is not None and "unique_tokens" not in laws.fit.law.inputs:
        notes.append("Repeated tokens count for what Muennighoff et al. 2023 found them to be worth.")
    if any(family in ("ssm", "hybrid") for family in said) and wish.context > 8192:
        notes.append(
            f"No law says what a context of {wish.context:,} does to the quality of a "
            "state space: its cost is planned, its recall is not."
        )
    return tuple(notes)
