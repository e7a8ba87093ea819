"""From a fit and a brief to every design that no other beats in two or three things at once.

The way the data takes: brief -> every buildable shape of every family at every context (`sources`) -> each trained for many
lengths and served in every way worth a look (`points`, `ways`) -> what no other beats (`sieve`) -> where it bends, who holds
which stretch (`reading`) -> the answer (`answer`, `words`).
The one idea: a plan answers one question about one budget; a frontier shows all the answers there are, so that whoever pays can
see what the next step costs. Its points are designs at the point estimate; the draws say how far to trust them.

Legend: K rows (the point estimate, then draws), F points of the frontier, N points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import FAMILIES
from kleiber.cost import params as count_params
from kleiber.cost.families import options
from kleiber.errors import InputError
from kleiber.laws.parameter import badge
from kleiber.plan.architecture import infeasible
from kleiber.plan.architecture.brief import USUAL_TRAIN_CONTEXT, Brief, brief
from kleiber.plan.architecture.frontier import cuts
from kleiber.plan.architecture.frontier.answer import Frontier, Point, along
from kleiber.plan.architecture.frontier.axes import AXES, Axis, check, chosen, known
from kleiber.plan.architecture.frontier.points import Points, Source, joined, points, source
from kleiber.plan.architecture.frontier.sieve import unbeaten
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.planning import caveats, with_vocabulary
from kleiber.plan.architecture.shapes import counts, shapes_of
from kleiber.plan.architecture.weights import weighted
from kleiber.plan.result import amount

if TYPE_CHECKING:
    from kleiber.fit import Fit

Array = NDArray[np.float64]
CONTEXTS = (4e3, 8e3, 32e3, 128e3, 512e3, 1e6)
FURTHEST = 1000.0  # largest runs: as far as is looked where nothing bounds training
LISTED = 240  # points kept in full
SAMPLE, DRAWN = 2000, 900  # beaten points kept of every source, and of all of them
BLOCK = 2_000_000  # cells of (K, F) at a time


def frontier(
    fit: Fit,
    axes: str | Sequence[str] = ("loss", "serving_cost"),
    *,
    level: float = 0.95,
    also: Sequence[Fit] = (),
    family_fits: Mapping[str, Fit] | None = None,
    seed: int | None = None,
    **asked: Any,
) -> Frontier:
    """Every design that no other beats in all of `axes`, among all shapes of all families that `asked` allows.

    `axes`: two or three of loss, training_flops, training_cost, training_days, serving_cost, tpot_ms, ttft_ms, memory_gb, params
    and context. `asked` are the fields of `plan.architecture.Brief`, as people write them; a budget may be left out. Shapes
    are trained on 0.05 to 10,000 tokens per param, as far as the limits leave them. `also`, `family_fits`: as for a plan.

    Raises `InputError` for axes that are unknown, repeated, fewer than two or more than three, or that need hardware, a
    price or devices that are not given; and where no shape keeps the limits.
    """
    from kleiber.plan.decision import check as check_level

    check_level(level, 0.001)
    over = chosen(axes)
    wish = _wish(fit, asked)
    check(over, wish)
    laws = Laws(fits=(fit, *also), shares=weighted((fit, *also)), own=dict(family_fits or {}))
    seed = fit.seed if seed is None else seed
    ceiling = _ceiling(wish, fit)
    fixed = {name for name in ("context", "train_context") if asked.get(name) is not None}
    sources: list[Source] = []
    survivors, sample, considered = [], [], 0
    generator = np.random.default_rng([seed, 20_011])
    for found in _sources(wish, laws, over, seed, ceiling, fixed):
        every = points(found, len(sources), over, _guessing(wish, fit))
        if not len(every):
            continue
        considered += len(every)
        sources.append(found)
        survivors.append(every.take(unbeaten(every.axes_NA * _signs(over))))
        sample.append(every.take(generator.integers(0, len(every), min(SAMPLE, len(every)))))
    if not considered:
        raise _nothing(wish, laws, seed, ceiling, _guessing(wish, fit))
    best = joined(survivors)
    front = best.take(unbeaten(best.axes_NA * _signs(over)))
    return _answer(wish, laws, over, sources, best, front, joined(sample), considered, ceiling, level)


def _wish(fit: Fit, asked: Mapping[str, Any]) -> Brief:
    if asked.get("objective") not in (None, "loss"):
        raise InputError(
            "a frontier has no objective but its axes", found=asked["objective"], remedy="leave --minimise out"
        )
    return brief(**with_vocabulary({**asked, "open_ended": True}, fit))


def _ceiling(wish: Brief, fit: Fit) -> float:
    """FLOPs of training beyond which nothing is looked at: where nothing bounds it, a thousand times the largest run."""
    from kleiber.plan.decision import largest_flops

    largest = None if wish.bounded else largest_flops(fit)
    return np.inf if largest is None else FURTHEST * largest


def _guessing(wish: Brief, fit: Fit) -> float:
    """The loss of guessing evenly among all tokens, or bytes: a law that says more says nothing."""
    unit = fit.runs.conventions.get("loss", "unknown")
    return {"bits_per_byte": 8.0, "nats_per_byte": float(np.log(256))}.get(unit, float(np.log(wish.vocabulary)))


def _nothing(wish: Brief, laws: Laws, seed: int, ceiling: float, guessing: float) -> InputError:
    """Why there is no design: no shape keeps the limits, or none reaches a loss that is asked for or says anything."""
    over = chosen("loss,params")
    losses = [
        points(found, 0, over).loss_N
        for found in _sources(replace(wish, loss_target=None), laws, over, seed, ceiling, {"context"})
    ]
    least = min((float(loss_N.min()) for loss_N in losses if loss_N.size), default=None)
    if least is None:
        return infeasible.explain(wish, laws, seed)
    if least > guessing:
        return InputError(
            "no design within the limits does better than guessing",
            found=f"loss {least:.4g}",
            remedy="relax the limits",
        )
    return InputError(
        "no design within the limits reaches this loss", found=wish.loss_target, expected=f"{least:.4g} or more"
    )


def _signs(axes: Sequence[Axis]) -> Array:
    return np.array([axis.sign for axis in axes])


def _sources(
    wish: Brief, laws: Laws, axes: Sequence[Axis], seed: int, ceiling: float, fixed: set[str]
) -> Iterator[Source]:
    """Every option at every context: the brief's own, or those usual where context is an axis and not `fixed`."""
    several = any(axis.name == "context" for axis in axes) and "context" not in fixed
    for context in CONTEXTS if several else (wish.context,):
        usual = several and "train_context" not in fixed
        trained = min(int(context), USUAL_TRAIN_CONTEXT) if usual else wish.train_context
        here = replace(wish, context=int(context), train_context=trained)
        for precision in wish.precisions:
            yield from _in_precision(here.served_in(precision), laws, axes, seed, ceiling)


