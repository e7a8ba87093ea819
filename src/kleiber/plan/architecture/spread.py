"""A quantity that is known only within limits: a price, a demand.

One idea: "1T..4T" is read as the middle 80 % of a log-normal, since such quantities are guessed in factors; a plain number is
certain. Draws of it go through the plan beside the draws of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log, sqrt

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.quantity import read, show

DECILE = 1.2815515655446004  # of the normal distribution
SEPARATOR = ".."


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A log-normal quantity by its middle 80 %, `low` to `high`; certain where they are equal.

    >>> round(Spread.of("1T..4T", "serve_tokens").median / 1e12, 3)
    2.0
    """

    low: float
    high: float

    @classmethod
    def of(cls, value: float | str | Spread, name: str, *, zero: bool = False) -> Spread:
        """Read `1T`, `1T..4T` or a number; raises `InputError` naming `name` where that is no positive quantity."""
        if isinstance(value, Spread):
            return value
        ends = value.split(SEPARATOR) if isinstance(value, str) else [value]
        numbers = [read(end) for end in ends]
        good = 1 <= len(numbers) <= 2 and all(isfinite(number) and number > 0 for number in numbers)
        if not (good and numbers[0] <= numbers[-1]) and not (zero and numbers == [0.0]):
            raise InputError(f"{name} must be a positive quantity", found=value, expected="such as 2T, or 1T..4T")
        return cls(low=numbers[0], high=numbers[-1])

    @property
    def median(self) -> float:
        """The middle: the geometric mean of the ends."""
        return sqrt(self.low * self.high)

    @property
    def certain(self) -> bool:
        """Whether there is nothing to draw."""
        return self.low == self.high

    def rows(self, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """The median, then `count - 1` draws: (count,)."""
        if self.certain:
            return np.full(count, self.low)
        deviation = log(self.high / self.low) / (2 * DECILE)
        noise = np.concatenate([[0.0], generator.standard_normal(count - 1)])
        return self.median * np.exp(deviation * noise)

    def __str__(self) -> str:
        return show(self.low) if self.certain else f"{show(self.low)} to {show(self.high)}"
