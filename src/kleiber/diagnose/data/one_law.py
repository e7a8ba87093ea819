"""Chinchilla's law for two texts at once, of whose five parameters some may differ: least squares on log loss, many at a time.

The one idea: with E = exp(e) and so on, the log of each of the law's three parts is linear in its parameters, whichever of them
differ: e + s d_E; a - alpha n - s d_alpha n; b - beta t - s d_beta t, where s is 1 for spoilt text. So a law is three matrices.

Formula: loss = exp(e) + exp(a) / N^alpha + exp(b) / D^beta (Hoffmann et al. 2022, eq. 2).
Shapes: R runs, P parameters, B sets of losses of the same runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PARTS = ("E", "A", "B", "alpha", "beta")
STARTS = tuple((alpha, beta, floor) for alpha in (0.2, 0.5) for beta in (0.2, 0.5, 0.8) for floor in (0.3, 0.8))
STEPS, AGAIN, DAMPING, REACH = 60, 25, 1e-3, 2.0
SURE = 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class OneLaw:
    """The parts of the law as matrices `(3, R, P)` over (e, a, b, alpha, beta, and how much each of `differs` differs)."""

    differs: tuple[str, ...]
    design_3RP: Array

    def fit(self, log_loss_BR: Array, start_BP: Array, *, steps: int = AGAIN) -> tuple[Array, Array]:
        """Parameters `(B, P)` and sums of squares `(B,)` of least squares from `start_BP`, all sets side by side (Levenberg)."""
        theta_BP = np.array(np.broadcast_to(start_BP, (len(log_loss_BR), self.design_3RP.shape[2])))
        left_BR, jacobian_BRP = self._residuals(theta_BP, log_loss_BR)
        total_B, damping_B = (left_BR**2).sum(axis=1), np.full(len(theta_BP), DAMPING)
        for _ in range(steps):
            curve_BPP = np.swapaxes(jacobian_BRP, 1, 2) @ jacobian_BRP
            slope_BP = (left_BR[:, None, :] @ jacobian_BRP)[:, 0]
            scale_BP = np.maximum(np.diagonal(curve_BPP, axis1=1, axis2=2), 1e-12)
            damped_BPP = curve_BPP + (damping_B[:, None] * scale_BP)[:, :, None] * np.eye(theta_BP.shape[1])
            step_BP = np.clip(np.linalg.solve(damped_BPP, slope_BP[..., None])[..., 0], -REACH, REACH)
            new_BR, new_BRP = self._residuals(theta_BP + step_BP, log_loss_BR)
            new_B = (new_BR**2).sum(axis=1)
            better_B = new_B < total_B
            gained_B = np.where(better_B, total_B - new_B, 0.0)
            theta_BP[better_B] += step_BP[better_B]
            left_BR[better_B], jacobian_BRP[better_B] = new_BR[better_B], new_BRP[better_B]
            total_B = np.where(better_B, new_B, total_B)
            done_B = np.where(better_B, gained_B <= SURE * total_B, damping_B > 1e6)
            damping_B = np.clip(np.where(better_B, damping_B / 5, damping_B * 5), 1e-9, 1e8)
            if done_B.all():
                break
        return theta_BP, total_B

    def log_loss(self, theta_BP: Array) -> Array:
        """What the law says, `(B, R)`."""
        return np.log(self._parts(theta_BP).sum(axis=0))

    def _parts(self, theta_BP: Array) -> Array:
        return np.exp(np.clip(np.einsum("krp,bp->kbr", self.design_3RP, theta_BP, optimize=True), -50, 50))

    def _residuals(self, theta_BP: Array, log_loss_BR: Array) -> tuple[Array, Array]:
        part_3BR = self._parts(theta_BP)
        whole_BR = part_3BR.sum(axis=0)
        share_3BR = part_3BR / whole_BR
        jacobian_BRP = sum(share_3BR[part][:, :, None] * self.design_3RP[part] for part in range(3))
        return log_loss_BR - np.log(whole_BR), np.asarray(jacobian_BRP)


def one_law(params_R: Array, tokens_R: Array, spoilt_R: NDArray[np.bool_], differs: tuple[str, ...]) -> OneLaw:
    """The law in which the parameters `differs` are not those of clean text where `spoilt_R`.

    a and b are the logs of both terms at the runs' middle, which changes nothing and keeps them apart from the exponents; a
    difference of A or alpha is one at N = 1, as the law is written.
    """
    n_R, t_R, s_R = np.log(params_R), np.log(tokens_R), spoilt_R.astype(np.float64)
    design = np.zeros((3, n_R.size, len(PARTS) + len(differs)))
    design[0, :, 0] = design[1, :, 1] = design[2, :, 2] = 1.0
    design[1, :, 3], design[2, :, 4] = n_R.mean() - n_R, t_R.mean() - t_R
    of = {"E": (0, s_R), "A": (1, s_R), "B": (2, s_R), "alpha": (1, -s_R * n_R), "beta": (2, -s_R * t_R)}
    for place, name in enumerate(differs):
        part, column_R = of[name]
        design[part, :, len(PARTS) + place] = column_R
    return OneLaw(differs=differs, design_3RP=design)


def best_fit(law: OneLaw, log_loss_R: Array) -> tuple[Array, float]:
    """The parameters `(P,)` and sum of squares of one set of losses, the best from a dozen starts.

    >>> params, tokens = (side.ravel() for side in np.meshgrid([1e4, 1e5, 1e6], [1e7, 1e8, 1e9]))
    >>> law = one_law(params, tokens, np.zeros(9, bool), ())
    >>> theta, left = best_fit(law, np.log(1.5 + 20 / params**0.4 + 600 / tokens**0.5))
    >>> [round(float(each), 3) for each in (np.exp(theta[0]), theta[3], theta[4])], left < 1e-12
    ([1.5, 0.4, 0.5], True)
    """
    lowest = float(np.exp(log_loss_R.min()))
    start_SP = np.zeros((len(STARTS), law.design_3RP.shape[2]))
    for row, (alpha, beta, floor) in enumerate(STARTS):
        rest = np.log(0.5 * max(float(np.exp(log_loss_R.mean())) - floor * lowest, 0.05 * lowest))
        start_SP[row, : len(PARTS)] = np.log(floor * lowest), rest, rest, alpha, beta
    theta_SP, left_S = law.fit(np.tile(log_loss_R, (len(STARTS), 1)), start_SP, steps=STEPS)
    best = int(np.argmin(left_S))
    return theta_SP[best], float(left_S[best])
