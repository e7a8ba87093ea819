"""Where the optimum has a closed form, or is the root of one increasing function, for thousands of draws at once.

The way the data takes: terms of a law (B draws) + boundary of the limits -> the best ln(params) of every draw.
The one idea: along the boundary the loss is a convex function of x = ln(params). Terms that rise with x and terms that
fall with x must balance: ln(rising) - ln(falling) = 0. For two power terms that function is a straight line, so Newton's
first step lands on Hoffmann's closed form; in general it is safeguarded by a bracket that always contains the optimum.

Legend: B draws (row 0 may be the point estimate), T terms, 2 = (params, tokens).
"""

from __future__ import annotations

from dataclasses import dataclass

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
    terms = _terms(coefficients_BT, exponents_BT2)
    start = _start(terms, limits)
    if (root := _settled(terms, limits, start)) is not None:
        return root
    low, high = (np.full(len(coefficients_BT), end) for end in (limits.low, limits.high))
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


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """ln(coefficient) and the exponents of params and tokens, a row per term: sums over few terms are quick that way round."""

    logs_TB: Array
    p_TB: Array
    q_TB: Array


def _terms(coefficients_BT: Array, exponents_BT2: Array) -> _Terms:
    """The terms that matter: those with a weight in some draw."""
    there_T = (coefficients_BT > 0).any(axis=0)
    weight_TB = np.ascontiguousarray(coefficients_BT[:, there_T].T)
    logs_TB = np.where(weight_TB > 0, np.log(np.maximum(weight_TB, 1e-300)), -np.inf)
    p_TB, q_TB = (np.ascontiguousarray(exponents_BT2[:, there_T, index].T) for index in (0, 1))
    return _Terms(logs_TB=logs_TB, p_TB=p_TB, q_TB=q_TB)


def _settled(terms: _Terms, limits: Boundary, x_B: Array) -> Array | None:
    """The roots, where one more step from `x_B` is below the resolution for every draw and none is near an end: no more to do."""
    balance, slope = _balance(terms, limits, x_B)
    with np.errstate(divide="ignore", invalid="ignore"):
        step_B = balance / slope
    near = np.abs(step_B) < RESOLUTION * max(1.0, float(np.abs(x_B).max(initial=0.0)))
    inside = (x_B > limits.low + NEAR[1]) & (x_B < limits.high + NEAR[0])
    return x_B - step_B if bool(np.all(near & inside & (slope > 0))) else None


def _start(terms: _Terms, limits: Boundary) -> Array:
    """One Newton step from the middle; exact for two power terms on a straight boundary."""
    x = np.full(terms.logs_TB.shape[1], (limits.low + limits.high) / 2)
    balance, slope = _balance(terms, limits, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = x - balance / slope
    return np.where((step > limits.low) & (step < limits.high), step, x)


def _balance(terms: _Terms, limits: Boundary, x_B: Array) -> tuple[Array, Array]:
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
