"""How wide the intervals of a ladder will be, before it is trained.

The way the data takes: the ladder's cells and a law believed beforehand -> losses with seed noise, a few times over -> the same
fit that the real table will meet, trunks resampled whole -> the median width of each 95 % interval.
The one idea: the branches of a trunk share its luck, so a run's noise has two parts of equal variance, one of its trunk and
one of its own; a ladder of many branches on few trunks is not taken for one of many runs.

Legend: R runs, T trunks, P parameters, B draws, S simulated tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.lab.cell import Cell

if TYPE_CHECKING:
    from kleiber.fit import Fit

Array = NDArray[np.float64]

PRIOR = {"E": 0.9384, "A": 24.32, "B": 903.1, "alpha": 0.4381, "beta": 0.5565}
"""The fit of the shipped ladder (ladders/sotu-dense/README.md): active non-embedding params, bytes, nats per byte."""
NOISE = {"dense": 0.005, "experts": 0.01, "ssm": 0.003, "hybrid": 0.003}
"""Relative standard deviation of a run's loss between seeds, about that of the shipped ladders (docs/ladders.md)."""
TABLES, DRAWS, STARTS = 8, 200, 16
BEYOND = 10.0
"""The forecast is for so many times the compute of the largest run: params and tokens each times its root."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The value believed beforehand and the median width of its 95 % interval; None where most simulated fits were refused."""

    value: float
    width: float | None

    def to_json(self) -> dict[str, float | None]:
        """One entry of `expected_ci95`."""
        return {"value": self.value, "width": self.width}


def law_of(like: str | Path | None) -> dict[str, float]:
    """The parameters of Chinchilla's form to simulate from: those of a fit file, or the shipped ladder's."""
    if like is None:
        return dict(PRIOR)
    from kleiber.fit import load

    found = load(like).usable()
    if found.law.name != "chinchilla":
        raise InputError(
            "a ladder is designed for Chinchilla's form", found=found.law.name, expected="chinchilla", where=str(like)
        )
    return found.parameters


def loss(theta: Mapping[str, float], params: Array, tokens: Array) -> Array:
    """E + A / params^alpha + B / tokens^beta."""
    return theta["E"] + theta["A"] / params ** theta["alpha"] + theta["B"] / tokens ** theta["beta"]


def doubt(
    theta: Mapping[str, float], params_R: Array, tokens_R: Array, trunk_R: NDArray[Any], at: tuple[float, float]
) -> float:
    """The errors of log loss forecast at `at` (params, tokens) and of the allocation exponent, multiplied, to first order.

    Per unit of noise squared. With J the slopes of log loss by the five unknowns, S = (1 + [same trunk]) / 2 and
    H = (J'J)^-1 J', the unknowns have covariance H S H'. Infinite where the runs cannot tell the unknowns apart.
    """
    slopes_RP = _slopes(theta, params_R, tokens_R)
    scale_P = np.linalg.norm(slopes_RP, axis=0)
    scaled_RP = slopes_RP / scale_P
    if np.linalg.matrix_rank(scaled_RP, tol=1e-6) < scaled_RP.shape[1]:
        return float("inf")
    forecast_P = _slopes(theta, np.array([at[0]]), np.array([at[1]]))[0]
    alpha, beta = theta["alpha"], theta["beta"]
    exponent_P = np.array([0.0, 0.0, 0.0, -beta, alpha]) / (alpha + beta) ** 2
    weights_2R = np.stack([forecast_P, exponent_P]) / scale_P @ np.linalg.pinv(scaled_RP)
    shared = [np.bincount(trunk_R.astype(int), weights=weights_R) for weights_R in weights_2R]
    own, of_trunks = (weights_2R**2).sum(axis=1), np.array([(sums_T**2).sum() for sums_T in shared])
    return float(np.sqrt(((own + of_trunks) / 2).prod()))


