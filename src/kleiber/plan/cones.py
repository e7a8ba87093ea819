"""A geometric program in logarithms, handed to an interior-point method as linear limits and exponential cones.

The way the data takes: posynomials with bounds -> rows A, b of ln(term) -> Clarabel -> point, dual variables.
The one idea: with x = ln(variables) a limit is sum_k exp(a_k x + b_k) <= 1; every term gets a variable above it,
(a_k x + b_k, 1, t_k) in the exponential cone, and the limit is sum_k t_k <= 1. A single term needs no cone. The dual variable of
that row is d ln(objective) / d ln(bound) up to its sign, since ln has slope one where the sum is one.

Legend: V variables, T terms of one posynomial, L limits.

Source: Boyd, Kim, Vandenberghe, Hassibi (2007), "A tutorial on geometric programming", section 2.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TOLERANCE, LOOSER = 1e-12, 1e-8
STATUS = {
    "Solved": "optimal", "AlmostSolved": "optimal", "PrimalInfeasible": "infeasible", "AlmostPrimalInfeasible": "infeasible",
    "DualInfeasible": "unbounded", "AlmostDualInfeasible": "unbounded",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Logs:
    """sum_T exp(slope_TV x + height_T) <= 1, in logarithms of the variables."""

    slope_TV: Array
    height_T: Array


@dataclass(kw_only=True, eq=False)
class _Rows:
    """Rows A v <= b and cones b - A v under construction, as triplets; `columns` counts the variables so far."""

    columns: int
    linear: list[tuple[NDArray[np.intp], Array, float]] = field(default_factory=list)
    cones: list[tuple[Array, float, int]] = field(default_factory=list)

    def limit(self, logs: Logs) -> None:
        """One limit: a row for a single term, else a cone for each term and the row of their sum."""
        if len(logs.height_T) == 1:
            where = np.flatnonzero(logs.slope_TV[0])
            self.linear.append((where, logs.slope_TV[0, where], -float(logs.height_T[0])))
            return
        above = np.arange(self.columns, self.columns + len(logs.height_T))
        self.columns += len(above)
        self.linear.append((above, np.ones(len(above)), 1.0))
        for slope_V, height, column in zip(logs.slope_TV, logs.height_T, above, strict=True):
            self.cones.append((slope_V, float(height), int(column)))

    def matrix(self) -> tuple[Any, Array]:
        """A as a sparse matrix, b."""
        from scipy.sparse import csc_matrix

        rows, columns, entries, right = [], [], [], []
        for row, (where, values, bound) in enumerate(self.linear):
            rows += [row] * len(where)
            columns += where.tolist()
            entries += values.tolist()
            right.append(bound)
        for slope_V, height, above in self.cones:
            where = np.flatnonzero(slope_V)
            row = len(right)
            rows += [row] * len(where) + [row + 2]
            columns += [*where.tolist(), above]
            entries += [*(-slope_V[where]).tolist(), -1.0]
            right += [height, 1.0, 0.0]
        return csc_matrix((entries, (rows, columns)), shape=(len(right), self.columns)), np.array(right)


def minimise(objective_V: Array, limits: list[Logs]) -> tuple[str, Array, Array]:
    """The least objective_V x under `limits`: status (optimal, infeasible or unbounded), x_V, and a dual variable a limit.

    >>> one = Logs(slope_TV=np.array([[-1.0], [1.0]]), height_T=np.log([0.25, 0.25]))
    >>> status, x, _ = minimise(np.array([1.0]), [one])  # 1/(4v) + v/4 <= 1, so v >= 2 - sqrt(3)
    >>> status, round(float(np.exp(x[0])), 6)
    ('optimal', 0.267949)
    """
    from scipy.sparse import csc_matrix

    clarabel = _clarabel()
    rows = _Rows(columns=len(objective_V))
    for logs in limits:
        rows.limit(logs)
    matrix, right = rows.matrix()
    goal = np.concatenate([objective_V, np.zeros(rows.columns - len(objective_V))])
    cones = [clarabel.NonnegativeConeT(len(rows.linear)), *(clarabel.ExponentialConeT() for _ in rows.cones)]
    nothing = csc_matrix((rows.columns, rows.columns))
    status = ""
    for tolerance in (TOLERANCE, LOOSER):
        found = clarabel.DefaultSolver(nothing, goal, matrix, right, cones, _settings(tolerance)).solve()
        status = str(found.status)
        if status in STATUS:
            return STATUS[status], np.array(found.x)[: len(objective_V)], np.array(found.z)[: len(rows.linear)]
    raise AssertionError(f"the interior point ended as {status}")


def _clarabel() -> Any:
    # Its names are made by an extension, so nothing is known of their types.
    import clarabel

    return clarabel


def _settings(tolerance: float) -> Any:
    settings = _clarabel().DefaultSettings()
    settings.verbose = False
    settings.max_iter = 300
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
    return settings
