"""What every shape of an option costs, exactly, without building every shape.

The way the data takes: option + count (params, FLOPs, bytes of a shape) -> six shapes built -> a polynomial -> the count for
all widths and depths at once.
The one idea: at fixed ratios every count is (a0 + a1 width + a2 width^2) + depth (b0 + b1 width + b2 width^2): tables and norms
stand outside the blocks, matrices go by the square of the width, heads, scores and caches by the width. Six shapes therefore
determine the count of all, exactly; and since no coefficient is negative, it is a posynomial that a geometric program takes as
it stands.

Legend: M shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.cost.families import Option
from kleiber.cost.shape import Shape

Array = NDArray[np.float64]
POWERS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """A count as `outside[i] width^i + depth inside[i] width^i`, i = 0, 1, 2.

    >>> Polynomial(outside=(1.0, 2.0, 0.0), inside=(0.0, 0.0, 3.0)).at(10, 2)
    array(621.)
    """

    outside: tuple[float, float, float]
    inside: tuple[float, float, float]

    def at(self, width: ArrayLike, depth: ArrayLike) -> Array:
        """The count at widths and depths, each broadcastable."""
        width, depth = np.asarray(width, dtype=float), np.asarray(depth, dtype=float)
        powers = (np.ones_like(width), width, width * width)
        outside = sum(factor * power for factor, power in zip(self.outside, powers, strict=True))
        return np.asarray(outside + depth * sum(f * p for f, p in zip(self.inside, powers, strict=True)))

    def terms(self) -> list[tuple[float, int, int]]:
        """(coefficient, power of width, power of depth) of every term that is there."""
        found = [(factor, power, 0) for power, factor in enumerate(self.outside)]
        found += [(factor, power, 1) for power, factor in enumerate(self.inside)]
        return [term for term in found if term[0]]


def polynomial(option: Option, count: Callable[[Shape], float]) -> Polynomial:
    """`count` of every shape of `option`, found from six of them.

    >>> from kleiber.cost.families import options
    >>> from kleiber.cost.params import params
    >>> option = options(("dense",), vocabulary=128256)[-1]
    >>> found = polynomial(option, lambda shape: params(shape).total)
    >>> int(found.at(8192, 80)) == params(option.build(8192, 80)).total
    True
    """
    ends = option.widths[0], option.widths[len(option.widths) // 2], option.widths[-1]
    shallow, deep = option.depth_step, 2 * option.depth_step
    low = [Fraction(count(option.build(width, shallow))) for width in ends]
    high = [Fraction(count(option.build(width, deep))) for width in ends]
    inside = [(more - less) / option.depth_step for less, more in zip(low, high, strict=True)]
    outside = [less - shallow * each for less, each in zip(low, inside, strict=True)]
    return Polynomial(outside=_quadratic(ends, outside), inside=_quadratic(ends, inside))


def _quadratic(x: tuple[int, ...], y: list[Fraction]) -> tuple[float, float, float]:
    """The coefficients of the parabola through three points, exactly."""
    slope = (y[1] - y[0]) / (x[1] - x[0])
    bend = ((y[2] - y[0]) / (x[2] - x[0]) - slope) / (x[2] - x[1])
    linear = slope - bend * (x[0] + x[1])
    constant = y[0] - linear * x[0] - bend * x[0] ** 2
    assert min(constant, linear, bend) >= 0, "a count of this option is no posynomial of its width and depth"
    return float(constant), float(linear), float(bend)


def buildable(option: Option) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Widths (M,) and depths (M,) of all shapes of `option`."""
    pairs = [(width, depth) for width in option.widths for depth in option.depths(width)]
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]
