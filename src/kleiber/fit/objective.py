"""What a fit minimises: a sum over runs of a loss of the residual.

One idea: an objective is a residual (on the log of the loss, or on the loss itself) and a Huber threshold `delta`;
squares are delta = infinity, absolute deviations the limit delta -> 0. It is always the *sum* over runs, never the mean,
and no tolerance refers to its absolute size, so that rescaling it changes nothing.

Source: Hoffmann et al. (2022), section D.2 (Huber 1e-3 on log loss); Besiroglu et al. (2024), appendix, on the mean's trap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, did_you_mean

Array = NDArray[np.float64]
ObjectiveName = Literal["huber_log", "squared_log", "squared", "absolute"]
NAMES: tuple[ObjectiveName, ...] = ("huber_log", "squared_log", "squared", "absolute")
# |z| is minimised as a Huber loss whose threshold is far below any reading error; its kink has no Newton step.
ABSOLUTE_DELTA = 1e-6


@dataclass(frozen=True, kw_only=True)
class Objective:
    """sum_r w_r rho(z_r) with rho(z) = z^2/2 for |z| <= delta, else delta (|z| - delta/2).

    `huber_log` and `squared_log` take z = log(predicted) - log(observed); `squared` and `absolute` take the difference.
    `delta` is in units of z and used by `huber_log` only. Raises `InputError` on an unknown name or a delta that is no
    positive number.

    >>> Objective().delta, Objective(name="squared").threshold(3.0)
    (0.001, inf)
    """

    name: ObjectiveName = "huber_log"
    delta: float = 1e-3

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise InputError(f"no objective {self.name!r}", remedy=did_you_mean(self.name, NAMES))
        if not (np.isfinite(self.delta) and self.delta > 0):
            raise InputError("delta must be a positive number", found=self.delta)

    @property
    def on_log(self) -> bool:
        """Whether residuals are differences of logarithms."""
        return self.name in ("huber_log", "squared_log")

    def threshold(self, typical: float) -> float:
        """The Huber threshold in units of the residual, where `typical` is the size of an observation."""
        match self.name:
            case "huber_log":
                return self.delta
            case "absolute":
                return ABSOLUTE_DELTA * typical
            case _:
                return float("inf")

    def residual(self, predicted: Array, observed: Array) -> Array:
        """z, in logs or in the target's unit."""
        if self.on_log:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.log(predicted) - np.log(observed)
        return predicted - observed

    def value(self, predicted: Array, observed: Array, weights: Array | float = 1.0) -> Array:
        """The summed objective over the last axis."""
        delta = self.threshold(float(np.median(observed)))
        size = np.abs(self.residual(predicted, observed))
        with np.errstate(invalid="ignore"):
            rho = np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta) if np.isfinite(delta) else 0.0)
        return np.sum(weights * rho, axis=-1)
