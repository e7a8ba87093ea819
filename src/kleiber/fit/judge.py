"""When a fit must not be used: bounds hit, intervals that span everything, a transient instead of an asymptote.

One idea: the optimiser's success says nothing about whether the runs determine the law. Each refusal below is a property of
the runs that can be stated in a sentence and cured by other runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kleiber.fit.engine import Problem
from kleiber.fit.indistinct import NEAR_BOUND, indistinct
from kleiber.fit.outcome import Outcome
from kleiber.laws.evaluate import to_natural
from kleiber.laws.law import Law
from kleiber.quantity import show

Array = NDArray[np.float64]

WIDEST_SHARE = 0.6  # an exponent whose 95 % interval covers more of its box than this says nothing
RECIPE = "recipe"  # which of two tables a run is of, in a comparison
MIN_CURVES, TRANSIENT_Z, RISING_Z = 2, 3.0, 3.0


def too_few(law: Law, problem: Problem) -> str | None:
    """Why the runs cannot determine the law at all, or None."""
    free = int((problem.lower_P < problem.upper_P).sum())
    if problem.y_R.size < free + 2:
        return f"{problem.y_R.size} runs for {free} free parameters"
    for name, time_R in zip(law.inputs, problem.times_IR, strict=True):
        distinct = np.unique(np.round(time_R, 6)).size
        if distinct < 2 and free > 1:
            return f"every run has the same {name}, so its exponent cannot be seen"
    return None


def at_bound(law: Law, problem: Problem, u_P: Array) -> str | None:
    """The first exponent or scale that stopped on its bound, or None; a floor at zero is no failure."""
    width_P = problem.upper_P - problem.lower_P
    natural = to_natural(u_P, law.form.logged)
    for index, parameter in enumerate(law.parameters):
        if width_P[index] == 0 or parameter.floor:
            continue
        margin = NEAR_BOUND * width_P[index]
        if u_P[index] <= problem.lower_P[index] + margin or u_P[index] >= problem.upper_P[index] - margin:
            return f"{parameter.name} is on its bound ({show(float(natural[index]))})"
    return None


def unidentified(law: Law, problem: Problem, draws_BP: Array) -> str | None:
    """The first exponent whose 95 % interval spans most of its box, or sits on an end of it, or None."""
    for index, parameter in enumerate(law.parameters):
        if parameter.scale != "linear" or parameter.floor or problem.lower_P[index] == problem.upper_P[index]:
            continue
        low, high = np.quantile(draws_BP[:, index], [0.025, 0.975])
        width = parameter.upper - parameter.lower
        on_end = high >= parameter.upper - NEAR_BOUND * width or low <= parameter.lower + NEAR_BOUND * width
        if high - low > WIDEST_SHARE * width or on_end:
            return f"the 95 % interval of {parameter.name} spans {show(float(low))} to {show(float(high))}"
    return None


def rising(law: Law, problem: Problem) -> str | None:
    """Whether the loss rises with every input rather than falling, as an accuracy or a wrong column does.

    A plane over the logarithms of params, tokens and flops, as many as the law takes, is fitted to the loss; one that rises with
    each of them by three standard errors is no law's. A law of further inputs (repeated data, say) may rise, and is left alone.
    """
    names = [name for name in ("params", "tokens", "flops") if name in law.inputs]
    if not names or law.target != "loss" or not set(law.inputs) <= {*names, RECIPE}:
        return None
    times_RI = np.stack([problem.times_IR[law.inputs.index(name)] for name in names], axis=1)
    design_RC = np.column_stack([np.ones(len(times_RI)), times_RI])
    freedom = len(design_RC) - design_RC.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(design_RC) < design_RC.shape[1]:
        return None
    slopes_C, *_ = np.linalg.lstsq(design_RC, problem.y_R, rcond=None)
    left_R = problem.y_R - design_RC @ slopes_C
    error_C = np.sqrt(np.diag(np.linalg.inv(design_RC.T @ design_RC)) * (left_R @ left_R) / freedom)
    if (slopes_C[1:] > RISING_Z * error_C[1:]).all():
        return f"the loss rises with {' and with '.join(names)}"
    return None


def transient(law: Law, problem: Problem) -> str | None:
    """Whether losses fall ever faster with tokens at fixed size, which no sum of falling power laws can do.

    For each size with 3 or more budgets, a parabola in log tokens is fitted to the loss; a power law is convex there, so a
    pooled curvature below zero by three standard errors, over at least two sizes, is a transient of the optimisation.
    """
    if not {"params", "tokens"} <= set(law.inputs):
        return None
    size_R, time_R = (problem.times_IR[law.inputs.index(name)] for name in ("params", "tokens"))
    curvatures = []
    for size in np.unique(np.round(size_R, 6)):
        rows = np.round(size_R, 6) == size
        if np.unique(np.round(time_R[rows], 3)).size >= 3:
            curvatures.append(np.polyfit(time_R[rows] - time_R[rows].mean(), problem.y_R[rows], 2)[0])
    if len(curvatures) < MIN_CURVES:
        return None
    mean, error = np.mean(curvatures), np.std(curvatures, ddof=1) / np.sqrt(len(curvatures))
    if mean + TRANSIENT_Z * error < 0:
        return f"the loss falls ever faster with tokens at {len(curvatures)} sizes, a transient and not an asymptote"
    return None


def verdict(
    law: Law, problem: Problem, u_P: Array, draws_BP: Array, *, agreeing: int, converged: bool
) -> tuple[Outcome, str]:
    """The outcome and the sentence that explains it."""
    bound = at_bound(law, problem, u_P)
    spans = (unidentified(law, problem, draws_BP) if len(draws_BP) >= 40 else None) or indistinct(
        law, problem, u_P, WIDEST_SHARE
    )
    tests = (
        (Outcome.TOO_FEW_RUNS, too_few(law, problem)),
        (Outcome.RISING, rising(law, problem)),
        (Outcome.TRANSIENT, transient(law, problem)),
        (Outcome.AT_BOUND, " and ".join(piece for piece in (bound, spans) if piece) if bound else None),
        (Outcome.UNIDENTIFIED, spans),
        (Outcome.NOT_CONVERGED, None if converged else f"the search did not settle ({agreeing} starts agree)"),
    )
    for outcome, detail in tests:
        if detail:
            return outcome, detail
    return Outcome.SOLVED, f"{agreeing} starts agree on the optimum"
