"""What is kept of the designs found: all axes of the front, some of its points in full, a sample of what is beaten.

One idea: the draws are asked about the points that are kept in full, and about no other.

Legend: K rows (the point estimate, then draws), F points of the front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import params as count_params
from kleiber.laws.parameter import badge
from kleiber.plan.architecture.frontier.answer import Point, Slice, along
from kleiber.plan.architecture.frontier.axes import AXES, Axis, known
from kleiber.plan.architecture.frontier.designs import Designs
from kleiber.plan.architecture.frontier.points import Points, Source
from kleiber.plan.result import amount

Array = NDArray[np.float64]
LISTED = 240  # points kept in full
DRAWN = 900  # beaten points kept for drawing
BLOCK = 2_000_000  # cells of (K, F) at a time


def columns(sources: Sequence[Source], some: Points) -> dict[str, Array]:
    """Every axis, and the tokens, of points of several sources."""
    found = {name: np.full(len(some), np.nan) for name in AXES}
    for place in np.unique(some.source_N):
        here = np.flatnonzero(some.source_N == place)
        part = some.take(here)
        for name, column in found.items():
            column[here] = sources[place].at(name, part.row_N, part.tokens_N, part.loss_N)
    return found | {"tokens": some.tokens_N}


def losses(sources: Sequence[Source], some: Points) -> Array:
    """The loss (K, F) of points under every draw."""
    rows = sources[0].quality.rows
    found = np.empty((rows, len(some)))
    size = max(1, BLOCK // rows)
    for place in np.unique(some.source_N):
        here = np.flatnonzero(some.source_N == place)
        for begin in range(0, len(here), size):
            part = here[begin : begin + size]
            params_F = sources[place].shapes["params"][some.row_N[part]]
            found[:, part] = sources[place].quality.loss(params_F, some.tokens_N[None, part])
    return found


def listed(found: Designs, slices: Sequence[Slice], values: Mapping[str, Array], level: float) -> tuple[Point, ...]:
    """Points in full, evenly spread along every slice, with all knees."""
    each = max(2, LISTED // len(slices))
    knees = {part.knee for part in slices if part.knee is not None}
    chosen = {int(place) for part in slices for place in part.places[along(part.x, each)]} | knees
    places = np.array(sorted(chosen))
    some = found.front.take(places)
    loss_KF = losses(found.sources, some)
    return tuple(
        _point(found.sources[some.source_N[index]], some, index, int(place), loss_KF[:, index], values, level, knees)
        for index, place in enumerate(places)
    )


def _point(
    origin: Source,
    some: Points,
    index: int,
    place: int,
    loss_K: Array,
    values: Mapping[str, Array],
    level: float,
    knees: set[int],
) -> Point:
    row = int(some.row_N[index])
    shape = origin.shapes.build(row)
    return Point(
        place=place,
        family=origin.family,
        option=origin.shapes.option.name,
        precision=origin.brief.precision,
        shape=replace(shape, name=f"{shape.family}-{shape.width}x{shape.depth}"),
        params=float(origin.shapes["params"][row]),
        total_params=float(count_params(shape).total),
        tokens=float(some.tokens_N[index]),
        loss=amount(float(loss_K[0]), loss_K[1:], level),
        axes={name: float(values[name][place]) for name, axis in AXES.items() if known(axis, origin.brief)},
        devices=float(origin.shapes["devices"][row]),
        batch=float(origin.shapes["batch"][row]),
        knee=place in knees,
    )


def others(found: Designs, axes: tuple[Axis, ...], window: Sequence[Axis]) -> dict[str, Array]:
    """Some of the designs that lie in the window of the front, as columns of the axes."""
    inside = np.ones(len(found.sample), dtype=bool)
    for axis in window:
        place = axes.index(axis)
        column, front = found.sample.axes_NA[:, place], found.front.axes_NA[:, place]
        inside &= (column >= front.min()) & (column <= front.max())
    kept = np.flatnonzero(inside)
    kept = kept[:: max(1, -(-len(kept) // DRAWN))]
    return {axis.name: found.sample.axes_NA[kept, place] for place, axis in enumerate(axes)}


def borrowed(found: Designs) -> dict[str, tuple[str, ...]]:
    """What was borrowed for every family, with how far outside its range it is used at the most along the front."""
    caveat: dict[str, str] = {}
    worst: dict[str, dict[str, float]] = {}
    for place, origin in enumerate(found.sources):
        caveat[origin.family] = origin.quality.transfer.caveat
        most = worst.setdefault(origin.family, {})
        for name, factor in _beyond(origin, found.front.take(found.front.source_N == place)).items():
            most[name] = max(factor, most.get(name, 1.0))
    said = {
        family: (f"{words} Along the frontier it is {badge(worst[family])}." if worst[family] else words,)
        for family, words in caveat.items()
        if words
    }
    rounded = {each.brief.precision: each.quality.rounding.caveat for each in found.sources if each.quality.rounding}
    return dict.fromkeys(caveat, ()) | said | {precision: (words,) for precision, words in rounded.items()}


def _beyond(origin: Source, some: Points) -> dict[str, float]:
    """By what factors the points of a source lie outside what its loan was measured on: at the ends of params and tokens."""
    most: dict[str, float] = {}
    if not len(some):
        return most
    active_F = origin.shapes["active"][some.row_N]
    for index in {int(place) for column in (active_F, some.tokens_N) for place in (column.argmin(), column.argmax())}:
        at = {
            "params": float(active_F[index]),
            "tokens": float(some.tokens_N[index]),
            "experts": float(origin.shapes.option.expansion),
        }
        for name, factor in origin.quality.transfer.extrapolation(at).items():
            most[name] = max(factor, most.get(name, 1.0))
    return most
