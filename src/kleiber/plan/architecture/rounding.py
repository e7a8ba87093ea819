"""What serving in few bits adds to the loss, under every draw.

The one idea: rounding trained weights to P bits adds C D^gamma_D / N^gamma_N e^(-P/gamma) nats: more the longer a model of its
size was trained. At 8 bits that is next to nothing, at 4 it can turn a plan. The published level is open by a factor of three,
which is taken as its middle 80 %.

Source: Kumar et al. 2024, arXiv 2411.04330, equation 9 (`laws.precision.QUANTISATION`).

Legend: K rows, M shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import bytes_of
from kleiber.laws.precision import QUANTISATION
from kleiber.plan.architecture.spread import DECILE

Array = NDArray[np.float64]
TRAINED_BITS = 16
OPEN_BY = 3.0
SET = QUANTISATION.coefficients("kumar-2024")


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounding:
    """The penalty level_K tokens^by_tokens / params^by_params, in the unit of the loss."""

    level_K: Array
    by_tokens: float
    by_params: float
    bits: float

    def penalty(self, params_M: Array, tokens_KM: Array, rows: slice) -> Array:
        """Nats added (K, M)."""
        return self.level_K[rows, None] * tokens_KM**self.by_tokens / params_M**self.by_params

    @property
    def caveat(self) -> str:
        """What must be said where weights are rounded."""
        return (
            f"What {self.bits:g} bits cost in loss is taken from Kumar et al. 2024, fitted on 30M to 1.7B params and 3 to "
            "6 bits; its level is open by a factor of three."
        )


def rounding(precision: str, rows: int, unit: float, generator: np.random.Generator) -> Rounding | None:
    """The penalty of serving in `precision`; None where weights stay as trained. `unit` turns nats per token into the fit's unit.

    >>> found = rounding("fp4", 1, 1.0, np.random.default_rng(0))
    >>> float(found.penalty(np.array([5e10]), np.array([[2e12]]), slice(None)).round(4).item())
    0.0246
    """
    bits = 8 * bytes_of(precision)
    if bits >= TRAINED_BITS:
        return None
    noise = np.concatenate([[0.0], generator.standard_normal(rows - 1)])
    level = SET.values["C"] * exp(-bits / SET.values["gamma_post"]) * unit
    return Rounding(
        level_K=level * np.exp(noise * log(OPEN_BY) / DECILE),
        by_tokens=SET.values["gamma_D"],
        by_params=SET.values["gamma_N"],
        bits=bits,
    )
