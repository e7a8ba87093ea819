"""From a fit, a target and a budget for experiments to the runs to train next.

The way the data takes: fit -> draws as a `Surface` · target -> the boundary of the decision · runs and budget -> candidates
-> `Knowledge` -> `choose` -> `NextRuns`.
The one idea: what is minimised is the regret of the decision that follows, not the error of the law: a run that would teach
much about the law and nothing about the decision is worth nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from kleiber.errors import InputError, Refusal
from kleiber.fit.outcome import Outcome
from kleiber.plan import decision, prices
from kleiber.plan.boundary import Boundary, boundary
from kleiber.plan.next.candidates import Candidates, grid
from kleiber.plan.next.choice import Chosen, Purse, choose
from kleiber.plan.next.knowledge import Knowledge, knowledge
from kleiber.plan.next.result import NextRun, NextRuns
from kleiber.plan.question import Question, flops_limit, positive
from kleiber.plan.surface import Surface
from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.fit import Fit

FEWEST_DRAWS, MOST_RUNS = 100, 12
SMALLEST = 1e-4  # of the largest run allowed: the cheapest one considered, where the compute of the runs is not known
QUIETEST = 1e-5  # of the loss: seed noise below this is rounding
A_LITTLE = 1.05  # two digits of params
CURABLE = (Outcome.AT_BOUND, Outcome.UNIDENTIFIED)
RATIOS = (1.0, 500.0)  # tokens per param: where the laws of this kind were fitted


def next_runs(
    fit: Fit,
    *,
    target: float | str,
    budget: float | str,
    runs: int = MOST_RUNS,
    max_run: float | str | None = None,
    max_params: float | str | None = None,
    tokens_per_param: tuple[float, float] = RATIOS,
    noise: float | None = None,
    serve_tokens: float | str = 0.0,
    at: Mapping[str, float | str] | None = None,
) -> NextRuns:
    """Which runs to train, for at most `budget` FLOPs, so that the decision on `target` FLOPs is regretted least.

    minimise E[loss(decision after the runs) - least loss] + price * cost(runs), price = -d loss / d FLOP at the target,
    over sets of at most `runs` runs of at most `max_run` FLOPs and `max_params` each, between the given tokens per param.
    `noise` is the standard deviation of a run about the law (relative, where the fit is of log loss); by default that of
    the fit's residuals. `serve_tokens` and `at` are those of `plan`. Quantities may be written 70B, 5.76e23.

    Raises `InputError` for a budget that is no positive number; `Refusal` for a fit with too few draws, or one that
    is refused for another reason than runs in the wrong places.

    Source: Raiffa & Schlaifer (1961), "Applied statistical decision theory"; see `knowledge`.
    """
    surface = _surface(fit, at or {})
    if len(surface.theta_KP) <= FEWEST_DRAWS:
        raise Refusal(
            f"This fit has {len(surface.theta_KP) - 1} draws, too few to say what is not known",
            remedy="fit with --bootstrap 1000",
        )
    goal, purse_flops = positive(target, "target"), positive(budget, "budget")
    question = Question(limits=(flops_limit(goal, serve_tokens),))
    limits = boundary(question.limits)
    assert limits is not None, "a budget alone always leaves room"
    most = min(purse_flops, goal, positive(max_run, "max_run") if max_run is not None else goal)
    candidates = _candidates(fit, most, max_params, tokens_per_param)
    scatter = _noise(fit, noise)
    known = knowledge(surface.rows(slice(1, None)), limits, candidates, noise=scatter, on_log=fit.objective.on_log)
    price = _price(surface, question, limits)
    purse = Purse(knowledge=known, flops_C=candidates.flops_C, budget=purse_flops, most=_count(runs), price=price)
    chosen = choose(purse)
    listed = _listed(known, candidates, chosen, price)
    return NextRuns(
        target=goal,
        serve_tokens=decision.serving_tokens(question.limits[0]),
        budget=purse_flops,
        params=float(np.exp(known.now)),
        tokens=float(np.exp(limits.at(np.array([known.now]))[0][0])),
        before=known.regret,
        after=listed[-1].after if listed else known.regret,
        price=price,
        runs=listed,
        stop=chosen.stop,
        noise=scatter,
        on_log=fit.objective.on_log,
        considered=len(candidates),
        loss_unit=decision.UNITS.get(fit.runs.conventions.get("loss", "unknown"), "nats"),
        caveats=_caveats(fit, listed),
        provenance=decision.provenance(fit),
    )


def _surface(fit: Fit, at: Mapping[str, float | str]) -> Surface:
    """The draws of the fit; a fit that is refused only for want of other runs is the one that needs this advice most."""
    if fit.outcome in CURABLE and len(fit.draws_BP):
        fit = replace(fit, outcome=Outcome.SOLVED)
    return decision.surface_of(fit, at)


def _count(runs: int) -> int:
    if isinstance(runs, bool) or int(runs) != runs or runs < 1:
        raise InputError("runs must be a whole number, 1 or more", found=runs)
    return int(runs)


def _candidates(fit: Fit, most: float, max_params: float | str | None, ratios: tuple[float, float]) -> Candidates:
    """All runs of at most `most` FLOPs; none is smaller than the smallest run there is, where laws begin to fail."""
    low, high = (positive(end, "tokens_per_param") for end in ratios)
    if low > high:
        raise InputError("tokens_per_param needs the lower end first", found=f"{low:g} - {high:g}")
    ranges = fit.runs.ranges
    flops_low = min(most, ranges["flops"][0] if "flops" in ranges else SMALLEST * most)
    params_low = ranges["params"][0] if "params" in ranges else (flops_low / 6 / high) ** 0.5
    params_high = (most / 6 / low) ** 0.5
    if max_params is not None:
        params_high = min(params_high, positive(max_params, "max_params"))
    found = grid(flops=(flops_low, most), params=(params_low, params_high), ratios=(low, high))
    if not len(found):
        raise Refusal(
            f"No run between {low:g} and {high:g} tokens per param fits {show(most)} FLOP with the "
            f"{show(params_low)} params of your smallest run or more",
            remedy="a larger budget or wider limits",
        )
    return found


def _noise(fit: Fit, given: float | None) -> float:
    """The scatter of single runs about the law, with the degrees of freedom that the fit has used taken off."""
    if given is not None:
        return positive(given, "noise")
    z_R = np.asarray(fit.residuals_R, dtype=float)
    free = len(fit.law.names) - len(fit.fixed)
    if z_R.size <= free:
        raise Refusal(f"{z_R.size} residuals cannot tell the noise of a run", remedy="give it: --noise 0.005")
    return max(QUIETEST, float(np.sqrt(z_R @ z_R / (z_R.size - free))))


def _price(surface: Surface, question: Question, limits: Boundary) -> float:
    """The loss that one FLOP more takes off at the target: minus d loss / d FLOP at the optimum of the point estimate."""
    x = surface.point.best(limits)
    y = limits.at(x)[0]
    loss = float(surface.point.loss(np.exp(x), np.exp(y))[0, 0])
    (budget,) = prices.constraints(surface, question, float(x[0]), float(y[0]), loss)
    return -budget.shadow_price * loss / budget.bound


def _listed(known: Knowledge, candidates: Candidates, chosen: Chosen, price: float) -> tuple[NextRun, ...]:
    """The chosen runs with the regret that each leaves."""
    found: list[NextRun] = []
    before, spent = known.regret, 0.0
    for place, index in enumerate(chosen.order):
        after = min(before, known.after(chosen.order[: place + 1]))
        flops = float(candidates.flops_C[index])
        spent += flops
        found.append(
            NextRun(
                params=float(candidates.params_C[index]),
                tokens=float(candidates.tokens_C[index]),
                flops=flops,
                repeat=chosen.order[:place].count(index),
                before=before,
                after=after,
                so_far=spent,
                worth=(before - after) / price if price > 0 else 0.0,
            )
        )
        before = after
    return tuple(found)


def _caveats(fit: Fit, runs: Sequence[NextRun]) -> tuple[str, ...]:
    notes = []
    if fit.outcome.refused:
        notes.append(
            f"The fit is refused as it stands ({fit.outcome_detail}), so this is a rough guess. Better: a fifth of the budget "
            "on a grid, three sizes at each of three budgets, from 1 to 500 tokens per param; then fit and ask again."
        )
    ranges = fit.runs.ranges
    beyond = [run for run in runs if "params" in ranges and run.params > ranges["params"][1] * A_LITTLE]
    if beyond:
        which = "One of these runs is" if len(beyond) == 1 else f"{len(beyond)} of these runs are"
        largest = show(ranges["params"][1])
        notes.append(f"{which} larger than any you have ({largest} params), and the law is trusted to hold there.")
    if fit.runs.conventions.get("params") == "non_embedding":
        notes.append("Params are counted without embeddings, as in the runs; so is the compute, 6 params tokens.")
    return tuple(notes)