def _slopes(theta: Mapping[str, float], params_R: Array, tokens_R: Array) -> Array:
    """Derivatives of log loss by E, log A, log B, alpha, beta: (R, P)."""
    size_R = theta["A"] / params_R ** theta["alpha"]
    data_R = theta["B"] / tokens_R ** theta["beta"]
    columns = (np.ones_like(size_R), size_R, data_R, -size_R * np.log(params_R), -data_R * np.log(tokens_R))
    return np.stack(columns, axis=1) / (theta["E"] + size_R + data_R)[:, None]


def expected_widths(
    cells: Sequence[Cell],
    theta: Mapping[str, float] = PRIOR,
    *,
    noise: float = NOISE["dense"],
    seed: int = 0,
    tables: int = TABLES,
    draws: int = DRAWS,
) -> dict[str, Expected]:
    """The expected interval of E, alpha, beta, the allocation exponent beta / (alpha + beta) and a forecast beyond the ladder.

    `noise`: relative standard deviation of a run's loss between seeds. Params are active and non-embedding.
    """
    from kleiber.fit import fit
    from kleiber.runs import Conventions, RunTable

    params_R = np.array([cell.shape.active_params for cell in cells], dtype=float)
    tokens_R = np.array([cell.tokens for cell in cells], dtype=float)
    trunks, trunk_R = np.unique([cell.trunk for cell in cells], return_inverse=True)
    conventions = Conventions(params="non_embedding", flops="6nd", loss="nats_per_byte")
    at = beyond(cells)
    rng = np.random.default_rng([seed, 4])
    widths: list[dict[str, float]] = []
    for _ in range(tables):
        luck_R = (rng.standard_normal(len(trunks))[trunk_R] + rng.standard_normal(len(cells))) / np.sqrt(2)
        columns = {
            "params": params_R,
            "tokens": tokens_R,
            "loss": loss(theta, params_R, tokens_R) * np.exp(noise * luck_R),
            "trunk": [str(code) for code in trunk_R],
        }
        table = RunTable.of(columns, conventions=conventions, source="simulated")
        found = fit(table, bootstrap=draws, cluster="trunk", seed=seed, starts=STARTS)
        if not found.outcome.refused:
            widths.append(obtained_widths(found, at))
    return _medians(widths, theta, at, tables)


def beyond(cells: Sequence[Cell]) -> tuple[float, float]:
    """Params and tokens of the forecast: `BEYOND` times the compute of the largest run, shared evenly."""
    largest = max(cells, key=lambda cell: (cell.shape.active_params * cell.tokens, cell.tokens))
    return largest.shape.active_params * BEYOND**0.5, largest.tokens * BEYOND**0.5


def _medians(
    widths: list[dict[str, float]], theta: Mapping[str, float], at: tuple[float, float], tables: int
) -> dict[str, Expected]:
    ahead = float(loss(theta, np.array(at[0]), np.array(at[1])))
    values = {**{name: theta[name] for name in ("E", "alpha", "beta")}, "exponent": _exponent(theta), "forecast": ahead}
    enough = 2 * len(widths) > tables
    return {
        name: Expected(value=value, width=float(np.median([found[name] for found in widths])) if enough else None)
        for name, value in values.items()
    }


def obtained_widths(found: Fit, at: tuple[float, float]) -> dict[str, float]:
    """Widths of a fit's own 95 % intervals, the forecast at `at` (params, tokens): what was expected of it beforehand."""
    drawn: dict[str, Any] = dict(zip(found.law.names, found.draws_BP.T, strict=True))
    ahead_B = found.predict_draws({"params": at[0], "tokens": at[1]})[:, 0]
    sums_B = np.maximum(drawn["alpha"] + drawn["beta"], 1e-12)
    clouds = {**{name: drawn[name] for name in ("E", "alpha", "beta")}, "exponent": drawn["beta"] / sums_B}
    return {
        name: float(np.ptp(np.quantile(cloud_B, (0.025, 0.975))))
        for name, cloud_B in (*clouds.items(), ("forecast", ahead_B))
    }


def _exponent(theta: Mapping[str, float]) -> float:
    return theta["beta"] / (theta["alpha"] + theta["beta"])
