"""Loss against the areas of a learning-rate schedule: one law for the trunk of a run and for its decay.

loss(s) = L0 + A S1(s)^-alpha - C S2(s), in which s counts steps,
S1(s) = sum over i <= s of lr_i                                   the area under the schedule,
S2(s) = sum over i <= s of m_i, m_i = lambda m_(i-1) + lr_(i-1) - lr_i    how far the rate has come down, and for how long,
both over the run's peak rate, so that they count steps. lambda = 0.999.

S2 is 0 on a trunk: its shape comes from the run itself, the worth C of its decay from runs that are finished.

Source: Tissue, Wang & Wang 2024, "Scaling Law with Learning Rate Annealing", arXiv:2408.11029, the abstract's equation. There
the areas are of the rate itself; over the peak, one C serves models whose rates differ by their width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]

LAMBDA = 0.999
ALPHAS = tuple(np.geomspace(0.1, 1.6, 25))


def areas(lr_S: Array, peak_lr: float) -> tuple[Array, Array]:
    """S1 and S2 after every step, in steps at the peak rate; the rise of the warm-up counts as no fall.

    >>> s1, s2 = areas(np.array([1.0, 1.0, 0.5, 0.0]), 1.0)
    >>> s1.tolist(), [round(float(x), 4) for x in s2]
    ([1.0, 2.0, 2.5, 2.5], [0.0, 0.0, 0.5, 1.4995])
    """
    rate_S = lr_S / peak_lr
    fall_S = np.maximum(-np.diff(rate_S, prepend=rate_S[0]), 0.0)
    momentum_S = lfilter([1.0], [1.0, -LAMBDA], fall_S)
    return np.cumsum(rate_S), np.cumsum(momentum_S)


@dataclass(frozen=True, kw_only=True)
class AnnealingCurve:
    """The law's four numbers for one run; the loss in nats per token."""

    floor: float
    level: float
    alpha: float
    worth: float

    def at(self, s1: Array | float, s2: Array | float) -> Array:
        """The loss where the areas are `s1` and `s2`."""
        return self.floor + self.level * np.asarray(s1, dtype=float) ** -self.alpha - self.worth * np.asarray(s2)
