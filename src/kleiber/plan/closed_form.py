"""Where the optimum has a closed form, or is the root of one increasing function, for thousands of draws at once.

The way the data takes: terms of a law (B draws) + boundary of the limits -> the best ln(params) of every draw.
The one idea: along the boundary the loss is a convex function of x = ln(params). Terms that rise with x and terms that
fall with x must balance: ln(rising) - ln(falling) = 0. For two power terms that function is a straight line, so Newton's
first step lands on Hoffmann's closed form; in general it is safeguarded by a bracket that always contains the optimum.

Legend: B draws (row 0 may be the point estimate), T terms, 2 = (params, tokens).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.plan.boundary import Boundary

Array = NDArray[np.float64]
STEPS = 120
RESOLUTION = 1e-13  # in ln(params)
LEAST = -1e4  # ln(tokens) where there are none left
NEAR = (-1e-9, 1e-9)  # the two sides of a corner


def two_power_terms(
    A: ArrayLike, alpha: ArrayLike, B: ArrayLike, beta: ArrayLike, flops: ArrayLike
) -> NDArray[np.float64]:
    """The params that minimise A / params**alpha + B / tokens**beta at 6 * params * tokens = flops.

    params* = G (flops / 6)**(beta / (alpha + beta)) with G = (alpha A / (beta B))**(1 / (alpha + beta)).

    Source: Hoffmann et al. (2022, arXiv 2203.15556), equation 4.

    >>> float(two_power_terms(482.01, 0.3478, 2085.43, 0.3658, 5.76e23).round(-7))
    72250000000.0
    """
    A, alpha, B, beta = (np.asarray(value, dtype=float) for value in (A, alpha, B, beta))
    both = alpha + beta
    return (alpha * A / (beta * B)) ** (1 / both) * (np.asarray(flops, dtype=float) / 6) ** (beta / both)


def minimise(coefficients_BT: Array, exponents_BT2: Array, limits: Boundary) -> Array:
    """The best x = ln(params) of every draw on the boundary: (B,), global because the loss is convex along it.

    A draw without an interior optimum gets the end of the boundary it runs into.
    """
    return lowest(Terms.of(coefficients_BT, exponents_BT2), limits)


def lowest(terms: Terms, limits: Boundary) -> Array:
    """`minimise` of terms made ready: worth it where the same draws meet many limits."""
    if (root := _straight(terms, limits)) is not None:
        return root
    start = _start(terms, limits)
    if (root := _settled(terms, limits, start)) is not None:
        return root
    low, high = (np.full(terms.logs_TB.shape[1], end) for end in (limits.low, limits.high))
    # Where limits meet or end, the balance jumps: look there first, since Newton's method would halve its way in.
    for corner in (limits.low, *limits.kinks, limits.high):
        if corner > limits.low:
            before = _balance(terms, limits, np.full(len(low), corner + NEAR[0]))[0]
            low = np.where(before <= 0, np.maximum(low, corner), low)
        if corner < limits.high:
            after = _balance(terms, limits, np.full(len(low), corner + NEAR[1]))[0]
            high = np.where(after >= 0, np.minimum(high, corner), high)
    x = np.clip(start, low, high)
    for _ in range(STEPS):
        balance, slope = _balance(terms, limits, x)
        low, high = np.where(balance < 0, x, low), np.where(balance > 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = x - balance / slope
        inside = np.isfinite(step) & (step >= low) & (step <= high) & (slope > 0)
        new = np.where(balance == 0, x, np.where(inside, step, (low + high) / 2))
        moved = np.abs(new - x).max()
        x = new
        if moved < RESOLUTION * max(1.0, float(np.abs(x).max())):
            break
    return x


def lowest_on_average(terms: Terms, limits: Boundary) -> float:
    """The best x of the mean over draws: their terms taken as those of one law."""
    if (root := _straight_on_average(terms, limits)) is not None:
        return root
    as_one = (np.ascontiguousarray(part_TB.T).reshape(-1, 1) for part_TB in (terms.logs_TB, terms.p_TB, terms.q_TB))
    logs, p, q = as_one
    return float(lowest(Terms(logs_TB=logs, p_TB=p, q_TB=q), limits)[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """ln(coefficient) and the exponents of params and tokens, a row per term: sums over few terms are quick that way round."""

    logs_TB: Array
    p_TB: Array
    q_TB: Array

    @classmethod
    def of(cls, coefficients_BT: Array, exponents_BT2: Array) -> Terms:
        """The terms that matter: those with a weight in some draw."""
        there_T = (coefficients_BT > 0).any(axis=0)
        weight_TB = np.ascontiguousarray(coefficients_BT[:, there_T].T)
        logs_TB = np.where(weight_TB > 0, np.log(np.maximum(weight_TB, 1e-300)), -np.inf)
        p_TB, q_TB = (np.ascontiguousarray(exponents_BT2[:, there_T, index].T) for index in (0, 1))
        return cls(logs_TB=logs_TB, p_TB=p_TB, q_TB=q_TB)

    def along(self, slope: float) -> tuple[Array, Array]:
        """On a straight boundary: how each term tilts with x, and ln(coefficient |tilt|); kept, for budgets only shift it."""
        if slope not in self._kept:
            tilt_TB = self.p_TB + self.q_TB * slope
            with np.errstate(divide="ignore"):
                self._kept[slope] = tilt_TB, self.logs_TB + np.log(np.abs(tilt_TB))
        return self._kept[slope]

    @cached_property
    def _kept(self) -> dict[float, tuple[Array, Array]]:
        return {}


def _straight(terms: Terms, limits: Boundary) -> Array | None:
    """The closed form: two terms, one of which rises along a straight boundary while the other falls, in every draw."""
    if limits.line is None or len(terms.logs_TB) != 2:
        return None
    intercept, slope = limits.line
    tilt_TB, share_TB = terms.along(slope)
    if not (np.all(tilt_TB[0] * tilt_TB[1] < 0) and np.isfinite(share_TB).all()):
        return None
    apart_B = share_TB[1] - share_TB[0] + (terms.q_TB[1] - terms.q_TB[0]) * intercept
    return np.clip(apart_B / (tilt_TB[0] - tilt_TB[1]), limits.low, limits.high)


def _straight_on_average(terms: Terms, limits: Boundary) -> float | None:
    """The root of ln(all that rises) - ln(all that falls) on a straight boundary, by Newton's method in a bracket."""
    if limits.line is None:
        return None
    intercept, slope = limits.line
    tilt_TB, share_TB = terms.along(slope)
    share_TB = share_TB + terms.q_TB * intercept
    sides = [(share_TB[there], tilt_TB[there]) for there in (tilt_TB > 0, tilt_TB < 0)]
    if not all(len(share) for share, _ in sides):
        return None
    low, high = limits.low, limits.high
    x = (low + high) / 2
    for _ in range(STEPS):
        (rising, up), (falling, down) = (_weighed(share, tilt, x) for share, tilt in sides)
        low, high = (x, high) if rising < falling else (low, x)
        step = x - (rising - falling) / (up - down)
        new = step if low <= step <= high else (low + high) / 2
        if abs(new - x) < RESOLUTION * max(1.0, abs(x)):
            return new
        x = new
    return x


