"""Boundary: the most tokens that the limits leave at each number of params, with its slope and curvature.

The way the data takes: limits -> for x = ln(params), the largest y = ln(tokens) that keeps every limit.
The one idea: a loss that falls with tokens is best on this curve, so a plan over (params, tokens) is a search in x alone.
Each limit's curve is concave in x (the log-sum-exp of a posynomial is convex), and so is the lowest of them: along it a
posynomial loss without positive exponents stays convex, and its one stationary point is the global optimum.

Source: Boyd & Vandenberghe (2004), "Convex optimization", sections 3.2.4 and 4.5.3.

Legend: R points, K terms of a limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.question import Limit

Array = NDArray[np.float64]
FURTHEST = 60.0  # how far, in ln(params), an optimum is looked for on either side of params = tokens
NARROWINGS = 6  # each to one part in 399 of the last: beyond the digits of a float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One limit as a curve: tokens**q * sum_j b_j params**n_j <= bound - sum_k a_k params**m_k."""

    q: float
    bound: float
    a_K: Array
    m_K: Array
    b_K: Array
    n_K: Array

    @cached_property
    def line(self) -> tuple[float, float] | None:
        """(intercept, slope) where ln(tokens) is a straight line in x: one term, as in 6 params tokens <= flops."""
        if len(self.a_K) or len(self.b_K) != 1:
            return None
        return float(np.log(self.bound / self.b_K[0])) / self.q, -float(self.n_K[0]) / self.q

    def at(self, x_R: Array) -> tuple[Array, Array, Array]:
        """ln(tokens) and its first and second derivative by x."""
        if self.line is not None:
            intercept, inclination = self.line
            return intercept + inclination * x_R, np.full(x_R.shape, inclination), np.zeros(x_R.shape)
        used_RK = self.a_K * np.exp(np.multiply.outer(x_R, self.m_K))
        left = self.bound - used_RK.sum(-1)
        left_slope, left_curve = -(used_RK @ self.m_K), -(used_RK @ self.m_K**2)
        per_RK = self.b_K * np.exp(np.multiply.outer(x_R, self.n_K))
        per = per_RK.sum(-1)
        mean, square = per_RK @ self.n_K / per, per_RK @ self.n_K**2 / per
        with np.errstate(divide="ignore", invalid="ignore"):
            slope, curve = left_slope / left, left_curve / left
            y = np.where(left > 0, np.log(np.maximum(left, 0.0) / per), -np.inf)
        return y / self.q, (slope - mean) / self.q, (curve - slope**2 - (square - mean**2)) / self.q


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """The lowest of the curves, over ln(params) in [`low`, `high`]; `bounded` says which ends a limit put there.

    >>> from kleiber.plan.question import flops_limit
    >>> line = boundary((flops_limit(6e20),))
    >>> y, slope, curvature = line.at(np.log([1e10]))
    >>> float(np.exp(y[0]).round()), float(slope[0]), float(abs(curvature[0]))
    (10000000000.0, -1.0, 0.0)
    """

    curves: tuple[Curve, ...]
    low: float
    high: float
    bounded: tuple[bool, bool]

    def at(self, x_R: Array) -> tuple[Array, Array, Array]:
        """The most ln(tokens) at ln(params) = x, and its first and second derivative by x."""
        x_R = np.asarray(x_R, dtype=float)
        y, slope, curvature = self.curves[0].at(x_R)
        for curve in self.curves[1:]:
            other = curve.at(x_R)
            lower = other[0] < y
            y, slope, curvature = (
                np.where(lower, new, old) for new, old in zip(other, (y, slope, curvature), strict=True)
            )
        return y, slope, curvature

    @property
    def line(self) -> tuple[float, float] | None:
        """(intercept, slope) where the whole boundary is one straight line in (ln params, ln tokens)."""
        return self.curves[0].line if len(self.curves) == 1 else None

    @cached_property
    def kinks(self) -> tuple[float, ...]:
        """Where one limit takes over from another, in ln(params)."""
        x_R = np.linspace(self.low, self.high, 2001)
        return tuple(
            _cross(first, second, x_R[index], x_R[index + 1])
            for first, second in combinations(self.curves, 2)
            for index in np.flatnonzero(np.diff(np.sign(_gap(first, second, x_R))) != 0)
        )

    def tokens(self, params: Array) -> Array:
        """The most tokens at `params`."""
        return np.exp(self.at(np.log(params))[0])


