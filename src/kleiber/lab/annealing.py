"""Loss against the areas of a learning-rate schedule: one law for the trunk of a run and for its decay.

loss(s) = L0 + A S1(s)^-alpha - C S2(s), in which s counts steps,
S1(s) = sum over i <= s of lr_i                                         the area under the schedule,
S2(s) = sum over i <= s of m_i, m_i = memory m_(i-1) + lr_(i-1) - lr_i    how far the rate has come down, and for how long,
both over the run's peak rate, so that they count steps.

S2 is 0 on a trunk: its shape comes from the run itself, the worth C of its decay from runs that are finished. The memory says
how long a decay goes on paying: with none the loss falls as the rate does, with 0.999 a decay of a thousand steps is worth more
than one of a hundred.

Source: Tissue, Wang & Wang 2024, "Scaling Law with Learning Rate Annealing", arXiv:2408.11029, the abstract's equation. There
the memory is a constant near 0.999 and the areas are of the rate itself; over the peak, one C serves models whose rates differ by
their width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]

MEMORIES = (0.0, 0.9, 0.97, 0.99, 0.997, 0.999)
ALPHAS = tuple(float(alpha) for alpha in np.geomspace(0.1, 1.6, 9))


def areas(lr_S: Array, peak_lr: float, memories: tuple[float, ...] = MEMORIES) -> tuple[Array, Array]:
    """S1 (S,) and S2 (M, S) after every step, for M memories, in steps at the peak rate; a warm-up's rise is no fall.

    >>> s1, s2 = areas(np.array([1.0, 1.0, 0.5, 0.0]), 1.0, (0.0, 0.999))
    >>> s1.tolist(), s2[0].tolist(), [round(float(x), 4) for x in s2[1]]
    ([1.0, 2.0, 2.5, 2.5], [0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 0.5, 1.4995])
    """
    rate_S = lr_S / peak_lr
    fall_S = np.maximum(-np.diff(rate_S, prepend=rate_S[0]), 0.0)
    momentum_MS = np.stack([lfilter([1.0], [1.0, -memory], fall_S) for memory in memories])
    return np.cumsum(rate_S), np.cumsum(momentum_MS, axis=1)


@dataclass(frozen=True, kw_only=True)
class Habit:
    """What runs of one kind share: the shape of their trunks and what a decay is worth to them, at one memory."""

    alpha: float
    memory: int
    worth: float


@dataclass(frozen=True, kw_only=True)
class AnnealingCurve:
    """The law of one run: its floor L0 and level A, in nats per token, and the habit of its kind."""

    floor: float
    level: float
    habit: Habit

    def at(self, s1: float, s2_M: Array) -> float:
        """The loss where the areas are `s1` and `s2_M`."""
        return float(self.floor + self.level * s1**-self.habit.alpha - self.habit.worth * s2_M[self.habit.memory])