def _in_precision(wish: Brief, laws: Laws, axes: Sequence[Axis], seed: int, ceiling: float) -> Iterator[Source]:
    counted = counts(wish, laws.fit.runs.conventions.get("params", "unknown"))
    for option in options(wish.families, vocabulary=wish.vocabulary):
        # One generator per family, so that the doubt about a family is the same for all of its options.
        generator = np.random.default_rng([seed, FAMILIES.index(option.family)])
        found = source(shapes_of(option, counted), wish, quality(option, laws, wish, generator), axes, ceiling)
        if len(found.shapes):
            yield found


def _answer(
    wish: Brief,
    laws: Laws,
    axes: tuple[Axis, ...],
    sources: list[Source],
    best: Points,
    front: Points,
    sample: Points,
    considered: int,
    ceiling: float,
    level: float,
) -> Frontier:
    from kleiber.plan import decision as flops_only

    families = np.array([found.family for found in sources])
    x, y, third = cuts.roles(axes)
    front = front.take(np.lexsort((_column(front, axes, y) * y.sign, _column(front, axes, x) * x.sign)))
    columns = _columns(sources, front)
    own = {
        family: mine.take(unbeaten(mine.axes_NA * _signs(axes)))
        for family in wish.families
        if len(mine := best.take(families[best.source_N] == family))
    }
    reader = cuts.Reader(
        x=x, y=y, third=third, axes=axes, own=own, losses=lambda some: losses(sources, some), level=level
    )
    slices = reader.slices(front, tuple(families[front.source_N].tolist()))
    listed = _listed(slices)
    largest = max(columns["training_flops"].tolist())
    longest = max(found.brief.context for found in sources)
    return Frontier(
        brief=wish,
        axes=axes,
        x=x,
        y=y,
        third=third,
        columns=columns,
        families=tuple(families[front.source_N].tolist()),
        slices=slices,
        points=_points(sources, front.take(listed), listed, columns, {each.knee for each in slices}, level),
        others=_others(sources, sample, front, axes, x, y),
        considered=considered,
        ceiling=ceiling if np.isfinite(ceiling) else None,
        level=level,
        loss_unit=flops_only.loss_unit(laws.fit),
        extrapolation_decades=flops_only.decades(largest, flops_only.largest_flops(laws.fit)),
        caveats=caveats(replace(wish, context=longest), laws, _borrowed(sources, front)),
        provenance=flops_only.provenance(laws.fit),
    )


