"""All designs that a brief allows, and what no other beats among them.

The way the data takes: brief -> every option of its families, at every context and in every precision -> every point of it ->
the sieve, option by option -> the sieve over what is left. The one idea: what is beaten within its option is beaten in all, so
the whole is never held at once.

Legend: N points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import FAMILIES
from kleiber.cost.families import options
from kleiber.errors import InputError
from kleiber.plan.architecture import infeasible
from kleiber.plan.architecture.brief import USUAL_TRAIN_CONTEXT, Brief, brief
from kleiber.plan.architecture.frontier.axes import Axis, chosen
from kleiber.plan.architecture.frontier.points import Points, Source, joined, points, source
from kleiber.plan.architecture.frontier.sieve import unbeaten
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.planning import with_vocabulary
from kleiber.plan.architecture.shapes import counts, shapes_of

if TYPE_CHECKING:
    from kleiber.fit import Fit

Array = NDArray[np.float64]
CONTEXTS = (4e3, 8e3, 32e3, 128e3, 512e3, 1e6)
FURTHEST = 1000.0  # largest runs: as far as is looked where nothing bounds training
SAMPLE = 2000  # points kept of every option, beaten or not


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What is looked through: a brief over axes. `said`: the fields of the brief that the user set; `ceiling`: FLOPs of training
    beyond which nothing is looked at; `guessing`: the loss above which a law says nothing."""

    wish: Brief
    laws: Laws
    axes: tuple[Axis, ...]
    seed: int
    said: frozenset[str]
    ceiling: float
    guessing: float

    def sources(self) -> Iterator[Source]:
        """Every option at every context in every precision; the usual contexts where context is an axis and was not set."""
        several = any(axis.name == "context" for axis in self.axes) and "context" not in self.said
        for context in CONTEXTS if several else (self.wish.context,):
            usual = several and "train_context" not in self.said
            trained = min(int(context), USUAL_TRAIN_CONTEXT) if usual else self.wish.train_context
            here = replace(self.wish, context=int(context), train_context=trained)
            for precision in here.precisions:
                yield from self._options(here.served_in(precision))

    def _options(self, wish: Brief) -> Iterator[Source]:
        counted = counts(wish, self.laws.fit.runs.conventions.get("params", "unknown"))
        for option in options(wish.families, vocabulary=wish.vocabulary):
            # One generator per family, so that the doubt about a family is the same for all of its options.
            generator = np.random.default_rng([self.seed, FAMILIES.index(option.family)])
            known = quality(option, self.laws, wish, generator)
            found = source(shapes_of(option, counted), wish, known, self.axes, self.ceiling)
            if len(found.shapes):
                yield found

    def signed(self, some: Points) -> Array:
        """The axes of points, less being better in all of them."""
        return some.axes_NA * np.array([axis.sign for axis in self.axes])

    def unbeaten(self, some: Points) -> Points:
        """Those that no other of them beats."""
        return some.take(unbeaten(self.signed(some)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Designs:
    """What was found: `front`, what no other design beats; `own`, what no other of its family beats; a `sample` of all
    `considered`."""

    sources: tuple[Source, ...]
    front: Points
    own: Mapping[str, Points]
    sample: Points
    considered: int

    @property
    def families(self) -> tuple[str, ...]:
        """Whose the points of the front are."""
        return tuple(self.sources[place].family for place in self.front.source_N)


def asked(fit: Fit, laws: Laws, axes: tuple[Axis, ...], given: Mapping[str, Any], seed: int) -> Asked:
    """What is asked in words, checked."""
    if given.get("objective") not in (None, "loss"):
        raise InputError(
            "a frontier has no objective but its axes", found=given["objective"], remedy="leave --minimise out"
        )
    wish = brief(**with_vocabulary({**given, "open_ended": True}, fit))
    return Asked(
        wish=wish,
        laws=laws,
        axes=axes,
        seed=seed,
        said=frozenset(name for name, value in given.items() if value is not None),
        ceiling=_ceiling(wish, fit),
        guessing=_guessing(wish, fit),
    )


def _ceiling(wish: Brief, fit: Fit) -> float:
    """Where nothing bounds training, a thousand times the largest run."""
    from kleiber.plan.decision import largest_flops

    largest = None if wish.bounded else largest_flops(fit)
    return np.inf if largest is None else FURTHEST * largest


def _guessing(wish: Brief, fit: Fit) -> float:
    """The loss of guessing evenly among all tokens, or bytes."""
    unit = fit.runs.conventions.get("loss", "unknown")
    return {"bits_per_byte": 8.0, "nats_per_byte": float(np.log(256))}.get(unit, float(np.log(wish.vocabulary)))


def designs(question: Asked) -> Designs:
    """Every design, sifted; raises `InputError` where there is none, saying why."""
    sources: list[Source] = []
    survivors, sample, considered = [], [], 0
    generator = np.random.default_rng([question.seed, 20_011])
    for found in question.sources():
        every = points(found, len(sources), question.axes, question.guessing)
        if len(every):
            considered += len(every)
            sources.append(found)
            survivors.append(question.unbeaten(every))
            sample.append(every.take(generator.integers(0, len(every), min(SAMPLE, len(every)))))
    if not considered:
        raise _nothing(question)
    best = joined(survivors)
    family_N = np.array([found.family for found in sources])[best.source_N]
    own = {name: best.take(family_N == name) for name in question.wish.families if (family_N == name).any()}
    return Designs(
        sources=tuple(sources),
        front=question.unbeaten(best),
        own={name: question.unbeaten(mine) for name, mine in own.items()},
        sample=joined(sample),
        considered=considered,
    )


def _nothing(question: Asked) -> InputError:
    """Why there is no design: no shape keeps the limits, or none reaches a loss that is asked for or says anything."""
    target = question.wish.loss_target
    lenient = replace(question, wish=replace(question.wish, loss_target=None), axes=chosen("loss,params"))
    losses = [points(found, 0, lenient.axes).loss_N for found in lenient.sources()]
    least = min((float(loss_N.min()) for loss_N in losses if loss_N.size), default=None)
    if least is None:
        return infeasible.explain(question.wish, question.laws, question.seed)
    if least > question.guessing:
        return InputError(
            "no design within the limits does better than guessing",
            found=f"loss {least:.4g}",
            remedy="relax the limits",
        )
    return InputError("no design within the limits reaches this loss", found=target, expected=f"{least:.4g} or more")
