"""The choice among all candidates of all families, under every draw.

The way the data takes: candidates of every option -> objective under every draw, block by block -> the shape with the least
expected objective, which is the one with the least expected regret -> the best of every family beside it.
The one idea: regret is what a draw would have saved by knowing itself; the best of a draw does not depend on what is chosen, so
least expected regret and least expected objective are the same shape, and one pass over the draws gives all of it.

A draw in which a shape cannot reach the target counts as four times the median of the best: it must cost something, and no
mean survives infinity.

Legend: M candidates of all options in one row, K rows (the point estimate, then B draws), O options, F families.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.candidates import Candidates

Array = NDArray[np.float64]
MISSED = 4.0


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
    mean, point, best_OK, index_OK = _means(found)
    if not np.isfinite(best_OK[:, 0]).any():
        return None
    best_FK = np.array([best_OK[family_O == family].min(axis=0) for family in range(len(families))])
    best_K = best_FK.min(axis=0)
    worst = MISSED * float(np.median(best_K[np.isfinite(best_K)]))
    first_K = best_FK.argmin(axis=0)
    draws = slice(1, None) if len(best_K) > 1 else slice(None)
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
                probability_best=float(np.mean(first_K[draws] == family)),
                **_own(found, np.where(family_O[:, None] == family, best_OK, np.inf).argmin(axis=0), index_OK),
            )
        )
    chosen.sort(key=lambda choice: float(choice.regret_K[draws].mean()))
    return Decision(winner=chosen[0], rivals=tuple(chosen[1:]), best_K=best_K, point=tuple(point), mean=tuple(mean))


def _means(found: list[Candidates]) -> tuple[list[Array], list[Array], Array, NDArray[np.intp]]:
    """For every option: the mean objective of its candidates over the draws (M,), that of the point estimate (M,), and the
    best of every row (O, K) and its place (O, K)."""
    means, points, bests, places = [], [], [], []
    for each in found:
        total, point, best_K, place_K, worst = np.zeros(len(each)), np.full(len(each), np.inf), [], [], 0.0
        for rows in each.blocks() if len(each) else ():
            value_KM = each.objective(rows)
            value_KM = np.broadcast_to(value_KM, (rows.stop - rows.start, len(each)))
            best_K.append(value_KM.min(axis=1))
            place_K.append(value_KM.argmin(axis=1))
            if rows.start == 0:
                point = value_KM[0].copy()
                finite = point[np.isfinite(point)]
                worst = MISSED * float(finite.min()) if finite.size else 1.0
            drawn = value_KM[1:] if rows.start == 0 and each.quality.rows > 1 else value_KM
            total += np.where(np.isfinite(drawn), drawn, worst).sum(axis=0)
        means.append(np.where(np.isfinite(point), total / max(1, each.quality.rows - 1), np.inf))
        points.append(point)
        bests.append(np.concatenate(best_K) if best_K else np.full(each.quality.rows, np.inf))
        places.append(np.concatenate(place_K) if place_K else np.zeros(each.quality.rows, dtype=np.intp))
    return means, points, np.array(bests), np.array(places)


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
