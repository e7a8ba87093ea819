"""The frontier: what no other design beats, in the colours of the families, over what is beaten.

One idea: a frontier of two axes is one curve, in the colour of whichever family holds it and with its name beside it. A third
axis is a limit, so every level of it has a panel of its own, with the curve of the loosest level behind it: the gap between the
two is what the limit costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.figures.marks import linear_channel, log_channel, rows, span, with_tooltips
from kleiber.figures.theme import BLUE, GREEN, INK, MUTED, PURPLE, VERMILLION, dressed, panelled

if TYPE_CHECKING:
    import altair as alt

    from kleiber.plan.architecture.frontier import Axis, Frontier, Slice

Array = NDArray[np.float64]
COLOURS = {"dense": BLUE, "experts": VERMILLION, "ssm": GREEN, "hybrid": PURPLE}
NAMES = {"dense": "dense", "experts": "sparse experts", "ssm": "state space", "hybrid": "hybrid"}
DOTS, FEWER = 160, 80  # of a curve; of one in a panel
THINNED = 3  # one beaten design in so many is drawn in a panel
WRITERS = {"training_flops": "flops"} | dict.fromkeys(("params", "context", "training_cost", "serving_cost"), "params")
WIDE, NARROW = (
    1.6,
    0.02,
)  # a range of losses that is wider goes on a log scale; one that is narrower is shown with more around it
MARGIN, LEFT, BELOW = 0.04, 0.15, 0.1  # of the range; to the left of the curve and below it is room for names
COLUMNS, PANEL = 3, (205, 165)


def frontier_chart(found: Frontier) -> alt.LayerChart | alt.ConcatChart:
    """The frontier over its axes: a curve for two, a panel for every level of a third; beaten designs faint."""
    slices = [each for each in found.slices if len(each.places)]
    if found.third is None:
        each = slices[0]
        x, y = _channels(found)
        layers = [*_others(found, each, x, y), *_alone(found, each, x, y), *_dots(found, each, x, y, legend=False)]
        return dressed([*layers, *_knee(found, each, x, y), *_names(found, each, x, y)], _title(found), [_note(found)])
    loosest = slices[0] if found.third.larger else slices[-1]
    panels = []
    for place, each in enumerate(slices):
        # The titles of the axes stand at the foot and at the left of the whole only.
        x, y = _channels(found, foot=place + COLUMNS >= len(slices), left=place % COLUMNS == 0)
        panels.append((_level(found, each), _panel(found, each, loosest, x, y)))
    return panelled(panels, _title(found), [_note(found)], size=PANEL, columns=COLUMNS)


def _channels(found: Frontier, *, foot: bool = True, left: bool = True) -> tuple[Any, Any]:
    import altair as alt

    return _channel(alt.X, found, found.x, titled=foot), _channel(alt.Y, found, found.y, titled=left)


def _panel(found: Frontier, each: Slice, loosest: Slice, x: Any, y: Any) -> list[Any]:
    layers = [*_others(found, each, x, y), *_behind(found, each, loosest, x, y)]
    return [*layers, *_dots(found, each, x, y, legend=True), *_knee(found, each, x, y)]


def _level(found: Frontier, each: Slice) -> str:
    assert found.third is not None
    assert each.level is not None
    said = found.say(found.third, each.level)
    return said.removeprefix("a ") if found.third.larger else f"within {said}"


def _title(found: Frontier) -> str:
    over = f"{found.y.title.capitalize()} against {found.x.title}"
    return over if found.third is None else f"{over}, by {found.third.title}"


def _note(found: Frontier) -> str:
    several = len(found.brief.families) > 1
    knee = " Diamond: where it bends most." if any(each.knee is not None for each in found.slices) else ""
    beaten = " Faint dots: designs that another beats."
    if found.third is None:
        return f"Dots: what no other design beats.{' Lines: each family alone.' if several else ''}{knee}{beaten}"
    loosest = "shortest context" if found.third.larger else f"loosest limit on {found.third.title}"
    return f"Dots: what no other design beats within the limit. Line: under the {loosest}.{knee}{beaten}"


def _channel(kind: type, found: Frontier, axis: Axis, *, titled: bool) -> Any:
    low, high = span(found.columns[axis.name])
    lines = [axis.title.capitalize(), *([f"({unit})"] if (unit := found.unit(axis)) else [])] if titled else [""]
    # Up the side of a panel there is room for two short lines rather than a long one.
    title = lines if found.third is not None and axis is found.y and len(" ".join(lines)) > 24 else " ".join(lines)
    most = 7 if found.third is None else 4
    named = found.third is None and len(found.brief.families) > 1
    room = (LEFT if axis is found.x else BELOW) if named else MARGIN
    if axis.name == "loss" and high < WIDE * low:
        slack = max(NARROW * high - (high - low), 0.0) / 2
        low, high = low - slack, high + slack
        domain = (low - room * (high - low), high + MARGIN * (high - low))
        return linear_channel(kind, axis.name, title, domain, most=most)
    factor = max(high / low, 1.5)
    domain = (low / factor**room, high * factor**MARGIN)
    return log_channel(kind, axis.name, title, domain, most=most, writer=WRITERS.get(axis.name))


def _others(found: Frontier, each: Slice, x: Any, y: Any) -> list[Any]:
    """Beaten designs within the level."""
    import altair as alt

    inside = np.ones(len(found.others[found.x.name]), dtype=bool)
    if found.third is not None and each.level is not None:
        inside = found.others[found.third.name] * found.third.sign <= each.level * found.third.sign
    shown = np.flatnonzero(inside)[:: 1 if found.third is None else THINNED]
    if not len(shown):
        return []
    data = rows(_named("beaten", each), **{axis.name: found.others[axis.name][shown] for axis in (found.x, found.y)})
    return [alt.Chart(data).mark_circle(clip=True, color=MUTED, size=9, opacity=0.22).encode(x=x, y=y)]


def _named(name: str, each: Slice) -> str:
    """A name for the data of a panel."""
    return name if each.level is None else f"{name} {each.level:g}"


def _alone(found: Frontier, each: Slice, x: Any, y: Any) -> list[Any]:
    """The best of every family by itself."""
    import altair as alt

    if len(each.own) < 2:
        return []
    pieces = [(family, *_thinned(*path)) for family, path in each.own.items()]
    family = [name for name, xs, _ in pieces for _ in xs]
    xs, ys = np.concatenate([xs for _, xs, _ in pieces]), np.concatenate([ys for _, _, ys in pieces])
    data = rows("families", family=family, **{found.x.name: xs, found.y.name: ys})
    line = alt.Chart(data).mark_line(clip=True, strokeWidth=1.1, opacity=0.55, interpolate=_steps(found))
    return [line.encode(x=x, y=y, color=_colour(found, legend=False), detail="family:N")]


def _behind(found: Frontier, each: Slice, loosest: Slice, x: Any, y: Any) -> list[Any]:
    """The frontier under the loosest level, to see what this one costs."""
    import altair as alt

    xs, ys = _thinned(loosest.x, loosest.y)
    data = rows("loosest", **{found.x.name: xs, found.y.name: ys})
    line = alt.Chart(data).mark_line(clip=True, strokeWidth=1.3, color=MUTED, opacity=0.8, interpolate=_steps(found))
    return [line.encode(x=x, y=y)]


def _steps(found: Frontier) -> Any:
    """A design serves whoever asks for no more: its step goes towards what is worse."""
    return "step-before" if found.x.larger else "step-after"


def _thinned(x: Array, y: Array) -> tuple[Array, Array]:
    kept = _along(x)
    return x[kept], y[kept]


def _along(x: Array, most: int = DOTS) -> NDArray[np.intp]:
    """At most so many places, evenly spread in ln x."""
    logs = np.log(x)
    wanted = np.linspace(logs[0], logs[-1], most)
    return np.arange(len(x)) if len(x) <= most else np.unique([int(np.abs(logs - each).argmin()) for each in wanted])


def _colour(found: Frontier, *, legend: bool) -> Any:
    import altair as alt

    present = [family for family in COLOURS if family in found.brief.families]
    words = " : ".join([*(f"datum.value == '{name}' ? '{NAMES[name]}'" for name in present), "datum.value"])
    shown = alt.Legend(title=None, symbolType="circle", labelExpr=words) if legend and len(present) > 1 else None
    scale = alt.Scale(domain=present, range=[COLOURS[family] for family in present])
    return alt.Color("family:N", scale=scale, legend=shown)


def _dots(found: Frontier, each: Slice, x: Any, y: Any, *, legend: bool) -> list[Any]:
    import altair as alt

    places = each.places[_along(each.x, DOTS if found.third is None else FEWER)]
    names = dict.fromkeys([*(axis.name for axis in found.axes), "params", "tokens", "loss"])
    columns = {name: found.columns[name][places] for name in names}
    data = rows(_named("frontier", each), family=[found.families[place] for place in places], **columns)
    dots = alt.Chart(data).mark_circle(clip=True, size=30 if found.third is None else 18, opacity=0.95)
    heads = {"params": "Params", "tokens": "Tokens", "loss": f"Loss ({found.loss_unit})"}
    heads |= {axis.name: axis.title.capitalize() for axis in found.axes if axis.name not in heads}
    return [with_tooltips(dots.encode(x=x, y=y, color=_colour(found, legend=legend)), heads)]


def _knee(found: Frontier, each: Slice, x: Any, y: Any) -> list[Any]:
    import altair as alt

    if each.knee is None:
        return []
    data = rows(
        _named("knee", each), **{axis.name: [found.columns[axis.name][each.knee]] for axis in (found.x, found.y)}
    )
    size = 130 if found.third is None else 70
    return [alt.Chart(data).mark_point(shape="diamond", filled=True, size=size, color=INK).encode(x=x, y=y)]


def _names(found: Frontier, each: Slice, x: Any, y: Any) -> list[Any]:
    """The names of the families: below the middle of a stretch that one holds, where no design is; else beside its own line."""
    if len(found.brief.families) < 2:
        return []
    parts = each.stretches
    nearest = [int(np.abs(np.log(each.x) - np.log(part.low * part.high) / 2).argmin()) for part in parts]
    below = [(part.family, each.x[place], each.y[place]) for part, place in zip(parts, nearest, strict=True)]
    beside = []
    for family, (own_x, own_y) in each.own.items():
        if any(family == part.family for part in parts):
            continue
        # High up the curves lie apart; one name stands lower than the other.
        height = each.y.min() + (0.8 - 0.15 * len(beside)) * (each.y.max() - each.y.min())
        place = int(np.abs(own_y - height).argmin())
        if own_x[place] <= each.x.max() and each.y.min() <= own_y[place] <= each.y.max():
            beside.append((family, own_x[place], own_y[place]))
    texts = [_text(found, "names below", below, x, y, align="right", baseline="top", dx=-6, dy=7)]
    return [*texts, _text(found, "names beside", beside, x, y, align="left", baseline="bottom", dx=6, dy=-3)]


def _text(found: Frontier, name: str, places: Sequence[tuple[str, float, float]], x: Any, y: Any, **how: Any) -> Any:
    import altair as alt

    family, xs, ys = zip(*places, strict=True) if places else ((), (), ())
    words = [NAMES[each] for each in family]
    data = rows(name, family=family, words=words, **{found.x.name: xs, found.y.name: ys})
    text = alt.Chart(data).mark_text(fontSize=12.5, fontWeight=600, **how)
    return text.encode(x=x, y=y, text="words:N", color=_colour(found, legend=False))