def _column(some: Points, axes: Sequence[Axis], axis: Axis) -> Array:
    return some.axes_NA[:, list(axes).index(axis)]


def _columns(sources: list[Source], some: Points) -> dict[str, Array]:
    """Every axis, and the tokens, of points of several sources."""
    found = {name: np.full(len(some), np.nan) for name in AXES}
    for place in np.unique(some.source_N):
        here = np.flatnonzero(some.source_N == place)
        part = some.take(here)
        for name, column in found.items():
            column[here] = sources[place].at(name, part.row_N, part.tokens_N, part.loss_N)
    return found | {"tokens": some.tokens_N}


def losses(sources: list[Source], some: Points) -> Array:
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


def _listed(slices: Sequence[Any]) -> NDArray[np.intp]:
    """Places evenly spread along every slice, with all knees."""
    each = max(2, LISTED // len(slices))
    chosen_places = [part.places[along(part.x, each)] for part in slices]
    knees = [part.knee for part in slices if part.knee is not None]
    return np.unique(np.concatenate([*chosen_places, np.array(knees, dtype=np.intp)]))


def _points(
    sources: list[Source],
    some: Points,
    places: NDArray[np.intp],
    columns: Mapping[str, Array],
    knees: set[int | None],
    level: float,
) -> tuple[Point, ...]:
    loss_KF = losses(sources, some)
    found = []
    for index, place in enumerate(places.tolist()):
        origin, row = sources[some.source_N[index]], int(some.row_N[index])
        shape = origin.shapes.build(row)
        found.append(
            Point(
                place=place,
                family=origin.family,
                option=origin.shapes.option.name,
                precision=origin.brief.precision,
                shape=replace(shape, name=f"{shape.family}-{shape.width}x{shape.depth}"),
                params=float(origin.shapes["params"][row]),
                total_params=float(count_params(shape).total),
                tokens=float(some.tokens_N[index]),
                loss=amount(float(some.loss_N[index]), loss_KF[1:, index], level),
                axes={name: float(columns[name][place]) for name, axis in AXES.items() if known(axis, origin.brief)},
                devices=float(origin.shapes["devices"][row]),
                batch=float(origin.shapes["batch"][row]),
                knee=place in knees,
            )
        )
    return tuple(found)


def _borrowed(sources: list[Source], front: Points) -> dict[str, tuple[str, ...]]:
    """What was borrowed for every family, with how far outside its range it is used at the most."""
    said: dict[str, tuple[str, ...]] = {}
    worst: dict[str, dict[str, float]] = {}
    for place, found in enumerate(sources):
        transfer, here = found.quality.transfer, front.take(front.source_N == place)
        said[found.family] = (transfer.caveat,) if transfer.caveat else ()
        most = worst.setdefault(found.family, {})
        for index in {*here.tokens_N.argsort()[[0, -1]].tolist()} if len(here) else ():
            at = {
                "params": float(found.shapes["active"][here.row_N[index]]),
                "tokens": float(here.tokens_N[index]),
                "experts": float(found.shapes.option.expansion),
            }
            for name, factor in transfer.extrapolation(at).items():
                most[name] = max(factor, most.get(name, 1.0))
    for family, caveat in said.items():
        if caveat and worst[family]:
            said[family] = (f"{caveat[0]} Along the frontier it is {badge(worst[family])}.",)
    rounded = {found.quality.rounding.caveat: found.brief.precision for found in sources if found.quality.rounding}
    return said | {precision: (caveat,) for caveat, precision in rounded.items()}


def _others(
    sources: list[Source], sample: Points, front: Points, axes: Sequence[Axis], x: Axis, y: Axis
) -> dict[str, Array]:
    """Some of the beaten points that lie in the window of the frontier, as columns of x and y."""
    inside = np.ones(len(sample), dtype=bool)
    for axis in (x, y):
        low, high = _column(front, axes, axis).min(), _column(front, axes, axis).max()
        column = _column(sample, axes, axis)
        inside &= (column >= low) & (column <= high)
    kept = np.flatnonzero(inside)
    kept = kept[:: max(1, -(-len(kept) // DRAWN))]
    return {axis.name: _column(sample, axes, axis)[kept] for axis in axes}
