"""Frontier: the compute-optimal split under any law of params and tokens, for the optimum and every draw at once.

One idea: along 6 params tokens = C the loss is a function of x = ln params alone; its minimum x*(C) answers every question
about allocation. The exponent a = dx*/d ln C follows from the implicit-function theorem, a = -f_xc / f_xx, and the
elasticity along the optimum from the envelope theorem, so neither needs a second optimisation.

The law is asked only for values, so a law of the user's own is treated like Chinchilla's. Derivatives are central differences of
the reducible part, whose steps balance truncation and rounding (relative error about 1e-7).

Legend: K rows (the optimum first, then the draws), G grid points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.laws.follows import FOLLOWS
from kleiber.laws.law import Law

if TYPE_CHECKING:
    from kleiber.fit.result import Fit

Array = NDArray[np.float64]

# Wide enough that the unit in which params or tokens are counted cannot push the optimum out.
FEWEST_TOKENS_PER_PARAM, MOST_TOKENS_PER_PARAM = 1e-12, 1e16
GRID, NEWTON_STEPS = 161, 8
FIRST_STEP, SECOND_STEP = 3e-4, 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Frontier:
    """The optimum at `flops` (one, or one per row): params_K, tokens_K, loss_K; NaN where a row has no interior optimum.

    `exponent_K` is d ln params* / d ln C and `elasticity_K` d ln loss* / d ln C there.
    """

    flops: float | Array
    params_K: Array
    tokens_K: Array
    loss_K: Array
    exponent_K: Array
    elasticity_K: Array


def splits(law: Law) -> bool:
    """Whether the law can say how to split compute between params and tokens.

    >>> splits(Law("E + A/params**alpha + B/tokens**beta")), splits(Law("E + A/flops**alpha"))
    (True, False)
    """
    powers = np.array([FOLLOWS[name][1:] for name in law.inputs if name in FOLLOWS]).reshape(-1, 2)
    return bool(np.linalg.matrix_rank(powers) == 2)


def cloud(fit: Fit) -> Array:
    """The optimum and the draws as rows (K, P)."""
    return np.vstack([fit.theta_P[None], fit.draws_BP])


def other_inputs(fit: Fit, at: Mapping[str, float] | None = None) -> dict[str, float]:
    """Values of the law's inputs besides params and tokens: `at`, else the middle of the runs' range on a log scale."""
    values = dict(at or {})
    for name in fit.law.inputs:
        if name not in FOLLOWS and name not in values:
            if name not in fit.runs.ranges:
                raise InputError(f"the law {fit.law.name!r} needs a value of {name!r}", remedy=f"give {name}")
            low, high = fit.runs.ranges[name]
            values[name] = float(np.sqrt(low * high))
    return values


def loss_at(law: Law, theta_KP: Array, log_params: Array, log_tokens: Array, at: Mapping[str, float]) -> Array:
    """The loss of every row at points of its own: log_params and log_tokens (K, R) -> (K, R)."""
    inputs = {}
    for name in law.inputs:
        if name in at:
            inputs[name] = np.full(np.shape(log_params), float(at[name]))
        else:
            factor, p, q = FOLLOWS[name]
            inputs[name] = factor * np.exp(p * log_params + q * log_tokens)
    with np.errstate(all="ignore"):
        return np.broadcast_to(law.evaluate(theta_KP, inputs), np.shape(log_params))


def frontier(law: Law, theta_KP: Array, flops: float | Array, at: Mapping[str, float] | None = None) -> Frontier:
    """The compute-optimal split at `flops`, a number or one per row (K,), for every row of `theta_KP`.

    Raises `InputError` where the law does not depend on both params and tokens.

    >>> law = Law("E + A/params**alpha + B/tokens**beta")
    >>> best = frontier(law, np.array([[1.8172, 482.01, 0.3478, 2085.43, 0.3658]]), 5.76e23)
    >>> best.params_K.round(-7), best.exponent_K.round(4)
    (array([7.225e+10]), array([0.5126]))
    """
    if not splits(law):
        raise InputError(
            f"the law {law.name!r} cannot say how to split compute between params and tokens",
            found=f"inputs {', '.join(law.inputs)}",
            expected="a law of params and tokens",
            remedy="fit such a law, for instance --law chinchilla",
        )
    given = dict(at or {})
    c_K = np.broadcast_to(np.log(np.asarray(flops, dtype=float) / 6.0), (len(theta_KP),))
    c_K1 = c_K[:, None]

    reducible_KP = without_floor(law, theta_KP)

    def loss(x: Array, shift: float = 0.0) -> Array:
        return loss_at(law, reducible_KP, x, c_K1 + shift - x, given)

    x_K = _lowest(loss, 0.5 * c_K1)
    x_K1, h = x_K[:, None], SECOND_STEP
    whole_K = loss_at(law, theta_KP, x_K1, c_K1 - x_K1, given)[:, 0]
    curvature = (loss(x_K1 + h) - 2 * loss(x_K1) + loss(x_K1 - h))[:, 0] / h**2
    crossed = (loss(x_K1 + h, h) - loss(x_K1 + h, -h) - loss(x_K1 - h, h) + loss(x_K1 - h, -h))[:, 0] / (4 * h**2)
    slope = (loss(x_K1, FIRST_STEP) - loss(x_K1, -FIRST_STEP))[:, 0] / (2 * FIRST_STEP)
    with np.errstate(all="ignore"):
        return Frontier(
            flops=flops,
            params_K=np.exp(x_K),
            tokens_K=np.exp(c_K - x_K),
            loss_K=whole_K,
            exponent_K=-crossed / curvature,
            elasticity_K=slope / whole_K,
        )


def without_floor(law: Law, theta_KP: Array) -> Array:
    """The parameters with every additive constant at 0: that moves no optimum, and differences of the rest keep their digits."""
    import sympy

    moved_KP = np.array(theta_KP, dtype=float)
    for index, parameter in enumerate(law.parameters):
        if parameter.floor and law.between is None:
            slope = sympy.diff(law.expression, sympy.Symbol(parameter.name, real=True))
            if not slope.free_symbols:
                moved_KP[:, index] = 0.0
    return moved_KP


def _lowest(loss: Callable[[Array], Array], square_K1: Array) -> Array:
    """x (K,) of the least loss: a grid about as many tokens as params, then Newton inside the cell; NaN at the range's end."""
    low, high = -0.5 * np.log(MOST_TOKENS_PER_PARAM), -0.5 * np.log(FEWEST_TOKENS_PER_PARAM)
    grid_KG = square_K1 + np.linspace(low, high, GRID)
    value_KG = loss(grid_KG)
    best_K = np.argmin(np.where(np.isfinite(value_KG), value_KG, np.inf), axis=1)
    x_K, cell = np.take_along_axis(grid_KG, best_K[:, None], axis=1), (high - low) / (GRID - 1)
    start_K, h = x_K.copy(), FIRST_STEP
    for _ in range(NEWTON_STEPS):
        above, at, below = loss(x_K + h), loss(x_K), loss(x_K - h)
        with np.errstate(all="ignore"):
            step = (above - below) / 2 / h * h**2 / np.abs(above - 2 * at + below)
        x_K = np.clip(x_K - np.nan_to_num(step, nan=0.0, posinf=0.0, neginf=0.0), start_K - cell, start_K + cell)
    on_end = (best_K == 0) | (best_K == GRID - 1)
    return np.where(on_end, np.nan, x_K[:, 0])


def partial_elasticities(
    law: Law, theta_KP: Array, params: float, tokens: float, at: Mapping[str, float] | None = None
) -> tuple[Array, Array]:
    """d ln loss / d ln params and d ln loss / d ln tokens at one point, for every row: (K,), (K,)."""
    x_K1, y_K1 = np.full((len(theta_KP), 1), np.log(params)), np.full((len(theta_KP), 1), np.log(tokens))
    given, h = dict(at or {}), FIRST_STEP
    middle = loss_at(law, theta_KP, x_K1, y_K1, given)
    by_params = loss_at(law, theta_KP, x_K1 + h, y_K1, given) - loss_at(law, theta_KP, x_K1 - h, y_K1, given)
    by_tokens = loss_at(law, theta_KP, x_K1, y_K1 + h, given) - loss_at(law, theta_KP, x_K1, y_K1 - h, given)
    with np.errstate(all="ignore"):
        return (by_params / (2 * h * middle))[:, 0], (by_tokens / (2 * h * middle))[:, 0]
