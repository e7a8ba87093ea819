"""The one engine behind every fit: damped Newton with exact derivatives, run on many problems at once.

The way the data takes: a `Problem` (a law in search coordinates, the log inputs, the observations, a box) and a batch of
start points u_BP with weights w_BR -> projected, damped Newton steps on all B problems together -> optima.
Starts of a global search, resamples of a bootstrap and folds of a back-test are the same thing here: rows of a batch.

The one idea: rho is piecewise quadratic, so the exact Hessian
    H = sum_r w_r [rho''(z_r) grad z_r grad z_r' + rho'(z_r) Hess z_r]
turns a near-L1 fit into a handful of steps, each a dense operation over (batch, runs). Where H is not positive definite its
LDL' pivots are replaced by their absolute values, which keeps every step a descent direction; a Levenberg-Marquardt term
grows when a step fails and vanishes when steps succeed.

Shapes: B problems, R runs, P parameters. All tolerances are relative to the objective's own value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.fit import kernel
from kleiber.fit.objective import Objective
from kleiber.laws.evaluate import SearchForm

Array = NDArray[np.float64]

MAX_STEPS = 200
CHUNK_ELEMENTS = 1 << 16  # (batch x runs) per sweep: a few arrays of this size stay in the second-level cache
LARGEST_MOVE = 3.0  # per step and coordinate, in search coordinates (a factor of 20 in a scale)
DECREMENT = 1e-15  # stop when the predicted decrease is below this share of the objective
ROUNDING = 1e-12  # relative residual that floating point leaves on data that the law fits exactly
DAMPING_START, DAMPING_MAX = 1e-3, 1e12


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is minimised: law `form`, log inputs `times_IR`, observations `y_R`, and the box in search coordinates.

    `smoothing` multiplies the Huber threshold; a search passes through smoothed problems on its way to the true one (1).
    """

    form: Any
    times_IR: Array
    y_R: Array
    objective: Objective
    lower_P: Array
    upper_P: Array
    smoothing: float = 1.0

    @property
    def delta(self) -> float:
        """The Huber threshold in units of the residual."""
        return self.smoothing * self.objective.threshold(float(np.median(self.y_R)))

    @property
    def negligible(self) -> float:
        """An objective this small is zero: every residual at rounding error, as on data without noise."""
        typical = 1.0 if self.objective.on_log else float(np.median(self.y_R))
        return self.y_R.size * (ROUNDING * typical) ** 2


@dataclass(frozen=True, kw_only=True)
class Optima:
    """Where a batch of problems ended: u_BP, the objective there, the steps taken, whether it met the tolerance."""

    u_BP: Array
    value_B: Array
    steps_B: NDArray[np.int64]
    converged_B: NDArray[np.bool_]


