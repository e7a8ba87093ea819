"""A frontier as curves of one axis over another: one curve, or one for every level of the third axis.

The way the data takes: axes -> which is drawn along, which up, which cuts -> levels of the third -> under each, the frontier of
the other two -> knee, stretches of families, leads. The one idea: whoever looks at three axes asks "under 20 ms per token, what
does quality cost?", so the third axis is a limit, and each of its levels has a frontier of two axes.

Legend: K rows (the point estimate, then draws), F points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.frontier.answer import Lead, Slice
from kleiber.plan.architecture.frontier.axes import Axis
from kleiber.plan.architecture.frontier.points import Points, joined
from kleiber.plan.architecture.frontier.reading import Stretch, behind, knee, stretches
from kleiber.plan.architecture.frontier.sieve import unbeaten
from kleiber.plan.result import amount

Array = NDArray[np.float64]
Curve = tuple[Array, Sequence[str]]
LEVELS = 5


def roles(axes: Sequence[Axis]) -> tuple[Axis, Axis, Axis | None]:
    """(along, up, cutting): the loss goes up, or the first axis that is no context; a context cuts, else the last axis."""
    up = next((axis for axis in axes if axis.name == "loss"), None) or next(
        axis for axis in axes if axis.name != "context"
    )
    rest = [axis for axis in axes if axis is not up]
    if len(rest) == 1:
        return rest[0], up, None
    cutting = next((axis for axis in rest if axis.name == "context"), rest[-1])
    along = next(axis for axis in rest if axis is not cutting)
    return along, up, cutting


def levels(axis: Axis, values_F: Array) -> list[float]:
    """Where the third axis is cut: at every context there is, else at round numbers up to its largest.

    >>> levels(Axis(name="tpot_ms", title="", unit="ms"), np.array([2.3, 40.0, 95.0]))
    [5.0, 20.0, 50.0, 100.0]
    """
    if axis.name == "context":
        return np.unique(values_F).tolist()
    low, high = values_F.min(), values_F.max()
    wanted = np.geomspace(low, high, LEVELS + 1)[1:] if high > low else np.array([high])
    return sorted({_rounded_up(float(value)) for value in wanted})


def _rounded_up(value: float) -> float:
    """The next of 1, 2, 5, 10, ..."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(f"{next(digit * power for digit in (1, 2, 5, 10) if digit * power >= value * (1 - 1e-9)):.12g}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Reader:
    """Reads a frontier: `own` are the frontiers that the families would have alone, `losses` gives points their draws."""

    x: Axis
    y: Axis
    third: Axis | None
    axes: tuple[Axis, ...]
    own: Mapping[str, Points]
    losses: Callable[[Points], Array]
    level: float

    def slices(self, front: Points, families: tuple[str, ...]) -> tuple[Slice, ...]:
        """The curves of a frontier whose points belong to `families`."""
        if self.third is None:
            return (self._slice(front, families, None),)
        return tuple(
            self._slice(front, families, level) for level in levels(self.third, self._column(front, self.third))
        )

    def _slice(self, front: Points, families: tuple[str, ...], level: float | None) -> Slice:
        places_F = self._curve(front, level)
        curve = front.take(places_F)
        x_F, y_F = self._column(curve, self.x), self._column(curve, self.y)
        owner = [families[place] for place in places_F]
        own = {family: mine.take(self._curve(mine, level)) for family, mine in self.own.items()}
        own = {family: mine for family, mine in own.items() if len(mine)}
        paths = {family: (self._column(mine, self.x), self._column(mine, self.y)) for family, mine in own.items()}
        parts = stretches(x_F, owner) if not self.x.larger else ()
        at = knee(x_F, y_F) if not (self.x.larger or self.y.larger) else None
        return Slice(
            level=level,
            places=places_F,
            x=x_F,
            y=y_F,
            knee=None if at is None else int(places_F[at]),
            stretches=parts,
            leads=tuple(lead for part in parts if (lead := self._lead(part, own, paths, (x_F, owner))) is not None),
            own=paths,
            behind={family: _gap(behind(x_F, y_F, *path)) for family, path in paths.items()},
        )

    def _curve(self, some: Points, level: float | None) -> NDArray[np.intp]:
        """Places of the frontier of x and y among the points within a level, by ascending x."""
        inside = np.arange(len(some))
        if self.third is not None and level is not None:
            inside = np.flatnonzero(self._column(some, self.third) * self.third.sign <= level * self.third.sign)
        two = np.stack([self._column(some, axis)[inside] * axis.sign for axis in (self.x, self.y)], axis=1)
        kept = inside[unbeaten(two)]
        return kept[np.argsort(self._column(some, self.x)[kept], kind="stable")]

    def _column(self, some: Points, axis: Axis) -> Array:
        return some.axes_NA[:, self.axes.index(axis)]

    def _lead(
        self, part: Stretch, own: Mapping[str, Points], paths: Mapping[str, tuple[Array, Array]], curve: Curve
    ) -> Lead | None:
        """The family of a stretch against the next best, at its point nearest to the middle of it."""
        if self.y.name != "loss" or len(own) < 2:
            return None
        x_F, owner = curve
        held = x_F[(np.array(owner) == part.family) & (x_F >= part.low * (1 - 1e-9)) & (x_F <= part.high * (1 + 1e-9))]
        x = float(held[np.abs(np.log(held) - (np.log(part.low) + np.log(part.high)) / 2).argmin()])
        there = {family: int(np.searchsorted(path[0], x, side="right")) - 1 for family, path in paths.items()}
        rivals = [family for family, place in there.items() if place >= 0 and family != part.family]
        if not rivals:
            return None
        rival = min(rivals, key=lambda family: paths[family][1][there[family]])
        both = joined([own[family].take(np.array([there[family]])) for family in (part.family, rival)])
        loss_K2 = self.losses(both)
        ahead_K = loss_K2[:, 1] - loss_K2[:, 0]
        return Lead(
            family=part.family,
            rival=rival,
            x=x,
            ahead=amount(float(ahead_K[0]), ahead_K[1:], self.level),
            probability=float(np.mean(ahead_K[1:] > 0)) if len(ahead_K) > 2 else None,
        )


def _gap(behind_F: Array) -> tuple[float, float]:
    return float(behind_F.min()), float(np.median(behind_F))
