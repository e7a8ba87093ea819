"""Frontier: the answer as a value, and its stable form as JSON.

One idea: the whole frontier is kept as columns, which are cheap; points that a person may ask about, evenly spread along it, are
kept in full, with a shape to build and the interval of their loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import Shape
from kleiber.plan.architecture.answer import shape_json
from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.frontier import axes as axis_words
from kleiber.plan.architecture.frontier.axes import Axis
from kleiber.plan.architecture.frontier.reading import Stretch
from kleiber.plan.result import Amount
from kleiber.plan.spoken import Spoken

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """A design on the frontier: a shape, how long it is trained, how it is served, and every axis that the brief gives a number.

    `place` is its place in the columns of the frontier; `params` are those a pass uses, as the law counts them."""

    place: int
    family: str
    option: str
    precision: str
    shape: Shape
    params: float
    total_params: float
    tokens: float
    loss: Amount
    axes: Mapping[str, float]
    devices: float
    batch: float
    knee: bool

    def to_json(self, level: float = 0.95) -> dict[str, Any]:
        """One entry of `points`."""
        return {
            "family": self.family,
            "option": self.option,
            "precision": self.precision,
            "shape": shape_json(self.shape),
            "tokens": self.tokens,
            "tokens_per_param": self.tokens / self.params,
            "replica": {"devices": self.devices, "batch": self.batch},
            "knee": self.knee,
            **self.axes,
            "loss": self.loss.to_json(level),
        }


@dataclass(frozen=True, kw_only=True)
class Lead:
    """By how much the family of a stretch is ahead of the next best at the same `x`, and in what part of the draws (None
    without draws)."""

    family: str
    rival: str
    x: float
    ahead: Amount
    probability: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """The frontier of two axes under a `level` of the third (None: there is none): the places of its points by ascending x.

    `own`: the frontier that each family would have alone, as (x, y); `behind`: how far, in y, the family lies above the slice,
    least and median over it, infinite where it has nothing so cheap."""

    level: float | None
    places: NDArray[np.intp]
    x: Array
    y: Array
    knee: int | None
    stretches: tuple[Stretch, ...]
    leads: tuple[Lead, ...]
    own: Mapping[str, tuple[Array, Array]]
    behind: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frontier(Spoken):
    """Every design that no other beats in all `axes`.

    `columns` hold the axes and the tokens of all of them, `families` whose they are, `points` a selection in full; `others` are
    designs that are beaten, a sample for drawing. `ceiling`: FLOPs of training beyond which nothing was looked at, where the
    brief bounds nothing.
    """

    spoken_in: ClassVar[str] = "kleiber.plan.architecture.frontier.words"
    tabled: ClassVar[bool] = True

    brief: Brief
    axes: tuple[Axis, ...]
    x: Axis
    y: Axis
    third: Axis | None
    columns: Mapping[str, Array]
    families: tuple[str, ...]
    slices: tuple[Slice, ...]
    points: tuple[Point, ...]
    others: Mapping[str, Array]
    considered: int
    ceiling: float | None
    level: float
    loss_unit: str
    extrapolation_decades: float | None
    caveats: tuple[str, ...]
    provenance: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.families)

    def unit(self, axis: Axis) -> str:
        """The unit of one of its axes."""
        return axis_words.unit(axis, self.brief, self.loss_unit)

    def say(self, axis: Axis, value: float) -> str:
        """A value of one of its axes in words."""
        return axis_words.say(axis, value, self.brief)

    def to_json(self) -> dict[str, Any]:
        """The frontier as `kleiber/frontier/1`."""
        return {
            "schema": "kleiber/frontier/1",
            "axes": [
                {"name": axis.name, "unit": self.unit(axis), "better": "larger" if axis.larger else "smaller"}
                for axis in self.axes
            ],
            "size": len(self),
            "considered": self.considered,
            "ceiling_flops": self.ceiling,
            "points": [point.to_json(self.level) for point in self.points],
            "slices": [self._slice(each) for each in self.slices],
            "families": self._families(),
            "extrapolation_decades": self.extrapolation_decades,
            "level": self.level,
            "loss_unit": self.loss_unit,
            "brief": self.brief.to_json(),
            "caveats": list(self.caveats),
            "sentences": list(self.sentences()),
            "fit": dict(self.provenance),
        }

    def _slice(self, each: Slice) -> dict[str, Any]:
        return {
            "x": self.x.name,
            "y": self.y.name,
            "level": None if self.third is None else {"axis": self.third.name, "value": each.level},
            "size": len(each.places),
            "knee": None if each.knee is None else {self.x.name: self.columns[self.x.name][each.knee],
                                                    self.y.name: self.columns[self.y.name][each.knee]},
            "stretches": [vars(part) for part in each.stretches],
            "leads": [vars(lead) | {"ahead": lead.ahead.to_json(self.level)} for lead in each.leads],
            "behind": {name: {"least": _finite(least), "median": _finite(median)}
                       for name, (least, median) in each.behind.items()},
        }  # fmt: skip

    def _families(self) -> list[dict[str, Any]]:
        """Each family of the brief: how many points of the frontier are its own, and from where to where."""
        owner = np.array(self.families)
        found = []
        for family in self.brief.families:
            x = self.columns[self.x.name][owner == family]
            ends = {"from": float(x.min()), "to": float(x.max())} if x.size else {"from": None, "to": None}
            found.append({"family": family, "points": int(x.size), **ends})
        return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def spread(count: int, most: int) -> NDArray[np.intp]:
    """At most `most` of `count` places, evenly spread, with both ends.

    >>> spread(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def along(x: Array, most: int) -> NDArray[np.intp]:
    """At most `most` places of ascending `x`, evenly spread in ln x, with both ends.

    >>> along(np.array([1.0, 1.1, 1.2, 10.0, 100.0]), 3).tolist()
    [0, 3, 4]
    """
    if len(x) <= most:
        return np.arange(len(x))
    logs = np.log(x)
    wanted = np.linspace(logs[0], logs[-1], most)
    return np.unique([int(np.abs(logs - each).argmin()) for each in wanted])


def ends(values: Sequence[float] | Array) -> tuple[float, float]:
    """Least and largest."""
    return float(np.min(values)), float(np.max(values))
