"""From a fit and a budget to a decision with its doubt.

The way the data takes: fit -> `Surface` (point estimate and draws) · question -> `Boundary` -> the optimum of every row ->
intervals, near-optimal set, shadow prices, regret, what more compute buys, and what the named rules would have cost.
The one idea: the decision is the optimum of the point estimate; every draw is optimised too, and what a draw would have
gained by knowing itself is the regret of deciding now.

Legend: K rows of the surface (the point estimate, then B draws).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, overload
from weakref import ReferenceType, ref

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, Refusal
from kleiber.plan import prices, reach, rules
from kleiber.plan.boundary import Boundary, boundary
from kleiber.plan.question import Limit, Question, flops_limit, max_params, max_tokens, positive
from kleiber.plan.result import Amount, Plan, Regret, amount
from kleiber.plan.surface import Surface
from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.plan.architecture import LifePlan

Array = NDArray[np.float64]
FEW_DRAWS = 200
AT_THE_END = 1e-6  # in ln(params)
NARROWINGS = 6  # each to one part in 399 of the last: beyond the digits of a float
UNITS = {"nats_per_byte": "nats per byte", "bits_per_byte": "bits per byte"}
BUYS = {"one_percent": 1.01, "doubling": 2.0, "tenfold": 10.0}


@overload
def plan(
    fit: Fit,
    *,
    flops: float | str,
    level: float = ...,
    serve_tokens: float | str = ...,
    max_tokens: float | str | None = ...,
    max_params: float | str | None = ...,
    near: float = ...,
    limits: tuple[Limit, ...] = ...,
    at: Mapping[str, float | str] | None = ...,
) -> Plan: ...


@overload
def plan(
    fit: Fit,
    *,
    flops: float | str | None = ...,
    level: float = ...,
    serve_tokens: float | str = ...,
    near: float = ...,
    at: Mapping[str, float | str] | None = ...,
    **life: Any,
) -> Plan | LifePlan: ...


def plan(
    fit: Fit,
    *,
    flops: float | str | None = None,
    level: float = 0.95,
    serve_tokens: float | str = 0.0,
    max_tokens: float | str | None = None,
    max_params: float | str | None = None,
    near: float = 1e-3,
    limits: tuple[Limit, ...] = (),
    at: Mapping[str, float | str] | None = None,
    **life: Any,
) -> Plan | LifePlan:
    """What to train with `flops`: the params and tokens of least loss under `fit`, with intervals from its draws.

    minimise loss(params, tokens) subject to 6 params tokens + 2 params serve_tokens <= flops, params <= max_params,
    tokens <= max_tokens, and any further `limits` on params and tokens. `at` gives the other inputs of the law, such as
    unique_tokens. `near` is the relative loss that counts as near-optimal. Quantities may be written 70B, 5.76e23.

    With anything of `life` (families, context, hardware, money, memory, latency, ...: see `plan.architecture.Brief`) the plan is
    one for the whole life of the model: a shape to build, with FLOPs as counted for it, by `plan_life`.

    Raises `InputError` for a budget that is no positive number or a law that does not depend on params and tokens;
    `Refusal` for a refused fit or a law without an optimum.

    Source: Hoffmann et al. (2022), equation 4; Sardana & Frankle (2024), equation 1.
    """
    if life:
        return _of_life(
            fit,
            life,
            flops,
            serve_tokens,
            at,
            {"max_params": max_params, "max_tokens": max_tokens},
            limits,
            level,
            near,
        )
    if flops is None:
        raise InputError("a plan needs a budget", remedy="say flops=5.76e23, or --flops 5.76e23")
    check(level, near)
    surface = surface_of(fit, at or {})
    question = _question(flops, serve_tokens, max_params, max_tokens, limits)
    return decide(fit, surface, question, level=level, near=near)


def _of_life(
    fit: Fit,
    life: Mapping[str, Any],
    flops: float | str | None,
    serve_tokens: float | str,
    at: Mapping[str, float | str] | None,
    caps: Mapping[str, float | str | None],
    limits: tuple[Limit, ...],
    level: float,
    near: float,
) -> LifePlan:
    """The plan for the whole life of a model, to which limits on params and tokens alone do not belong."""
    from kleiber.plan.architecture import plan_life

    alone = [name for name, value in caps.items() if value is not None] + [limit.name for limit in limits]
    if alone:
        raise InputError(
            f"{alone[0]} belongs to a plan of params and tokens alone",
            remedy="for a plan with a shape, limit memory, latency, money or unique tokens instead",
        )
    fixed = {name: positive(value, name) for name, value in (at or {}).items()}
    return plan_life(fit, flops=flops, serve_tokens=serve_tokens, at=fixed, level=level, near=near, **life)


def surface_of(fit: Fit, at: Mapping[str, float | str]) -> Surface:
    """The surface of a fit; a refused fit has none."""
    fit.usable()
    if fit.law.target != "loss":
        raise InputError(
            f"the law {fit.law.name!r} predicts {fit.law.target}, and a plan minimises a loss",
            remedy="fit a law of loss, for instance --law chinchilla",
        )
    given = {name: positive(value, name) for name, value in at.items()}
    return _at_hand(fit, given) or _keep(fit, given)


_RECENT: list[tuple[ReferenceType[Fit], dict[str, float], Surface]] = []
MOST_AT_HAND = 4


def _at_hand(fit: Fit, at: dict[str, float]) -> Surface | None:
    """The surface of the very same fit, where it was asked for a moment ago: a slider asks again and again."""
    return next((surface for kept, where, surface in _RECENT if kept() is fit and where == at), None)


def _keep(fit: Fit, at: dict[str, float]) -> Surface:
    theta_P = np.asarray(fit.theta_P, dtype=float)
    draws_BP = np.asarray(fit.draws_BP, dtype=float).reshape(-1, theta_P.size)
    kept_BP = draws_BP[np.isfinite(draws_BP).all(axis=1)]
    surface = Surface(law=fit.law, theta_KP=np.vstack([theta_P, kept_BP]), at=at)
    _RECENT[:] = [entry for entry in _RECENT if entry[0]() is not None][1 - MOST_AT_HAND :]
    _RECENT.append((ref(fit), at, surface))
    return surface


def decide(fit: Fit, surface: Surface, question: Question, *, level: float, near: float) -> Plan:
    """The plan for `question`; the arguments are those of `plan`, made ready."""
    limits = _boundary(question)
    x_K = surface.best(limits)
    open_rows = _no_optimum(x_K, limits, surface)
    if open_rows[0]:
        raise Refusal(
            f"{surface.law.name!r} has no compute-optimal size at these parameters: the best params run off to "
            f"{'zero' if x_K[0] < (limits.low + limits.high) / 2 else 'infinity'}.",
            remedy="a fit whose params term and tokens term both matter, from runs that vary both",
        )
    y_K = limits.at(x_K)[0]
    params_K, tokens_K = np.exp(x_K), np.exp(y_K)
    reach.large_enough(float(params_K[0]), float(tokens_K[0]))
    best_K = surface.loss_at(x_K[:, None], y_K[:, None])[:, 0]
    x, y = float(x_K[0]), float(y_K[0])
    here_K = surface.loss_at(x_K[:1], y_K[:1])[:, 0]
    budget = question.limits[0]
    served = serving_tokens(budget)
    largest = largest_flops(fit)
    made = _amounts(level, params=params_K, tokens=tokens_K, loss=best_K, tokens_per_param=tokens_K / params_K)
    return Plan(
        **made,
        flops=budget.bound,
        serve_tokens=served,
        near_optimal=_near_optimal(surface, limits, x, float(best_K[0]) + near * abs(float(best_K[0]))),
        near=near,
        constraints=prices.constraints(surface, question, x, y, float(best_K[0])),
        regret=_regret(surface, limits, here_K - best_K, best_K, level),
        buys=_buys(surface, question, best_K, level),
        rules=rules.outcomes(surface, limits, here_K, _anchor(surface, largest), level),
        extrapolation_decades=decades(6 * params_K[0] * tokens_K[0], largest),
        outside=reach.outside(fit, float(params_K[0]), float(tokens_K[0])),
        method="certified" if surface.certified else "searched",
        level=level,
        loss_unit=loss_unit(fit),
        caveats=_caveats(fit, surface, limits, x, y, open_rows),
        provenance=provenance(fit),
        params_convention=fit.runs.conventions.get("params", "unknown"),
        cloud_B3=np.stack([params_K, tokens_K, best_K], axis=1)[1:],
    )


def check(level: float, near: float) -> None:
    if not 0 < level < 1:
        raise InputError("level must lie between 0 and 1", found=level)
    if not 0 < near < 1:
        raise InputError("near must lie between 0 and 1", found=near, expected="a relative loss such as 0.001")


def _question(
    flops: float | str,
    serve_tokens: float | str,
    most_params: float | str | None,
    most_tokens: float | str | None,
    more: tuple[Limit, ...],
) -> Question:
    limits = [flops_limit(flops, serve_tokens)]
    if most_params is not None:
        limits.append(max_params(most_params))
    if most_tokens is not None:
        limits.append(max_tokens(most_tokens))
    return Question(limits=(*limits, *more))


def _boundary(question: Question) -> Boundary:
    limits = boundary(question.limits)
    if limits is None:
        raise InputError(
            "a limit does not bound tokens from above",
            found=", ".join(limit.name for limit in question.limits),
            expected="limits on params and tokens that more tokens come closer to",
        )
    if limits.low > limits.high:
        from kleiber.plan import program

        answer = program.conflict(question)
        raise InputError(
            "these limits cannot hold together",
            found=", ".join(answer.conflicts),
            remedy=f"relax them, for instance each by a factor {answer.relax:.3g}",
        )
    return limits


def serving_tokens(budget: Limit) -> float:
    """The served tokens that a compute limit was made with."""
    return float(budget.usage.coefficients_T[1] / 2) if len(budget.usage.coefficients_T) > 1 else 0.0


def _no_optimum(x_K: Array, limits: Boundary, surface: Surface) -> NDArray[np.bool_]:
    """Rows whose loss only ever falls towards an end of the search that no limit has set."""
    low, high = surface.range(limits)
    low_open = not limits.bounded[0] or low > limits.low
    high_open = not limits.bounded[1] or high < limits.high
    runs_low, runs_high = x_K < low + AT_THE_END, x_K > high - AT_THE_END
    return (runs_low & low_open) | (runs_high & high_open)


def _amounts(level: float, **columns_K: Array) -> dict[str, Amount]:
    return {name: amount(column_K[0], column_K[1:], level) for name, column_K in columns_K.items()}


def _near_optimal(surface: Surface, limits: Boundary, x: float, target: float) -> tuple[float, float]:
    """The params around the optimum whose loss stays under `target`, up to what the limits allow."""
    low, high = surface.range(limits)
    return tuple(float(np.exp(_crossing(surface.point, limits, x, end, target))) for end in (low, high))  # type: ignore[return-value]


def _crossing(point: Surface, limits: Boundary, x: float, end: float, target: float) -> float:
    """The first x from the optimum towards `end` where the loss reaches `target`."""
    x_R = x + (end - x) * np.linspace(0, 1, 400) ** 2
    for _ in range(NARROWINGS):
        above_R = ~(point.along(x_R, limits)[0] <= target)
        if not above_R.any():
            return end
        first = max(1, int(above_R.argmax()))
        x_R = np.linspace(x_R[first - 1], x_R[first], 400)
    return float(x_R[0])


def _regret(surface: Surface, limits: Boundary, regret_K: Array, best_K: Array, level: float) -> Regret | None:
    draws_B = np.maximum(regret_K[1:], 0.0)  # rounding may leave -1e-16
    if draws_B.size < 2:
        return None
    cloud = surface.draws
    x = cloud.best_on_average(limits)
    tokens = float(np.exp(limits.at(np.array([x]))[0][0]))
    least_B = np.maximum(cloud.loss(np.exp(x), tokens)[:, 0] - best_K[1:], 0.0)
    spread = amount(0.0, draws_B, level).interval
    assert spread is not None
    return Regret(
        expected=float(draws_B.mean()),
        interval=spread,
        least_params=float(np.exp(x)),
        least_tokens=tokens,
        least_expected=float(least_B.mean()),
    )


def _buys(surface: Surface, question: Question, best_K: Array, level: float) -> dict[str, Amount]:
    """What 1 %, twice and ten times the compute would take off the loss, other limits as they are."""
    bought = {}
    budget, *others = question.limits
    served = serving_tokens(budget)
    for name, factor in BUYS.items():
        limits = _boundary(Question(limits=(flops_limit(budget.bound * factor, served), *others)))
        gain_K = best_K - surface.along(surface.best(limits)[:, None], limits)[:, 0]
        bought[name] = amount(gain_K[0], gain_K[1:], level)
    return bought


def _anchor(surface: Surface, largest: float | None) -> tuple[float, float] | None:
    """The point estimate's optimum (params, tokens) at the largest run's compute, from which a rule is extended."""
    if largest is None:
        return None
    params = float(np.exp(surface.point.best(_boundary(Question(limits=(flops_limit(largest),))))[0]))
    return params, largest / (6 * params)


def largest_flops(fit: Fit) -> float | None:
    """The compute of the largest run: measured where the table has it, else 6 params tokens of its corner."""
    ranges = fit.runs.ranges
    if "flops" in ranges:
        return float(ranges["flops"][1])
    if "params" in ranges and "tokens" in ranges:
        return 6.0 * float(ranges["params"][1]) * float(ranges["tokens"][1])
    return None


def loss_unit(fit: Fit) -> str:
    return UNITS.get(fit.runs.conventions.get("loss", "unknown"), "nats")


def decades(flops: float, largest: float | None) -> float | None:
    return None if largest is None else max(0.0, float(np.log10(flops / largest)))


def _caveats(
    fit: Fit, surface: Surface, limits: Boundary, x: float, y: float, open_rows: NDArray[np.bool_]
) -> tuple[str, ...]:
    notes = []
    count, lost = len(surface.theta_KP) - 1, int(open_rows[1:].sum())
    if count < 2:
        notes.append("The fit has no draws, so nothing here has an interval: fit with --bootstrap 4000.")
    elif count < FEW_DRAWS:
        notes.append(f"The intervals rest on {count} draws only; 1000 or more make them steady.")
    if fit.runs.conventions.get("params") == "non_embedding":
        notes.append("Params are counted without embeddings, as in the runs; so is the compute, 6 params tokens.")
    notes += reach.counted_otherwise(fit)
    if count < len(fit.draws_BP):
        notes.append(f"{len(fit.draws_BP) - count} draws hold no numbers and were left out.")
    if lost:
        notes.append(f"{lost} of {count} draws have no interior optimum; their params stand at the end of the search.")
    if not surface.certified:
        low, high = np.exp(surface.range(limits))
        notes.append(
            f"The law is no posynomial that falls with tokens: the optimum was searched between {show(low)} and {show(high)} "
            "params, not certified."
        )
        if surface.slopes(x, y)[1] > 0:
            notes.append("Fewer tokens would give less loss here: the limits allow more than this law can use.")
    return tuple(notes)


def provenance(fit: Fit) -> dict[str, Any]:
    """What the plan rests on: law, runs, objective, seed and versions."""
    return {
        "law": fit.law.name,
        "formula": fit.law.formula,
        "runs": {"count": fit.runs.count, "hash": fit.runs.hash},
        "objective": {"name": fit.objective.name, "delta": fit.objective.delta},
        "draws": len(fit.draws_BP),
        "resampling": fit.resampling,
        "seed": fit.seed,
        "versions": {name: _version(name) for name in ("kleiber", "numpy")},
    }


@cache
def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)