def _gap(first: Curve, second: Curve, x_R: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(first.at(x_R)[0] - second.at(x_R)[0], nan=0.0)


def _cross(first: Curve, second: Curve, low: float, high: float) -> float:
    sign = np.sign(_gap(first, second, np.array([low]))[0])
    for _ in range(NARROWINGS):
        x_R = np.linspace(low, high, 400)
        changed_R = np.sign(_gap(first, second, x_R)) != sign
        at = max(1, int(changed_R.argmax())) if changed_R.any() else len(x_R) - 1
        low, high = float(x_R[at - 1]), float(x_R[at])
    return (low + high) / 2


def boundary(limits: tuple[Limit, ...]) -> Boundary | None:
    """The boundary of `limits` over (params, tokens), or None where they have another form (see `program`).

    Limits that no params keep give a boundary with `low` > `high`.
    """
    split = [_exponents(limit) for limit in limits]
    if any(pair is None for pair in split):
        return None
    curves: list[Curve] = []
    low, high = -np.inf, np.inf
    for limit, pair in zip(limits, split, strict=True):
        assert pair is not None
        params_T, tokens_T = pair
        if np.any(tokens_T):
            curves.append(_curve(limit, params_T, tokens_T))
        low, high = _ends(limit, params_T, tokens_T, low, high)
    if not curves:
        return None
    # The middle of the search is where the first limit leaves as many tokens as params; limits only narrow it.
    middle = _crossing(curves[0])
    bounded = (low > middle - FURTHEST, high < middle + FURTHEST)
    low, high = (low if bounded[0] else middle - FURTHEST), (high if bounded[1] else middle + FURTHEST)
    return Boundary(curves=tuple(curves), low=low, high=high, bounded=bounded)


def _exponents(limit: Limit) -> tuple[Array, Array] | None:
    """The exponents of params and tokens per term, or None where the boundary has no closed form."""
    columns = dict(zip(limit.usage.inputs, limit.usage.exponents_TI.T, strict=True))
    if set(columns) - {"params", "tokens"}:
        return None
    none = np.zeros(len(limit.usage.coefficients_T))
    params_T, tokens_T = columns.get("params", none), columns.get("tokens", none)
    powers = set(tokens_T[tokens_T != 0].tolist())
    of_tokens = len(powers) <= 1 and min(powers, default=1.0) > 0
    falls = bool(np.any(params_T[tokens_T == 0] < 0)) and len(params_T) > 1
    return (params_T, tokens_T) if of_tokens and not falls else None


def _curve(limit: Limit, params_T: Array, tokens_T: Array) -> Curve:
    with_tokens = tokens_T > 0
    coefficients_T = limit.usage.coefficients_T
    return Curve(
        q=float(tokens_T[with_tokens][0]),
        bound=limit.bound,
        a_K=coefficients_T[~with_tokens],
        m_K=params_T[~with_tokens],
        b_K=coefficients_T[with_tokens],
        n_K=params_T[with_tokens],
    )


def _ends(limit: Limit, params_T: Array, tokens_T: Array, low: float, high: float) -> tuple[float, float]:
    """Narrow [low, high] by the terms of a limit that tokens do not enter."""
    free = tokens_T == 0
    a_K, m_K = limit.usage.coefficients_T[free], params_T[free]
    if not np.any(m_K):
        return low, high
    if len(m_K) == 1:
        end = float((np.log(limit.bound) - np.log(a_K[0])) / m_K[0])
        return (max(low, end), high) if m_K[0] < 0 else (low, min(high, end))
    # ln(sum a_k params**m_k) is convex and rising: Newton from the right end falls monotonically onto the root.
    x = float(np.min((np.log(limit.bound) - np.log(a_K)) / np.where(m_K > 0, m_K, np.nan)))
    for _ in range(60):
        logs = np.log(a_K) + m_K * x
        total = float(np.logaddexp.reduce(logs))
        x -= (total - np.log(limit.bound)) / float(np.exp(logs - total) @ m_K)
    return low, min(high, x)


def _crossing(curve: Curve) -> float:
    """ln(params) where params = tokens on the curve without its token-free terms."""
    logs = np.log(curve.b_K)
    return float(np.min((np.log(curve.bound) - logs) / (curve.q + np.maximum(curve.n_K, 0.0))))