def minimise(
    problem: Problem, start_BP: Array, weights_BR: NDArray[Any] | None = None, max_steps: int = MAX_STEPS
) -> Optima:
    """Minimise the objective from every row of `start_BP`; `weights_BR` (default 1) are multiplicities of the runs.

    Rows are worked through in chunks, so memory is bounded by the chunk and not by B x R.
    """
    count, runs = start_BP.shape[0], problem.y_R.shape[0]
    if count * runs >= kernel.SMALLEST_BATCH and isinstance(problem.form, SearchForm):
        compiled = _compiled(problem, start_BP, weights_BR, max_steps)
        if compiled is not None:
            return compiled
    size = max(1, CHUNK_ELEMENTS // max(runs, 1))
    parts = []
    for first in range(0, count, size):
        weights = None if weights_BR is None else np.asarray(weights_BR[first : first + size], dtype=float)
        parts.append(_minimise_chunk(problem, start_BP[first : first + size], weights, max_steps))
    return Optima(
        u_BP=np.concatenate([part.u_BP for part in parts]),
        value_B=np.concatenate([part.value_B for part in parts]),
        steps_B=np.concatenate([part.steps_B for part in parts]),
        converged_B=np.concatenate([part.converged_B for part in parts]),
    )


def _compiled(problem: Problem, start_BP: Array, weights_BR: NDArray[Any] | None, max_steps: int) -> Optima | None:
    """The same through the compiled kernel, where there is one and the weights are counts."""
    if weights_BR is not None and not np.issubdtype(weights_BR.dtype, np.integer):
        return None
    found = kernel.minimise(
        problem.form, problem.objective.on_log, problem.times_IR, problem.y_R, weights_BR,
        (problem.lower_P, problem.upper_P), problem.delta, problem.negligible, max_steps, start_BP,
    )  # fmt: skip
    if found is None:
        return None
    u_BP, value_B, steps_B, converged_B = found
    value_B = np.where(np.isfinite(value_B), value_B, np.inf)
    return Optima(u_BP=u_BP, value_B=value_B, steps_B=steps_B.astype(np.int64), converged_B=converged_B)


def _minimise_chunk(problem: Problem, start_BP: Array, weights_BR: Array | None, max_steps: int) -> Optima:
    count = start_BP.shape[0]
    u_BP = np.clip(start_BP, problem.lower_P, problem.upper_P)
    steps_B, converged_B = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
    value_B, gradient_BP, hessian_BPP = derivatives(problem, u_BP, weights_BR)
    damping_B = np.full(count, DAMPING_START)
    active = np.flatnonzero(np.isfinite(value_B))
    for _ in range(max_steps):
        if active.size == 0:
            break
        u, value, gradient, hessian = u_BP[active], value_B[active], gradient_BP[active], hessian_BPP[active]
        move, predicted, uncut = _step(problem, u, gradient, hessian, damping_B[active])
        finished = uncut <= DECREMENT * np.abs(value) + problem.negligible
        converged_B[active[finished & (damping_B[active] <= 1e3 * DAMPING_START)]] = True
        trial = u + move
        weights = None if weights_BR is None else weights_BR[active]
        new_value, new_gradient, new_hessian = derivatives(problem, trial, weights)
        with np.errstate(invalid="ignore", over="ignore"):
            gain = value - new_value
            accepted = np.isfinite(new_value) & (gain > 0)
            ratio = np.where(accepted, gain / np.maximum(predicted, np.finfo(float).tiny), -1.0)
        rows = active[accepted]
        u_BP[rows], value_B[rows] = trial[accepted], new_value[accepted]
        gradient_BP[rows], hessian_BPP[rows] = new_gradient[accepted], new_hessian[accepted]
        damping_B[active] = _adapt(damping_B[active], ratio)
        steps_B[active] += 1
        done = finished | (damping_B[active] > DAMPING_MAX)
        # A step that can no longer lower the value in floating point is convergence, not failure.
        stuck = ~accepted & (uncut <= 1e-12 * np.abs(value) + problem.negligible)
        converged_B[active[stuck]] = True
        active = active[~(done | stuck)]
    return Optima(u_BP=u_BP, value_B=value_B, steps_B=steps_B, converged_B=converged_B)


def _adapt(damping: Array, ratio: Array) -> Array:
    """Levenberg-Marquardt's damping after a step whose actual/predicted gain was `ratio` (-1: rejected)."""
    better = np.where(ratio > 0.75, damping / 10.0, np.where(ratio > 0.25, damping, damping * 3.0))
    grown = np.where(ratio <= 0, np.maximum(damping, 1e-6) * 8.0, better)
    return np.where(grown < 1e-12, 0.0, grown)


def _step(problem: Problem, u: Array, gradient: Array, hessian: Array, damping: Array) -> tuple[Array, Array, Array]:
    """The damped Newton move, cut at the box; the decrease it predicts; and the decrease of the uncut move.

    Coordinates that the gradient, or the move itself, pushes out of the box stay put, and the rest is solved without them;
    a move that would leave the box elsewhere is shortened, not bent, since a bent Newton move need not descend.
    """
    at_lower, at_upper = u <= problem.lower_P, u >= problem.upper_P
    held = (at_lower & (gradient > 0)) | (at_upper & (gradient < 0)) | (at_lower & at_upper)
    move = _solve_free(gradient, hessian, damping, ~held)
    for _ in range(2):
        outward = (at_lower & (move < 0)) | (at_upper & (move > 0))
        if not outward.any():
            break
        held |= outward
        move = _solve_free(gradient, hessian, damping, ~held)
    uncut = -0.5 * np.einsum("bi,bi->b", gradient, move)
    with np.errstate(all="ignore"):
        room = np.where(
            move < 0, (problem.lower_P - u) / move, np.where(move > 0, (problem.upper_P - u) / move, np.inf)
        )
        largest = LARGEST_MOVE / np.abs(move).max(axis=1)
    share = np.minimum(1.0, np.minimum(np.nan_to_num(room, nan=np.inf).min(axis=1), np.nan_to_num(largest, nan=1.0)))
    move = np.clip(u + share[:, None] * move, problem.lower_P, problem.upper_P) - u
    return move, share * uncut, uncut


def _solve_free(gradient: Array, hessian: Array, damping: Array, free: NDArray[np.bool_]) -> Array:
    gradient = np.where(free, gradient, 0.0)
    hessian = np.where(free[:, :, None] & free[:, None, :], hessian, 0.0)
    diagonal = np.abs(np.einsum("bii->bi", hessian))
    scale = np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True)) + np.finfo(float).tiny
    extra = damping[:, None] * scale + np.where(free, 0.0, 1.0)
    return -solve_modified(hessian + extra[:, :, None] * np.eye(gradient.shape[1]), gradient)