def _weighed(share: Array, tilt: Array, x: float) -> tuple[float, float]:
    """ln(sum(exp(share + tilt x))) and its derivative by x."""
    logs = share + tilt * x
    top = logs.max()
    weight = np.exp(logs - top)
    total = weight.sum()
    return float(np.log(total) + top), float(weight @ tilt / total)


def _settled(terms: Terms, limits: Boundary, x_B: Array) -> Array | None:
    """The roots, where one more step from `x_B` is below the resolution for every draw and none is near an end: no more to do."""
    balance, slope = _balance(terms, limits, x_B)
    with np.errstate(divide="ignore", invalid="ignore"):
        step_B = balance / slope
    near = np.abs(step_B) < RESOLUTION * max(1.0, float(np.abs(x_B).max(initial=0.0)))
    inside = (x_B > limits.low + NEAR[1]) & (x_B < limits.high + NEAR[0])
    return x_B - step_B if bool(np.all(near & inside & (slope > 0))) else None


def _start(terms: Terms, limits: Boundary) -> Array:
    """One Newton step from the middle; exact for two power terms on a straight boundary."""
    x = np.full(terms.logs_TB.shape[1], (limits.low + limits.high) / 2)
    balance, slope = _balance(terms, limits, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = x - balance / slope
    return np.where((step > limits.low) & (step < limits.high), step, x)


def _balance(terms: Terms, limits: Boundary, x_B: Array) -> tuple[Array, Array]:
    """ln(sum of rising slopes) - ln(sum of falling slopes) at x, and its derivative; the optimum is its root."""
    y_B, slope_B, curvature_B = (np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=LEAST) for part in limits.at(x_B))
    tilt_TB = terms.p_TB + terms.q_TB * slope_B
    weight_TB = terms.logs_TB + terms.p_TB * x_B + terms.q_TB * y_B
    with np.errstate(divide="ignore", invalid="ignore"):
        share_TB = weight_TB + np.log(np.abs(tilt_TB))
        bend_TB = np.where(tilt_TB == 0, 0.0, tilt_TB + terms.q_TB * curvature_B / tilt_TB)
    rising, rising_bend = _side(np.where(tilt_TB > 0, share_TB, -np.inf), bend_TB)
    falling, falling_bend = _side(np.where(tilt_TB < 0, share_TB, -np.inf), bend_TB)
    neither = np.isneginf(rising) & np.isneginf(falling)
    return np.where(neither, 0.0, rising - np.where(neither, 0.0, falling)), rising_bend - falling_bend


def _side(logs_TB: Array, bend_TB: Array) -> tuple[Array, Array]:
    """ln(sum(exp(logs))) over the terms, and its derivative by x, where each log has derivative `bend`."""
    top_B = logs_TB.max(axis=0, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        share_TB = np.where(np.isneginf(top_B), 0.0, np.exp(logs_TB - np.where(np.isneginf(top_B), 0.0, top_B)))
    total_B = share_TB.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_B = np.where(total_B > 0, (share_TB * np.where(share_TB > 0, bend_TB, 0.0)).sum(axis=0) / total_B, 0.0)
        return np.where(total_B > 0, np.log(total_B) + top_B, -np.inf), mean_B
