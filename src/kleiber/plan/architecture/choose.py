"""The choice among all candidates of all families, under every draw.

The way the data takes: candidates of every option -> objective under every draw, block by block -> the shape with the least
expected objective, which is the one with the least expected regret -> the best of every family beside it.
The one idea: regret is what a draw would have saved by knowing itself; the best of a draw does not depend on what is chosen, so
least expected regret and least expected objective are the same shape, and one pass over the draws gives all of it.

A draw in which a shape cannot reach the target counts as twenty times the median of the best, and so does one in which it costs
more: it must cost something, and no mean survives infinity. A factor much smaller makes plans gamble on the draws that they can
reach; a hundred instead of twenty moves the worked story from 63B to 71B params.

Legend: M candidates of all options in one row, K rows (the point estimate, then B draws), O options, F families.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.candidates import Candidates

Array = NDArray[np.float64]
MISSED = 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """One shape of one option, by place: its objective and regret under every row, how likely its family is to be the best, and
    the params and tokens that each row would choose within the family if it knew itself."""

    option: int
    index: int
    objective_K: Array
    regret_K: Array
    probability_best: float
    own_params_K: Array
    own_tokens_K: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """`winner` has the least expected regret; `rivals` the least of every other family; `point` and `mean`: the objective of
    every candidate at the point estimate and on average over the draws, option by option."""

    winner: Choice
    rivals: tuple[Choice, ...]
    best_K: Array
    point: tuple[Array, ...]
    mean: tuple[Array, ...]

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The winner, then the rivals."""
        return (self.winner, *self.rivals)


def decide(found: list[Candidates]) -> Decision | None:
    """The decision among `found`, one entry per option; None where no shape keeps the limits."""
    if not any(len(each) for each in found):
        return None
    families = list(dict.fromkeys(each.shapes.option.family for each in found))
    family_O = np.array([families.index(each.shapes.option.family) for each in found])
    total, most, point, best_OK, index_OK = _passed(found)
    if not np.isfinite(best_OK[:, 0]).any():
        return None
    best_FK = np.array([best_OK[family_O == family].min(axis=0) for family in range(len(families))])
    best_K = best_FK.min(axis=0)
    worst = MISSED * float(np.median(best_K[np.isfinite(best_K)]))
    mean = [_mean(*parts, worst) for parts in zip(found, total, most, point, strict=True)]
    draws = slice(1, None) if len(best_K) > 1 else slice(None)
    first_K = best_FK.argmin(axis=0)[draws][np.isfinite(best_K[draws])]
    chosen = []
    for family in range(len(families)):
        places = [place for place in range(len(found)) if family_O[place] == family and len(found[place])]
        if not places or not np.isfinite(best_FK[family, 0]):
            continue
        option = min(places, key=lambda place: float(mean[place].min()))
        index = int(mean[option].argmin())
        objective_K = _row(found[option], index)
        regret_K = np.minimum(objective_K, worst) - np.minimum(best_K, worst)
        chosen.append(
            Choice(
                option=option,
                index=index,
                objective_K=objective_K,
                regret_K=np.maximum(regret_K, 0.0),
                probability_best=float(np.mean(first_K == family)) if first_K.size else 0.0,
                **_own(found, np.where(family_O[:, None] == family, best_OK, np.inf).argmin(axis=0), index_OK),
            )
        )
    chosen.sort(key=lambda choice: float(choice.regret_K[draws].mean()))
    return Decision(winner=chosen[0], rivals=tuple(chosen[1:]), best_K=best_K, point=tuple(point), mean=tuple(mean))


def _passed(found: list[Candidates]) -> tuple[list[Array], list[Array], list[Array], Array, NDArray[np.intp]]:
    """One pass over the draws. For every option: the sum and the most of the objective of its candidates over the draws (M,),
    that of the point estimate (M,), and the best of every row (O, K) and its place (O, K)."""
    totals, mosts, points, bests, places = [], [], [], [], []
    for each in found:
        total, most, point = np.zeros(len(each)), np.full(len(each), -np.inf), np.full(len(each), np.inf)
        best_K, place_K = [], []
        for rows in each.blocks() if len(each) else ():
            value_KM = _block(each, rows)
            best_K.append(value_KM.min(axis=1))
            place_K.append(value_KM.argmin(axis=1))
            if rows.start == 0:
                point = value_KM[0].copy()
            drawn_KM = _drawn(value_KM, rows, each)
            total += drawn_KM.sum(axis=0)
            most = np.maximum(most, drawn_KM.max(axis=0, initial=-np.inf))
        totals.append(total)
        mosts.append(most)
        points.append(point)
        bests.append(np.concatenate(best_K) if best_K else np.full(each.quality.rows, np.inf))
        places.append(np.concatenate(place_K) if place_K else np.zeros(each.quality.rows, dtype=np.intp))
    return totals, mosts, points, np.array(bests), np.array(places)


def _block(each: Candidates, rows: slice) -> Array:
    """The objective of some rows, (K, M)."""
    return np.broadcast_to(each.objective(rows), (rows.stop - rows.start, len(each)))


def _drawn(value_KM: Array, rows: slice, each: Candidates) -> Array:
    """The draws of a block: all rows but the point estimate, or that alone where there is nothing else."""
    return value_KM[1:] if rows.start == 0 and each.quality.rows > 1 else value_KM


def _mean(each: Candidates, total_M: Array, most_M: Array, point_M: Array, worst: float) -> Array:
    """The mean objective (M,) over the draws, none counting for more than `worst`; infinite where the point estimate is.

    The few candidates with a draw above `worst` go over their draws once more.
    """
    draws = max(1, each.quality.rows - 1)
    mean_M = np.where(np.isfinite(point_M), total_M / draws, np.inf)
    above = np.flatnonzero(np.isfinite(point_M) & (most_M > worst))
    if above.size:
        some = each.take(above)
        parts = [np.minimum(_drawn(_block(some, rows), rows, some), worst).sum(axis=0) for rows in some.blocks()]
        mean_M[above] = np.sum(parts, axis=0) / draws
    return mean_M


def _own(found: list[Candidates], option_K: NDArray[np.intp], index_OK: NDArray[np.intp]) -> dict[str, Array]:
    """The params and tokens that each row would choose: of option `option_K`, shape `index_OK`."""
    params_K, tokens_K = np.full(len(option_K), np.nan), np.full(len(option_K), np.nan)
    for option in np.unique(option_K):
        each, rows = found[option], np.flatnonzero(option_K == option)
        if not len(each):
            continue
        shapes, inverse = np.unique(index_OK[option][rows], return_inverse=True)
        tokens_KM = each.take(shapes).tokens(slice(0, len(option_K)))
        tokens_KM = np.broadcast_to(tokens_KM, (len(option_K), len(shapes)))
        params_K[rows] = each.shapes["params"][shapes][inverse]
        tokens_K[rows] = tokens_KM[rows, inverse]
    return {"own_params_K": params_K, "own_tokens_K": tokens_K}


def _row(found: Candidates, index: int) -> Array:
    """The objective of one candidate under every row."""
    one = found.take(np.array([index]))
    value = one.objective(slice(0, one.quality.rows))
    return np.broadcast_to(value, (one.quality.rows, 1))[:, 0].copy()