def solve_modified(matrix_BPP: Array, right_BP: Array) -> Array:
    """Solve M x = b for a batch by LDL', replacing each pivot by its absolute value (at least a tiny share of the largest).

    Written over the batch: the loops run over P (a handful), every operation over B.
    """
    with np.errstate(all="ignore"):  # a hopeless row yields NaN, which the caller rejects as a step
        return _solve_modified(matrix_BPP, right_BP)


def _solve_modified(matrix_BPP: Array, right_BP: Array) -> Array:
    count = right_BP.shape[1]
    floor = 1e-14 * np.abs(np.einsum("bii->bi", matrix_BPP)).max(axis=1) + np.finfo(float).tiny
    lower = np.zeros_like(matrix_BPP)
    pivot = np.empty_like(right_BP)
    for j in range(count):
        scaled = lower[:, j, :j] * pivot[:, :j]
        pivot[:, j] = np.maximum(np.abs(matrix_BPP[:, j, j] - (lower[:, j, :j] * scaled).sum(axis=1)), floor)
        for i in range(j + 1, count):
            lower[:, i, j] = (matrix_BPP[:, i, j] - (lower[:, i, :j] * scaled).sum(axis=1)) / pivot[:, j]
    x = right_BP.copy()
    for i in range(count):
        x[:, i] -= (lower[:, i, :i] * x[:, :i]).sum(axis=1)
    x /= pivot
    for i in reversed(range(count)):
        x[:, i] -= (lower[:, i + 1 :, i] * x[:, i + 1 :]).sum(axis=1)
    return x


def derivatives(problem: Problem, u_BP: Array, weights_BR: Array | None) -> tuple[Array, Array, Array]:
    """The objective (B,), its exact gradient (B, P) and Hessian (B, P, P)."""
    batch, count = u_BP.shape
    runs = problem.y_R.shape[0]
    with np.errstate(all="ignore"):
        pieces = problem.form.all_derivatives(*_arguments(problem, u_BP))
        predicted = np.broadcast_to(pieces[0], (batch, runs))
        slopes_BPR = np.empty((batch, count, runs))
        for i in range(count):
            slopes_BPR[:, i, :] = pieces[1 + i]
        z, delta = problem.objective.residual(predicted, problem.y_R), problem.delta
        if problem.objective.on_log:
            slopes_BPR /= predicted[:, None, :]
        psi = np.clip(z, -delta, delta)
        inside = (np.abs(z) <= delta).astype(float)
        rho = psi * (z - 0.5 * psi)
        if weights_BR is not None:
            rho, psi, inside = rho * weights_BR, psi * weights_BR, inside * weights_BR
        value_B = rho.sum(axis=1)
        gradient_BP = np.matmul(slopes_BPR, psi[:, :, None])[:, :, 0]
        # For z = log m: z_ij = m_ij / m - z_i z_j, so the outer product carries rho'' - rho'.
        outer = inside - psi if problem.objective.on_log else inside
        hessian_BPP = np.matmul(slopes_BPR * outer[:, None, :], slopes_BPR.transpose(0, 2, 1))
        bent = psi / predicted if problem.objective.on_log else psi
        for (i, j), second in zip(problem.form.pairs, pieces[1 + count :], strict=True):
            total = np.einsum("br,br->b", bent, np.broadcast_to(second, (batch, runs)))
            hessian_BPP[:, i, j] += total
            if i != j:
                hessian_BPP[:, j, i] += total
    broken = ~(np.isfinite(value_B) & np.isfinite(gradient_BP).all(axis=1) & np.isfinite(hessian_BPP).all(axis=(1, 2)))
    value_B = np.where(broken, np.inf, value_B)
    gradient_BP[broken], hessian_BPP[broken] = 0.0, 0.0
    return value_B, gradient_BP, hessian_BPP


def slopes(problem: Problem, u_P: Array) -> Array:
    """How the residual of every run moves with every search coordinate: (R, P)."""
    with np.errstate(all="ignore"):
        value, *first = problem.form.all_derivatives(*_arguments(problem, u_P[None]))[: 1 + u_P.size]
        scale = np.broadcast_to(value, (1, problem.y_R.size))[0] if problem.objective.on_log else 1.0
        return np.stack([np.broadcast_to(each, (1, problem.y_R.size))[0] / scale for each in first], axis=1)


def _arguments(problem: Problem, u_BP: Array) -> list[Array]:
    unknowns = [u_BP[:, i, None] for i in range(u_BP.shape[1])]
    return [*unknowns, *(time[None, :] for time in problem.times_IR)]


def predictions(problem: Problem, u_BP: Array) -> Array:
    """What the law predicts for every run: (B, R)."""
    with np.errstate(all="ignore"):
        value = problem.form.value(*_arguments(problem, u_BP))
    return np.broadcast_to(value, (u_BP.shape[0], problem.y_R.shape[0]))
