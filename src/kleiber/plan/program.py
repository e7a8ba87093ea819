"""The plan as a geometric program: any number of variables and limits, solved to a certificate by an interior-point method.

The way the data takes: posynomial objective + limits -> logarithms (`cones`) -> Clarabel -> optimum and dual variables.
The one idea: in logarithms the program is convex, so its optimum is global, and the dual variable of a limit is its
shadow price: d ln(objective) / d ln(bound). An infeasible question is answered by the program that relaxes every limit
by one common factor: the limits that are tight in it are the ones that conflict.

Source: Boyd, Kim, Vandenberghe, Hassibi (2007), "A tutorial on geometric programming", sections 2, 3.3 and 5.1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kleiber.laws.posynomial import Posynomial
from kleiber.plan import cones
from kleiber.plan.question import Limit, Question

Array = NDArray[np.float64]
NEGLIGIBLE = 1e-7  # a dual variable below this is zero


@dataclass(frozen=True, kw_only=True)
class Solution:
    """What the program found.

    `prices` are d ln(objective) / d ln(bound) of every limit (zero or negative). Where `status` is "infeasible", `conflicts`
    names the limits that cannot hold together, `relax` is the factor on all of them that would do, and `relax_each` the factor
    on each alone; where it is "unbounded", nothing stops the objective from falling for ever. `residual` is the certificate:
    how far the optimality conditions in logarithms (stationarity, tight limits) are from zero.
    """

    status: Literal["optimal", "infeasible", "unbounded"]
    values: Mapping[str, float]
    objective: float
    prices: Mapping[str, float]
    conflicts: tuple[str, ...] = ()
    relax: float | None = None
    relax_each: Mapping[str, float] = field(default_factory=dict)
    residual: float = float("nan")


def solve(objective: Posynomial, question: Question) -> Solution:
    """Minimise `objective` under the limits of `question`.

    minimise f(v) subject to g_i(v) <= bound_i, v > 0.

    >>> from kleiber.plan.question import flops_limit
    >>> law = Posynomial(inputs=("params", "tokens"), coefficients_T=np.array([1.8172, 482.01, 2085.43]),
    ...                  exponents_TI=np.array([[0, 0], [-0.3478, 0], [0, -0.3658]]))
    >>> found = solve(law, Question(limits=(flops_limit(5.76e23),)))
    >>> f"{found.values['params']:.3e} {found.objective:.4f} {found.prices['flops']:.4f}"
    '7.225e+10 1.9744 -0.0142'
    """
    _check(objective)
    constant, varying = _split(objective)
    names = sorted({*varying.inputs, *(name for limit in question.limits for name in limit.usage.inputs)})
    # The floor of the law is left out: it moves no optimum, and without it the program is better conditioned. The last column
    # is ln of what the rest is below, which is to be least.
    rows = [_logs(varying, names, giving=True), *(_limit_logs(limit, names) for limit in question.limits)]
    status, start, duals = cones.minimise(_last(len(names) + 1), rows)
    if status == "infeasible":
        return conflict(question)
    if status == "unbounded" or _falls_for_ever(varying, question.limits, names):
        return Solution(status="unbounded", values={}, objective=constant, prices={})
    point, duals, residual = _polish(varying, question.limits, names, start[:-1], duals[1:])
    values = dict(zip(names, np.exp(point).tolist(), strict=True))
    total = float(objective.value(values))
    share = (total - constant) / total
    prices = {limit.name: -float(dual) * share for limit, dual in zip(question.limits, duals, strict=True)}
    return Solution(status="optimal", values=values, objective=total, prices=prices, residual=residual)


def _falls_for_ever(objective: Posynomial, limits: tuple[Limit, ...], names: list[str]) -> bool:
    """Whether some direction in the logarithms makes no term grow and one term of the objective shrink.

    That is exactly when a feasible geometric program has no optimum to attain (Boyd et al. 2007, section 5.1); an interior
    point would stop somewhere far out and call it optimal.
    """
    from scipy.optimize import linprog

    falling_TV = _exponents(objective, names)
    rows_TV = np.vstack([falling_TV, *(_exponents(limit.usage, names) for limit in limits)])
    best = linprog(falling_TV.sum(axis=0), A_ub=rows_TV, b_ub=np.zeros(len(rows_TV)), bounds=(-1, 1))
    return bool(best.fun < -1e-9)


def _polish(
    objective: Posynomial, limits: tuple[Limit, ...], names: list[str], x_V: Array, duals_L: Array
) -> tuple[Array, Array, float]:
    """A few Newton steps on the optimality conditions of the limits that are tight, kept only where they help.

    The interior point stops some 1e-5 short where the optimum is flat; these conditions have no such floor.
    Solves grad ln f + sum_l dual_l grad ln g_l = 0 and ln g_l = ln bound_l.
    """
    tight = [index for index, dual in enumerate(duals_L) if dual > NEGLIGIBLE]
    bounds = np.log([limits[index].bound for index in tight])
    best = (x_V, duals_L, np.inf)
    x, dual = x_V, duals_L[tight]
    for _ in range(20):
        _, slope, bend = _log_derivatives(objective, names, x)
        parts = [_log_derivatives(limits[index].usage, names, x) for index in tight]
        values = np.array([part[0] for part in parts]) - bounds
        slopes = np.array([part[1] for part in parts]).reshape(len(tight), len(x))
        gaps = np.concatenate([slope + dual @ slopes, values])
        residual = float(np.abs(gaps).max())
        if not residual < best[2]:
            break
        full = np.zeros(len(limits))
        full[tight] = dual
        best = (x, full, residual)
        bend = bend + sum((weight * part[2] for weight, part in zip(dual, parts, strict=True)), np.zeros_like(bend))
        system = np.block([[bend, slopes.T], [slopes, np.zeros((len(tight), len(tight)))]])
        step = np.linalg.lstsq(system, -gaps, rcond=None)[0]
        x, dual = x + step[: len(x)], dual + step[len(x) :]
    return best


def _log_derivatives(posynomial: Posynomial, names: list[str], x_V: Array) -> tuple[float, Array, Array]:
    """ln(posynomial) at ln(variables) = x, with gradient and Hessian by x."""
    exponents_TV = _exponents(posynomial, names)
    logs_T = np.log(posynomial.coefficients_T) + exponents_TV @ x_V
    total = float(np.logaddexp.reduce(logs_T))
    share_T = np.exp(logs_T - total)
    slope = share_T @ exponents_TV
    return total, slope, (exponents_TV.T * share_T) @ exponents_TV - np.outer(slope, slope)


def conflict(question: Question, *, fixed: Collection[str] = ()) -> Solution:
    """Why a question is infeasible: the least common factor by which to relax every limit, and the limits tight then.

    Limits named in `fixed` do not give way. `relax_each` is the factor by which each of the conflicting limits would have to be
    relaxed if it alone gave way; a limit that cannot help alone is left out. Limits called "x, y" and "x, z" are two parts of one
    limit on x, and give way together.
    """
    common, duals = _phase_one(question, [limit.name for limit in question.limits if limit.name not in fixed])
    tight = tuple(name for name, dual in duals.items() if dual > NEGLIGIBLE and name not in fixed)
    parts = {name: [limit.name for limit in question.limits if _whole(limit.name) == _whole(name)] for name in tight}
    alone = {name: _phase_one(question, parts[name])[0] for name in tight} if common > 1 else {}
    return Solution(
        status="infeasible",
        values={},
        objective=float("nan"),
        prices={},
        conflicts=tight,
        relax=common,
        relax_each={name: factor for name, factor in alone.items() if np.isfinite(factor)},
    )


def _whole(name: str) -> str:
    return name.split(",")[0]


def _phase_one(question: Question, giving: list[str]) -> tuple[float, dict[str, float]]:
    """The least factor on the bounds of `giving` that makes the question feasible, and the dual variable of every limit;
    infinite where no factor does."""
    names = sorted({name for limit in question.limits for name in limit.usage.inputs})
    rows = [_limit_logs(limit, names, giving=limit.name in giving) for limit in question.limits]
    status, found, duals = cones.minimise(_last(len(names) + 1), rows)
    if status != "optimal":
        return float("inf"), {}
    return float(np.exp(found[-1])), {
        limit.name: float(dual) for limit, dual in zip(question.limits, duals, strict=True)
    }


def _logs(posynomial: Posynomial, names: list[str], *, bound: float = 1.0, giving: bool = False) -> cones.Logs:
    """posynomial <= bound in logarithms, with one more column: the factor on the bound, where it gives way."""
    exponents_TV = _exponents(posynomial, names)
    last_T1 = np.full((len(exponents_TV), 1), -1.0 if giving else 0.0)
    return cones.Logs(
        slope_TV=np.hstack([exponents_TV, last_T1]), height_T=np.log(posynomial.coefficients_T) - np.log(bound)
    )


def _limit_logs(limit: Limit, names: list[str], *, giving: bool = False) -> cones.Logs:
    return _logs(limit.usage, names, bound=limit.bound, giving=giving)


def _last(columns: int) -> Array:
    """The objective that is the last column."""
    return np.eye(columns)[-1]


def _exponents(posynomial: Posynomial, names: list[str]) -> Array:
    """The exponents of every term in the variables `names`: (T, V)."""
    exponents_TV = np.zeros((len(posynomial.coefficients_T), len(names)))
    exponents_TV[:, [names.index(name) for name in posynomial.inputs]] = posynomial.exponents_TI
    return exponents_TV


def _split(objective: Posynomial) -> tuple[float, Posynomial]:
    flat = ~np.any(objective.exponents_TI != 0, axis=1)
    varying = Posynomial(
        inputs=objective.inputs,
        coefficients_T=objective.coefficients_T[~flat],
        exponents_TI=objective.exponents_TI[~flat],
    )
    return float(objective.coefficients_T[flat].sum()), varying


def _check(objective: Posynomial) -> None:
    assert np.all(objective.coefficients_T > 0), "zero and negative terms are not part of a posynomial"
    assert np.any(objective.exponents_TI), "a constant has no optimum"
