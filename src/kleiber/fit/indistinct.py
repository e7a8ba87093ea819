"""Parameters that the runs cannot tell apart, seen from the slopes of the law at its optimum rather than from resamples.

The way the data takes: a problem and its optimum -> d log(predicted) / d u, one column a free parameter -> its singular values.
One that vanishes is a direction in which no prediction moves: a grid of any number of sizes at two budgets gives two equations
for the three unknowns of E + B / tokens^beta. Where none vanishes, the errors of the exponents by linear theory.

The one idea: a bootstrap cannot see this. Every refit begins at the optimum and stays at the same point of the ridge, so that
its draws are narrow where any value would do as well.

Source: linear theory of nonlinear regression, Seber & Wild (1989), chapters 2.1 and 3.4 (ill-conditioning).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kleiber.fit.engine import Problem, predictions, slopes
from kleiber.laws.law import Law
from kleiber.quantity import show

Array = NDArray[np.float64]

VANISHING = 1e-9  # a singular value, of columns of length one, that is rounding
INVOLVED = 0.01  # share of a direction from which on a parameter is named
NEAR_BOUND = 1e-6  # share of the box
TWO_SIDED = 1.96


def indistinct(law: Law, problem: Problem, u_P: Array, widest_share: float) -> str | None:
    """Which parameters cannot be told apart, or whose exponent's 95 % interval spans more than that share of its box; or None."""
    free_P = problem.lower_P < problem.upper_P
    slopes_RP = slopes(problem, u_P)
    norms_P = np.linalg.norm(slopes_RP, axis=0)
    seen_P = free_P & np.isfinite(norms_P) & (norms_P > 0)
    if not np.isfinite(slopes_RP).all() or seen_P.sum() < 2:
        return None
    _, sizes, directions = np.linalg.svd(slopes_RP[:, seen_P] / norms_P[seen_P], full_matrices=False)
    if sizes[-1] < VANISHING * sizes[0]:
        return _ridge(law, problem, [law.names[i] for i in np.flatnonzero(seen_P)], directions[-1])
    return _wide(law, problem, u_P, slopes_RP, seen_P, widest_share)


def _ridge(law: Law, problem: Problem, names: list[str], direction_P: Array) -> str:
    named = [name for name, part in zip(names, np.abs(direction_P), strict=True) if part > INVOLVED]
    words = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    levels = [
        f"{count} different {name}"
        for name, time_R in zip(law.inputs, problem.times_IR, strict=True)
        if (count := np.unique(np.round(time_R, 6)).size) == 2
    ]
    why = f": the runs have {' and '.join(levels)}" if levels else ""
    return f"other values of {words} would predict the same losses{why}"


def _wide(
    law: Law, problem: Problem, u_P: Array, slopes_RP: Array, seen_P: NDArray[np.bool_], widest_share: float
) -> str | None:
    """The first exponent whose interval by linear theory spans too much of its box; parameters on a bound are held there."""
    width_P = problem.upper_P - problem.lower_P
    margin_P = NEAR_BOUND * width_P
    kept_P = seen_P & (u_P > problem.lower_P + margin_P) & (u_P < problem.upper_P - margin_P)
    runs, count = slopes_RP.shape[0], int(kept_P.sum())
    if count == 0 or runs <= count:
        return None
    residual_R = problem.objective.residual(predictions(problem, u_P[None])[0], problem.y_R)
    variance = float(residual_R @ residual_R) / (runs - count)
    error_P = np.zeros(len(u_P))
    error_P[kept_P] = np.sqrt(np.diag(np.linalg.pinv(slopes_RP[:, kept_P].T @ slopes_RP[:, kept_P])) * variance)
    for index, parameter in enumerate(law.parameters):
        if parameter.scale != "linear" or parameter.floor or not kept_P[index]:
            continue
        half = TWO_SIDED * error_P[index]
        if 2 * half > widest_share * (parameter.upper - parameter.lower):
            return f"the 95 % interval of {parameter.name} spans {show(float(u_P[index]))} ± {show(float(half))} by linear theory"
    return None
