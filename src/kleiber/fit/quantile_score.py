"""Quantile score: how good a forecast was, from 21 quantiles of what it held possible.

One idea: the quantiles, joined by straight lines, are a distribution of their own, so that the continuous ranked probability
score and the place of the outcome in the forecast (the probability integral transform) are exact integrals over it, and no draw
has to be kept. What lies beyond the outermost quantiles is taken to lie on them.

Legend: Q quantiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LEVELS = (0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975)
"""The levels of the 21 quantiles that a ledger keeps."""


def crps(quantiles_Q: ArrayLike, outcome: float, levels_Q: ArrayLike = LEVELS) -> float:
    """The continuous ranked probability score of `outcome`, in its unit; 0 is perfect, and for a point it is |error|.

    2 * integral over t of (1[y < q(t)] - t) (q(t) - y), which is the integral over x of (F(x) - 1[y <= x])^2.

    >>> crps([2.0] * 21, 2.5)
    0.5

    Source: Gneiting and Raftery (2007), Journal of the American Statistical Association 102, 359, section 4.2; the form over
    quantiles: Laio and Tamea (2007), Hydrology and Earth System Sciences 11, 1267.
    """
    t, q = _ends(quantiles_Q, levels_Q)
    t, q = _cut(t, q, outcome)
    over = ((q[:-1] + q[1:]) / 2 > outcome).astype(float)
    # On a piece the integrand is a product of two straight lines, for which Simpson's rule is exact.
    middle_t, middle_q = (t[:-1] + t[1:]) / 2, (q[:-1] + q[1:]) / 2
    at_ends = (over - t[:-1]) * (q[:-1] - outcome) + (over - t[1:]) * (q[1:] - outcome)
    in_middle = (over - middle_t) * (middle_q - outcome)
    return float(2 * np.sum((t[1:] - t[:-1]) * (at_ends + 4 * in_middle) / 6))


def place(quantiles_Q: ArrayLike, outcome: float, levels_Q: ArrayLike = LEVELS) -> float:
    """F(outcome): the share of the forecast that lay below what happened; beyond the outermost quantiles the middle of the rest.

    Over many good forecasts it is uniform on 0 to 1.

    >>> place(np.linspace(1, 3, 21), 2.0), place(np.linspace(1, 3, 21), 9.0)
    (0.5, 0.9875)
    """
    q, t = np.asarray(quantiles_Q, dtype=float), np.asarray(levels_Q, dtype=float)
    if outcome < q[0]:
        return float(t[0] / 2)
    if outcome > q[-1]:
        return float((1 + t[-1]) / 2)
    below, above = np.searchsorted(q, outcome, side="left"), np.searchsorted(q, outcome, side="right")
    if above > below:  # on a quantile, or on several that coincide
        return float((t[below] + t[above - 1]) / 2)
    part = (outcome - q[below - 1]) / (q[below] - q[below - 1])
    return float(t[below - 1] + part * (t[below] - t[below - 1]))


def _ends(quantiles_Q: ArrayLike, levels_Q: ArrayLike) -> tuple[Array, Array]:
    """Levels and quantiles from 0 to 1."""
    q, t = np.asarray(quantiles_Q, dtype=float), np.asarray(levels_Q, dtype=float)
    return np.concatenate([[0.0], t, [1.0]]), np.concatenate([q[:1], q, q[-1:]])


def _cut(t: Array, q: Array, outcome: float) -> tuple[Array, Array]:
    """The same line with a corner where it crosses the outcome."""
    pieces = np.flatnonzero((q[:-1] < outcome) & (outcome < q[1:]))
    if not pieces.size:
        return t, q
    left = int(pieces[0])
    part = (outcome - q[left]) / (q[left + 1] - q[left])
    return np.insert(t, left + 1, t[left] + part * (t[left + 1] - t[left])), np.insert(q, left + 1, outcome)
