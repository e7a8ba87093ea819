"""Reading a frontier: where it bends, which family holds which stretch of it, and how far behind the others are.

The way the data takes: points of a frontier in the order of what they cost -> knee, stretches, gaps.
The one idea: a frontier is read in logarithms of both axes, because what people compare are factors of cost, and a power law
without a floor is straight there: where it bends, something begins to run out.

Legend: F points of a frontier, by ascending x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
REACH = 0.1  # of the range, to both sides of a point whose bend is measured
BENDS, GRID = 0.5, 201  # curvature, of the unit square, below which a frontier counts as straight
SHORT = 0.05  # of the range: a family that holds no more than this has no stretch of its own
FEWEST = 5


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of a frontier, from `low` to `high` in x, and the family that holds most of it."""

    family: str
    low: float
    high: float


def knee(x_F: Array, y_F: Array) -> int | None:
    """The point at which a falling frontier bends most; None where it is straight, too short, or not positive.

    ln x and ln y are scaled to the unit square; the bend at a point is 1 / radius of the circle through it and the frontier a
    tenth of the range to its left and right, counted where it bends towards less and less of y for more x.

    >>> x = np.geomspace(1, 1e6, 400)
    >>> float(f"{x[knee(x, 1.0 + 100.0 / x)]:.1g}")
    500.0
    >>> knee(x, 100.0 / x) is None
    True
    """
    if len(x_F) < FEWEST or not (x_F > 0).all() or not (y_F > 0).all():
        return None
    x_F, y_F = _unit(np.log(x_F)), _unit(np.log(y_F))
    at_G = np.linspace(REACH, 1 - REACH, GRID)
    bend_G = bends(at_G, x_F, y_F)
    most = int(bend_G.argmax())
    return int(np.abs(x_F - at_G[most]).argmin()) if bend_G[most] > BENDS else None


def bends(at_G: Array, x_F: Array, y_F: Array) -> Array:
    """1 / radius of the circle through the curve at `at_G` and `REACH` to both sides: 4 area / product of the sides."""
    left, middle, right = (
        np.stack([where, np.interp(where, x_F, y_F)]) for where in (at_G - REACH, at_G, at_G + REACH)
    )
    a, b = middle - left, right - middle
    twice_area = a[0] * b[1] - a[1] * b[0]
    sides = np.hypot(*a) * np.hypot(*b) * np.hypot(*(right - left))
    return 2 * twice_area / sides


def _unit(values_F: Array) -> Array:
    low, high = values_F.min(), values_F.max()
    return (values_F - low) / (high - low) if high > low else np.zeros_like(values_F)


def stretches(x_F: Array, families: Sequence[str]) -> tuple[Stretch, ...]:
    """The frontier cut where another family takes over; what is shorter than a twentieth of the range, in ln x, joins its
    neighbour.

    >>> found = stretches(np.array([1.0, 10.0, 11.0, 100.0, 1000.0]), ["ssm", "dense", "ssm", "dense", "dense"])
    >>> [(part.family, round(part.low), round(part.high)) for part in found]
    [('ssm', 1, 100), ('dense', 100, 1000)]
    """
    ends = [*np.log(x_F).tolist(), float(np.log(x_F[-1]))]  # each point holds the frontier until the next
    parts = [
        Held(shares={family: ends[last + 1] - ends[first]}, low=ends[first], high=ends[last + 1])
        for family, first, last in _runs(families)
    ]
    least = SHORT * (ends[-1] - ends[0])
    while len(parts) > 1:
        shortest = min(range(len(parts)), key=lambda place: parts[place].length)
        if parts[shortest].length >= least:
            break
        parts = _without(parts, shortest)
    return tuple(
        Stretch(family=part.family, low=float(np.exp(part.low)), high=float(np.exp(part.high))) for part in parts
    )


@dataclass(frozen=True, kw_only=True)
class Held:
    """A part of ln x, with how much of it each family holds."""

    shares: Mapping[str, float]
    low: float
    high: float

    @property
    def length(self) -> float:
        """In ln x."""
        return self.high - self.low

    @property
    def family(self) -> str:
        """Who holds most of it."""
        return max(self.shares, key=lambda family: self.shares[family])

    def joined(self, other: Held) -> Held:
        """The two as one."""
        shares = {
            name: self.shares.get(name, 0.0) + other.shares.get(name, 0.0) for name in (*self.shares, *other.shares)
        }
        return Held(shares=shares, low=min(self.low, other.low), high=max(self.high, other.high))


def _runs(families: Sequence[str]) -> list[tuple[str, int, int]]:
    """(family, first place, last place) of every run of equal families."""
    grouped = [
        (family, [place for place, _ in run]) for family, run in groupby(enumerate(families), lambda each: each[1])
    ]
    return [(family, places[0], places[-1]) for family, places in grouped]


def _without(parts: list[Held], place: int) -> list[Held]:
    """A part joined to its longer neighbour, and neighbours that the same family holds made one."""
    sides = [side for side in (place - 1, place + 1) if 0 <= side < len(parts)]
    into = max(sides, key=lambda side: parts[side].length)
    first = min(place, into)
    merged = [*parts[:first], parts[place].joined(parts[into]), *parts[first + 2 :]]
    found = merged[:1]
    for part in merged[1:]:
        if part.family == found[-1].family:
            found[-1] = found[-1].joined(part)
        else:
            found.append(part)
    return found


def behind(x_F: Array, y_F: Array, own_x: Array, own_y: Array) -> Array:
    """How far, in y, a family's own frontier lies above the whole at every x; infinite where it has nothing so cheap.

    >>> behind(np.array([1.0, 2.0, 4.0]), np.array([3.0, 2.0, 1.0]), np.array([2.0, 4.0]), np.array([2.5, 1.0]))
    array([inf, 0.5, 0. ])
    """
    place_F = np.searchsorted(own_x, x_F * (1 + 1e-12), side="right") - 1
    return np.where(place_F >= 0, own_y[np.maximum(place_F, 0)], np.inf) - y_F
