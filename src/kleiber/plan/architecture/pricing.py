"""What each limit is worth, what more of the budget buys, and what would turn the decision.

The way the data takes: the decision's option -> its geometric program -> shadow prices, certificate; the same program with more
of the budget -> what that buys; the brief with one thing changed -> whether another family wins.
The one idea: prices and gains are those of the point estimate; the draws have had their say in the decision.

Legend: M candidates, K rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.answer import Offer
from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.budgets import BOUNDS
from kleiber.plan.architecture.candidates import Candidates
from kleiber.plan.architecture.choose import Decision, decide
from kleiber.plan.architecture.loans import Laws
from kleiber.plan.architecture.relaxation import STEPS, STRUCTURE, Relaxed, Serving, relax
from kleiber.plan.architecture.spread import Spread
from kleiber.plan.result import Amount, Constraint

Array = NDArray[np.float64]
BUYS = {"one_percent": 1.01, "doubling": 2.0, "tenfold": 10.0}
BINDING = 1e-6
THIN = 6  # one shape in so many is enough to see which family wins
LONG = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class Priced:
    """The relaxed optimum of a family, of whichever `option` has the least, every limit with its price there, and `snapping`:
    by how much the best shape that can be built misses it."""

    option: Candidates
    relaxed: Relaxed
    constraints: tuple[Constraint, ...]
    snapping: float


def price(found: list[Candidates], decision: Decision) -> Priced | None:
    """The price of every limit for the winner's family; None where no program certifies its law."""
    winner = found[decision.winner.option]
    same = [
        (each, point_M)
        for each, point_M in zip(found, decision.point, strict=True)
        if point_M.size and np.isfinite(point_M.min()) and _family(each) == _family(winner)
    ]
    solved = [(relaxed, each) for each, point_M in same if (relaxed := _relaxed(each, point_M)) is not None]
    if not solved:
        return None
    best, option = min(solved, key=lambda pair: pair[0].objective)
    snapping = min(float(point_M.min()) for _, point_M in same) - best.objective
    return Priced(option=option, relaxed=best, constraints=_constraints(best), snapping=snapping)


def _family(found: Candidates) -> tuple[str, str]:
    return found.shapes.option.family, found.brief.precision


def _relaxed(found: Candidates, point_M: Array) -> Relaxed | None:
    """The relaxed optimum of one option, from its best shape on, served as that is."""
    index = int(point_M.argmin())
    shapes = found.shapes
    tokens = float(np.ravel(found.take(np.array([index])).tokens(slice(0, 1)))[0])
    serving = Serving(devices=float(shapes["devices"][index]), batch=float(shapes["batch"][index]))
    start = (float(shapes.width_M[index]), float(shapes.depth_M[index]), tokens)
    return relax(shapes, found.brief, found.quality, serving, start)


def _constraints(relaxed: Relaxed) -> tuple[Constraint, ...]:
    """One entry per limit that was asked for; the two times of a step are one limit on it."""
    found: dict[str, Constraint] = {}
    for limit in relaxed.limits:
        if limit.name in (*STRUCTURE, *STEPS):
            continue
        name, worth = limit.name.split(",")[0], relaxed.prices[limit.name]
        if name in found and abs(found[name].shadow_price) >= abs(worth):
            continue
        found[name] = Constraint(
            name=name,
            binding=abs(worth) > BINDING,
            shadow_price=float(worth),
            nats_per_percent=abs(float(worth * relaxed.objective * np.log(1.01))),
            bound=limit.bound,
            unit=limit.unit,
            words=limit.words,
        )
    return tuple(found.values())


def buys(priced: Priced | None) -> Mapping[str, Amount]:
    """What 1 %, twice and ten times the first budget would take off the objective, all else as it is."""
    if priced is None:
        return {}
    wish, relaxed = priced.option.brief, priced.relaxed
    named = [asked for asked in BOUNDS.values() if getattr(wish, asked) is not None]
    start = tuple(relaxed.values[name] for name in ("width", "depth", "tokens"))
    found = {}
    for name, factor in BUYS.items() if named else ():
        more = replace(wish, **{named[0]: getattr(wish, named[0]) * factor})
        richer = relax(priced.option.shapes, more, priced.option.quality, relaxed.serving, start)  # type: ignore[arg-type]
        if richer is not None:
            found[name] = Amount(value=relaxed.objective - richer.objective)
    return found


def turns(wish: Brief, laws: Laws, seed: int, best: Offer) -> tuple[str, ...]:
    """Which changes of the brief would make another family win, at the point estimate."""
    from kleiber.plan.architecture.planning import candidates_of

    if len(wish.families) < 2:
        return ()
    sure = laws.without_draws()

    def family(changed: Brief) -> str | None:
        found = candidates_of(changed, sure, seed, thin=THIN)
        decision = decide(found)
        return None if decision is None else found[decision.winner.option].shapes.option.family

    changes = _changes(wish)
    answers = {words: family(changed) for words, changed in changes.items()}
    turned = tuple(
        f"{words} would turn the answer to {answer}" if answer else f"with {words} no shape keeps the limits"
        for words, answer in answers.items()
        if answer != best.family
    )
    stays = [words for words, answer in answers.items() if answer == best.family]
    return (*turned, f"{listed(stays)} would not change the family") if stays else turned


def listed(names: list[str]) -> str:
    """Names in a sentence.

    >>> listed(["one", "two", "three"])
    'one, two or three'
    """
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _changes(wish: Brief) -> dict[str, Brief]:
    """The brief with one thing changed, by what that is called."""
    changes = {}
    served = wish.serve_tokens
    if served.median:
        changes["a tenth of the demand"] = replace(
            wish, serve_tokens=Spread(low=served.low / 10, high=served.high / 10)
        )
        changes["ten times the demand"] = replace(wish, serve_tokens=Spread(low=served.low * 10, high=served.high * 10))
    if wish.context > LONG:
        changes[f"a context of {LONG:,}"] = replace(wish, context=LONG)
    if wish.flops is not None:
        changes["ten times the compute"] = replace(wish, flops=10 * wish.flops)
    return changes
