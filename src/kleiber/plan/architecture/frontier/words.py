"""A frontier in words: sentences, a short table, a card.

One idea: first from where to where it goes, then which family to take in which part of it and how sure that is, then where more
stops paying, then what was assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kleiber.plan.architecture.frontier.axes import Axis, number, short
from kleiber.quantity import show, show_flops

if TYPE_CHECKING:
    from kleiber.plan.architecture.frontier.answer import Frontier, Lead, Point, Slice

ROWS = 12
KINDS = {"dense": "dense transformers", "experts": "sparse experts", "ssm": "state spaces", "hybrid": "hybrids"}


def sentences(found: Frontier) -> tuple[str, ...]:
    """The whole frontier, a sentence a line."""
    lines = [headline(found), *(line for each in told(found) for line in _slice(found, each))]
    lines += [*_absent(found), *_doubt(found), *_endless(found), *_nodes(found), *_reach(found), *found.caveats]
    return tuple(line for line in lines if line)


def headline(found: Frontier) -> str:
    """How much there is to choose from, and from where to where."""
    names = [axis.title for axis in found.axes]
    over = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{len(found):,} of {found.considered:,} designs are beaten by no other in {over}"


def told(found: Frontier) -> tuple[Slice, ...]:
    """The slices that sentences are made of: those with something to choose from."""
    return tuple(each for each in found.slices if len(each.places) > 1) or found.slices


def _slice(found: Frontier, each: Slice) -> list[str]:
    """A curve in sentences; one of several in a single sentence."""
    if found.third is None or each.level is None:
        lines = [_ends(found, each), _best(found, each), *(_lead(found, lead) for lead in each.leads)]
        return [line for line in (*lines, _knee(found, each, bought=True)) if line]
    under = found.say(found.third, each.level)
    pieces = [_best(found, each) or _ends(found, each), _knee(found, each, bought=False)]
    return [f"{'with' if found.third.larger else 'within'} {under}: {'; '.join(piece for piece in pieces if piece)}"]


def _ends(found: Frontier, each: Slice) -> str:
    pieces = []
    for place in dict.fromkeys((int(each.places[0]), int(each.places[-1]))):
        x, y = (found.say(axis, float(found.columns[axis.name][place])) for axis in (found.x, found.y))
        size = "" if "params" in (found.x.name, found.y.name) else f", {short(found.columns['params'][place])} params"
        pieces.append(f"{y} at {x} ({found.families[place]}{size})")
    return f"from {pieces[0]} to {pieces[1]}" if len(pieces) > 1 else f"one design, {pieces[0]}"


def _best(found: Frontier, each: Slice) -> str:
    """Which family to take in which part."""
    parts = each.stretches
    if len(found.brief.families) < 2 or not parts:
        return ""
    if len(parts) == 1:
        return f"{KINDS[parts[0].family]} are best{_at_last(found, each) or ' all along'}"
    pieces = [f"up to {found.say(found.x, parts[0].high)} {KINDS[parts[0].family]} are best"]
    pieces += [f"from there to {number(found.x, part.high)} {KINDS[part.family]}" for part in parts[1:-1]]
    return f"{', '.join(pieces)}; beyond that {KINDS[parts[-1].family]}{_at_last(found, each)}"


def _at_last(found: Frontier, each: Slice) -> str:
    """Who holds the dear end, where that is too short for a stretch of its own."""
    owners = [found.families[place] for place in each.places]
    if owners[-1] == each.stretches[-1].family:
        return ""
    first = max((place for place, owner in enumerate(owners) if owner != owners[-1]), default=-1) + 1
    return f", and from {found.say(found.x, float(each.x[first]))} on {KINDS[owners[-1]]}"


def _lead(found: Frontier, lead: Lead) -> str:
    odds = "" if lead.probability is None else f", and ahead in {100 * lead.probability:.0f} % of the draws"
    by = f"{show(lead.ahead.value, 2)} {found.loss_unit}"
    return f"at {found.say(found.x, lead.x)} {KINDS[lead.family]} are {by} ahead of {KINDS[lead.rival]}{odds}"


def _knee(found: Frontier, each: Slice, *, bought: bool) -> str:
    if each.knee is None:
        return ""
    x, y = found.columns[found.x.name], found.columns[found.y.name]
    said = f"it bends most at {found.say(found.x, float(x[each.knee]))}, {found.say(found.y, float(y[each.knee]))}"
    last = int(each.places[-1])
    if not bought or last == each.knee:
        return said
    factor = f"{short(float(x[last] / x[each.knee]))} times the {found.x.title}"
    if found.y.name == "loss":
        return f"{said}: from there {factor} buys {show(float(y[each.knee] - y[last]), 2)} {found.loss_unit} more"
    return f"{said}: from there {factor} leads to {found.say(found.y, float(y[last]))}"


def _absent(found: Frontier) -> list[str]:
    """Families that hold no point, and by how much they miss."""
    lines = []
    for family in found.brief.families if found.third is None else ():
        if family in found.families:
            continue
        least, median = found.slices[0].behind.get(family, (np.inf, np.inf))
        missed = ""
        if np.isfinite(least) and found.y.name == "loss":
            missed = f": at least {show(least, 2)} {found.loss_unit} behind at the same {found.x.title}"
            missed += f", typically {show(median, 2)}" if np.isfinite(median) else ""
        lines.append(f"{KINDS[family]} are nowhere best{missed}")
    return lines


def _doubt(found: Frontier) -> list[str]:
    """How wide the interval of a loss is, against what there is to choose along the frontier."""
    widths = [point.loss.interval[1] - point.loss.interval[0] for point in found.points if point.loss.interval]
    if not widths or found.y.name != "loss":
        return []
    width, losses = float(np.median(widths)), found.columns["loss"]
    range_of_all = float(losses.max() - losses.min())
    wide = f"the {100 * found.level:g} % interval of a loss is typically {show(width, 2)} {found.loss_unit} wide"
    far = f"the way from one end of the frontier to the other {show(range_of_all, 2)}"
    return [f"{wide}, {far}; its points share their draws, so their order is surer than their height"]


def _endless(found: Frontier) -> list[str]:
    """Where nothing bounds training, how far was looked."""
    sides = {axis.side for axis in found.axes}
    if found.brief.bounded or not sides & {"loss", "training"}:
        return []
    if found.ceiling is not None:
        far = f"runs up to 1,000 times your largest were looked at ({show_flops(found.ceiling, 2)} FLOP)"
        return [f"nothing bounds training, so {far}: --flops sets another bound"]
    return ["nothing bounds training, so designs have up to 10,000 tokens for each param: --flops bounds it"]


def _nodes(found: Frontier) -> list[str]:
    """How large a replica is where time counts."""
    if found.brief.hardware is None or not {"tpot_ms", "ttft_ms"} & {axis.name for axis in found.axes}:
        return []
    node = f"at least a node of {found.brief.hardware.node} devices"
    return [f"every model is served on {node}, on more where memory or money ask for it"]


def _reach(found: Frontier) -> list[str]:
    if found.extrapolation_decades is None:
        return ["how far this extrapolates is not known: the fit carries no compute of its runs"]
    if found.extrapolation_decades == 0:
        return ["inside the compute of the runs"]
    return [f"its largest training run is {found.extrapolation_decades:.1f} decades beyond your largest"]


def heads(found: Frontier) -> tuple[str, ...]:
    """The columns of the table."""
    own = [f"{axis.title}" for axis in found.axes if axis.name not in ("loss", "params")]
    return ("", "params", "tokens", "loss", *own, "")


def rows(found: Frontier, most: int = ROWS) -> list[tuple[str, ...]]:
    """At most `most` points, evenly spread along the frontier, knees included."""
    return [_row(found, point) for point in shown(found, most)]


def shown(found: Frontier, most: int = ROWS) -> list[Point]:
    """The points of the table: an equal number from every slice."""
    from kleiber.plan.architecture.frontier.answer import along, spread

    by_place = {point.place: point for point in found.points}
    slices = told(found)
    if len(slices) > most // 2:
        slices = tuple(slices[place] for place in spread(len(slices), most // 2))
    chosen: dict[int, Point] = {}
    for each in slices:
        listed = np.array([place for place in each.places.tolist() if place in by_place])
        x = found.columns[found.x.name][listed]
        knee = each.knee is not None
        wanted = listed[along(x, max(2, most // len(slices) - knee))].tolist() + ([each.knee] if knee else [])
        chosen |= {place: by_place[place] for place in wanted}
    third = found.third.name if found.third is not None else found.x.name
    return sorted(chosen.values(), key=lambda point: (point.axes[third], point.axes[found.x.name]))


def _row(found: Frontier, point: Point) -> tuple[str, ...]:
    size = short(point.params)
    if point.family == "experts":
        size = f"{size} of {short(point.total_params)}"
    low_high = point.loss.interval
    loss = f"{point.loss.value:.3f}" + (f" ({low_high[0]:.3f} - {low_high[1]:.3f})" if low_high else "")
    family = point.family if len(found.brief.precisions) == 1 else f"{point.family}, {point.precision}"
    own = [_cell(axis, point.axes[axis.name]) for axis in found.axes if axis.name not in ("loss", "params")]
    return (family, size, short(point.tokens), loss, *own, "knee" if point.knee else "")


def _cell(axis: Axis, value: float) -> str:
    said = number(axis, value)
    return f"${said}" if axis.unit == "USD" else said if axis.name == "context" else f"{said} {axis.unit}"


def table(found: Frontier) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the points shown."""
    return heads(found), rows(found)
