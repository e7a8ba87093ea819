"""Knowledge: what the draws of a fit know of the decision, and what any further runs would add to it.

The way the data takes: surface (draws) + limits of the target -> every draw's best x = ln(params), its regret for deciding
now, and what it expects each candidate run to read -> the expected regret after any set of runs.

The one idea: the decision is one number. To second order a draw's regret is w/2 (x - x*)^2, so what runs are worth is how
much of the spread of x* over the draws they explain. Draws and readings being jointly spread, observing readings
y = f + noise leaves Var(x* | y) = Var(x*) - c' (S + noise^2)^-1 c, whatever y turns out to be: no draw is reweighted, so
nothing collapses when several precise runs are added. The curvature w of each draw is the secant, 2 regret / (x - x*)^2,
which makes the regret of deciding now exact, and draws are averaged with weight w. What is reported is not that square but
the regret itself, of the decision x = mean + k' (y - mean y), averaged over draws and noise.

Source: the expected value of sample information of Raiffa & Schlaifer (1961), "Applied statistical decision theory"; designs
as decisions: Chaloner & Verdinelli (1995), Statistical Science 10, 273. The conditional variance is that of a joint normal.

Legend: B draws, C candidates, S chosen runs, Q points of a quadrature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.boundary import Boundary
from kleiber.plan.next.candidates import Candidates
from kleiber.plan.surface import Surface

Array = NDArray[np.float64]
SAME = 1e-3  # in ln(params): closer than this a secant is rounding
QUADRATURE = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """The joint spread of the optimum (variance `spread`) and the readings (`spread_CC`), with covariances `joint_C`."""

    spread: float
    joint_C: Array
    spread_CC: Array
    noise: float

    def gain(self, chosen: Sequence[int]) -> Array:
        """k, by which the mean of the optimum moves with each reading: (S,)."""
        seen_SS = self.spread_CC[np.ix_(chosen, chosen)] + self.noise**2 * np.eye(len(chosen))
        return np.asarray(np.linalg.solve(seen_SS, self.joint_C[list(chosen)]), dtype=float)

    def given(self, chosen: Sequence[int]) -> Moments:
        """The spread that is left once the runs `chosen` have been read."""
        if not chosen:
            return self
        rows = list(chosen)
        seen_SS = self.spread_CC[np.ix_(rows, rows)] + self.noise**2 * np.eye(len(rows))
        with_joint = np.column_stack([self.spread_CC[rows], self.joint_C[rows]])
        solved = np.linalg.solve(seen_SS, with_joint)
        return Moments(
            spread=max(0.0, self.spread - float(self.joint_C[rows] @ solved[:, -1])),
            joint_C=self.joint_C - self.spread_CC[:, rows] @ solved[:, -1],
            spread_CC=self.spread_CC - self.spread_CC[:, rows] @ solved[:, :-1],
            noise=self.noise,
        )

    def with_each(self) -> Array:
        """The spread of the optimum that is left after one more run, for every candidate: (C,)."""
        return np.maximum(self.spread - self.joint_C**2 / (np.diag(self.spread_CC) + self.noise**2), 0.0)

    def with_pairs(self) -> Array:
        """The spread that is left after two more runs, for every pair of candidates: (C, C)."""
        read_C = np.diag(self.spread_CC) + self.noise**2
        squares_CC = np.multiply.outer(self.joint_C**2, read_C)
        told_CC = squares_CC + squares_CC.T - 2 * np.multiply.outer(self.joint_C, self.joint_C) * self.spread_CC
        area_CC = np.multiply.outer(read_C, read_C) - self.spread_CC**2
        return np.maximum(self.spread - told_CC / area_CC, 0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Knowledge:
    """The draws' cloud `surface` on the boundary `limits` of the target, and the decision `now` (ln params) with its regret.

    `optimum_B` is ln(params) that is best under each draw, `least_B` the loss there; `reading_BC` what each draw expects a
    candidate to read, in the unit of `noise` (log loss, or loss); `middle` and `middle_C` the weighted means of the optimum
    and the readings, `moments` their joint spread before any run.
    """

    surface: Surface
    limits: Boundary
    now: float
    regret: float
    optimum_B: Array
    least_B: Array
    reading_BC: Array
    middle: float
    middle_C: Array
    moments: Moments

    def after(self, chosen: Sequence[int]) -> float:
        """The expected regret of the decision that is made after the runs `chosen` (indices of candidates) were read.

        Mean over draws and noise of loss(x) - least loss, x = mean + k' (y - mean y) with k of least squares.
        """
        if not chosen:
            return self.regret
        gain_S = self.moments.gain(chosen)
        x_B = self.middle + (self.reading_BC - self.middle_C)[:, list(chosen)] @ gain_S
        node_Q, weight_Q = np.polynomial.hermite_e.hermegauss(QUADRATURE)
        x_BQ = x_B[:, None] + self.moments.noise * np.sqrt(gain_S @ gain_S) * node_Q
        x_BQ = np.clip(x_BQ, self.optimum_B.min(), self.optimum_B.max())
        regret_BQ = np.maximum(self.surface.along(x_BQ, self.limits) - self.least_B[:, None], 0.0)
        return min(self.regret, float((regret_BQ @ weight_Q).mean() / weight_Q.sum()))


def knowledge(surface: Surface, limits: Boundary, candidates: Candidates, *, noise: float, on_log: bool) -> Knowledge:
    """What the draws of `surface` know of the decision under `limits`, and expect of every candidate."""
    now, optimum_B = surface.best_on_average(limits), surface.best(limits)
    least_B = surface.along(optimum_B[:, None], limits)[:, 0]
    regret_B = np.maximum(surface.along(np.array([now]), limits)[:, 0] - least_B, 0.0)
    loss_BC = surface.loss(candidates.params_C, candidates.tokens_C)
    reading_BC = np.log(loss_BC) if on_log else loss_BC
    weight_B = _weights(optimum_B - now, regret_B)
    middle, middle_C = float(weight_B @ optimum_B), weight_B @ reading_BC
    off_B, off_BC = optimum_B - middle, reading_BC - middle_C
    weighted_BC = weight_B[:, None] * off_BC
    moments = Moments(
        spread=float(weight_B @ off_B**2),
        joint_C=weighted_BC.T @ off_B,
        spread_CC=weighted_BC.T @ off_BC,
        noise=noise,
    )
    return Knowledge(
        surface=surface,
        limits=limits,
        now=now,
        regret=float(regret_B.mean()),
        optimum_B=optimum_B,
        least_B=least_B,
        reading_BC=reading_BC,
        middle=middle,
        middle_C=middle_C,
        moments=moments,
    )


def _weights(off_B: Array, regret_B: Array) -> Array:
    """The draws' curvatures, the secants of their regret, as shares of the sum."""
    far_B = np.abs(off_B) > SAME
    with np.errstate(divide="ignore", invalid="ignore"):
        bend_B = regret_B / off_B**2
    bend_B = np.where(far_B, bend_B, np.median(bend_B[far_B]) if far_B.any() else 1.0)
    total = bend_B.sum()
    return bend_B / total if total > 0 else np.full(off_B.size, 1.0 / off_B.size)
