"""The one regression of this room: right answers against scale, on log(-log) of the rate per token.

The way the data takes: counts and a design of columns -> Fisher scoring -> coefficients, their covariance, the deviance and how
much more than binomially the models scatter.

The one idea: exact match of L tokens is p^L, and a power law -log p = (x/c)^-a makes log(-log p) a straight line in log x.
So with
    accuracy = chance + (1 - chance) exp(-exp(eta)),  eta = log L + b0 + b1 log x + ...
the smooth law is a line, and whatever jumps in accuracy alone does not jump here. Models scatter about any law by more than
their test sets explain, so the scale of all errors is max(1, Pearson's chi-squared / degrees of freedom).

Sources: Schaeffer et al. 2023 (arXiv 2304.15004), section 2, for p^L; Hu et al. 2023 (arXiv 2310.03262), F(N) = log(-log PU), for
the line; McCullagh & Nelder 1989, Generalized Linear Models, for the regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kleiber.diagnose.emergence.scores import Array, Scores

STEPS, TOLERANCE = 60, 1e-10
EDGE = 1e-9
LARGEST_MOVE = 2.0


@dataclass(frozen=True, kw_only=True)
class Regression:
    """Coefficients (K,), their covariance before dispersion (K, K), the deviance, the dispersion and its degrees of freedom."""

    b_K: Array
    covariance_KK: Array
    deviance: float
    dispersion: float
    freedom: int
    weight_M: Array

    @property
    def error_K(self) -> Array:
        """Standard errors, dispersion included."""
        return np.sqrt(np.maximum(np.diag(self.covariance_KK), 0.0) * self.dispersion)


def regress(of: Scores, design_MK: Array) -> Regression:
    """Fisher scoring from the empirical rates; `design_MK` has a column of ones first."""
    offset_M = np.log(of.length_M)
    b_K = _start(of, design_MK, offset_M)
    before = np.inf
    for _ in range(STEPS):
        eta_M = np.clip(offset_M + design_MK @ b_K, -30, 6)
        mean_M, slope_M = _mean(eta_M, of.chance)
        weight_M = of.asked_M * slope_M**2 / (mean_M * (1 - mean_M))
        score_K = design_MK.T @ ((of.correct_M - of.asked_M * mean_M) * slope_M / (mean_M * (1 - mean_M)))
        information_KK = design_MK.T @ (weight_M[:, None] * design_MK)
        move_K = np.linalg.pinv(information_KK, hermitian=True) @ score_K
        size = float(np.abs(design_MK @ move_K).max())
        b_K = b_K + move_K * min(1.0, LARGEST_MOVE / size) if size > 0 else b_K
        now = deviance(of, _mean(np.clip(offset_M + design_MK @ b_K, -30, 6), of.chance)[0])
        if abs(before - now) <= TOLERANCE * (1 + abs(now)):
            break
        before = now
    return _finish(of, design_MK, offset_M, b_K)


def _start(of: Scores, design_MK: Array, offset_M: Array) -> Array:
    """Weighted least squares on the empirical log(-log), counts drawn in by half an answer."""
    share_M = (of.correct_M + 0.5) / (of.asked_M + 1.0)
    rate_M = np.clip((share_M - of.chance) / (1 - of.chance), 1e-4, 1 - 1e-4)
    eta_M = np.log(-np.log(rate_M)) - offset_M
    root_M = np.sqrt(of.asked_M * rate_M * (1 - rate_M))
    b_K = np.linalg.lstsq(design_MK * root_M[:, None], eta_M * root_M, rcond=None)[0]
    return np.asarray(b_K, dtype=np.float64)


def _finish(of: Scores, design_MK: Array, offset_M: Array, b_K: Array) -> Regression:
    mean_M, slope_M = _mean(np.clip(offset_M + design_MK @ b_K, -30, 6), of.chance)
    weight_M = of.asked_M * slope_M**2 / (mean_M * (1 - mean_M))
    covariance_KK = np.linalg.pinv(design_MK.T @ (weight_M[:, None] * design_MK), hermitian=True)
    freedom = max(of.x_M.size - design_MK.shape[1], 1)
    pearson = float(((of.correct_M - of.asked_M * mean_M) ** 2 / (of.asked_M * mean_M * (1 - mean_M))).sum())
    return Regression(
        b_K=b_K,
        covariance_KK=np.asarray(covariance_KK, dtype=float),
        deviance=deviance(of, mean_M),
        dispersion=max(1.0, pearson / freedom),
        freedom=freedom,
        weight_M=weight_M,
    )


def predict(of: Scores, design_MK: Array, b_K: Array) -> Array:
    """Expected accuracy of each model."""
    return _mean(np.clip(np.log(of.length_M) + design_MK @ b_K, -30, 6), of.chance)[0]


def _mean(eta_M: Array, chance: float) -> tuple[Array, Array]:
    """Expected accuracy and its slope in eta."""
    fall_M = np.exp(eta_M)
    rate_M = np.exp(-fall_M)
    mean_M = np.clip(chance + (1 - chance) * rate_M, EDGE, 1 - EDGE)
    return np.asarray(mean_M, dtype=np.float64), np.asarray(-(1 - chance) * fall_M * rate_M, dtype=np.float64)


def deviance(of: Scores, mean_M: Array) -> float:
    """Twice the log-likelihood lost against a model that knows every accuracy."""
    right, wrong = of.correct_M, of.asked_M - of.correct_M
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(right > 0, right * np.log(of.accuracy_M / mean_M), 0.0) + np.where(
            wrong > 0, wrong * np.log((1 - of.accuracy_M) / (1 - mean_M)), 0.0
        )
    return float(2 * parts.sum())
