"""Where a run will end: its final held-out loss from its curve so far, across the decay, with a band.

The way the data takes: a run's curve -> a `Course`, its training loss against the areas under its planned schedule -> the law of
`kleiber.lab.annealing` fitted to its own steps, with the shape (alpha) and the decay's worth (C) that finished runs of its
kind had -> the training loss at its planned end -> `Outlook`, after the same has been done to every finished run at the same
share of its way.

The one idea: what a forecast is worth is measured, not derived. The finished runs are forecast as if they stood where this run
stands, each without knowing its own end; the mean of their errors (the step from training to held-out loss is in it) corrects
this run's forecast, and their scatter is its band: a Student t interval in the log of the loss.

Legend: S steps, K bins of steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from kleiber.lab.annealing import ALPHAS, AnnealingCurve, areas
from kleiber.lab.cell import Cell
from kleiber.lab.recipe import Recipe

if TYPE_CHECKING:
    from kleiber.lab.curve import Curve

Array = NDArray[np.float64]

USUAL_SCATTER = 0.01
USUAL_RUNS = 3
"""Of the log of the loss, before any run has finished, and for how many finished runs that stands."""
BINS = 60
FEWEST_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Course:
    """A run's way so far, after warm-up: mean loss and areas of K bins of steps, and the areas where it is to end."""

    s1_K: Array
    s2_K: Array
    loss_K: Array
    weight_K: Array
    end_s1: float
    end_s2: float
    steps: int
    step: int

    @property
    def share(self) -> float:
        """How much of its steps the run has taken."""
        return self.step / self.steps


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that came to its end: its curve, and the held-out loss it was trained for."""

    cell: Cell
    curve: Curve
    loss: float

    @cached_property
    def course(self) -> Course:
        """All of its way."""
        return course(self.cell, self.curve)

    @cached_property
    def habit(self) -> tuple[float, float]:
        """alpha and C per nat of level, as its whole curve has them."""
        whole = self.course
        fitted = min((_fitted(whole, alpha, None) for alpha in ALPHAS), key=lambda pair: pair[1])[0]
        return fitted.alpha, fitted.worth


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The final held-out loss as it looks at a share of the way: log loss ~ centre + scale · t(freedom)."""

    share: float
    centre: float
    scale: float
    freedom: float

    @property
    def loss(self) -> float:
        """The median, nats per token."""
        return math.exp(self.centre)

    def band(self, level: float = 0.95) -> tuple[float, float]:
        """The interval that should hold the final loss with probability `level`."""
        half = float(stdtrit(self.freedom, (1 + level) / 2)) * self.scale
        return math.exp(self.centre - half), math.exp(self.centre + half)

    def chance_above(self, loss: float) -> float:
        """How probable it is that the run ends worse than `loss`."""
        return float(stdtr(self.freedom, (self.centre - math.log(loss)) / self.scale))


@lru_cache(maxsize=64)
def planned_lr(recipe: Recipe, width: int, tokens: int) -> Array:
    """The rate of every step of a run, (S,): a trunk and its decay."""
    branch = recipe.branch_step(tokens)
    trunk = [recipe.trunk_lr(step, width) for step in range(branch)]
    return np.array(trunk + [recipe.branch_lr(step, width, tokens) for step in range(branch, recipe.steps(tokens))])


def course(cell: Cell, curve: Curve) -> Course:
    """What the law needs of a curve: bins of equal width in log step, from one and a half times the warm-up on."""
    recipe, width = cell.recipe, cell.shape.width
    lr_S = planned_lr(recipe, width, cell.tokens)
    s1_S, s2_S = areas(lr_S, recipe.peak_lr(width))
    step = int(curve.step_S[-1]) if len(curve) else 0
    first = max(1, round(1.5 * recipe.warmup_tokens / recipe.batch_tokens), len(lr_S) // 10)
    kept = (curve.step_S > first) & (curve.step_S <= len(lr_S))
    at_S, loss_S = curve.step_S[kept] - 1, curve.loss_S[kept].astype(float)
    edges = np.geomspace(first, max(step, first + 1), BINS + 1)
    bin_S = np.clip(np.searchsorted(edges, at_S + 1) - 1, 0, BINS - 1)
    count_K = np.bincount(bin_S, minlength=BINS)
    means = [
        np.bincount(bin_S, x, minlength=BINS)[count_K > 0] / count_K[count_K > 0]
        for x in (s1_S[at_S], s2_S[at_S], loss_S)
    ]
    return Course(
        s1_K=means[0],
        s2_K=means[1],
        loss_K=means[2],
        weight_K=count_K[count_K > 0].astype(float),
        end_s1=float(s1_S[-1]),
        end_s2=float(s2_S[-1]),
        steps=len(lr_S),
        step=step,
    )


def related(one: Cell, other: Cell) -> bool:
    """Whether one run tells of the other: same family, context, text and teaching; size, budget and rate may differ."""
    return _kind(one) == _kind(other)


def outlook(cell: Cell, curve: Curve, finished: Sequence[Finished]) -> Outlook | None:
    """Where a run will end; None before a related run has finished, and in the first steps after warm-up.

    The run itself is left out of `finished`.
    """
    kin = _nearest(cell, finished)
    mine = course(cell, curve)
    if not kin or mine.weight_K.sum() < FEWEST_STEPS:
        return None
    guess = _log_end(mine, kin)
    errors = [_hindsight(each, kin, mine.share) for each in kin]
    known = np.array([error for error in errors if error is not None])
    if not known.size:
        return None
    freedom = USUAL_RUNS + known.size - 1
    squares = USUAL_RUNS * USUAL_SCATTER**2 + float(((known - known.mean()) ** 2).sum())
    return Outlook(
        share=mine.share,
        centre=guess + float(known.mean()),
        scale=math.sqrt(squares / freedom * (1 + 1 / known.size)),
        freedom=freedom,
    )


def _hindsight(run: Finished, kin: Sequence[Finished], share: float) -> float | None:
    """By how much the log of a finished run's loss was off what its curve up to `share`, and the other runs, foretold."""
    until = run.course if share >= 1 else course(run.cell, run.curve.until(round(share * run.course.steps)))
    if until.weight_K.sum() < FEWEST_STEPS:
        return None
    others = [each for each in kin if each.cell.run != run.cell.run] or [run]
    return math.log(run.loss) - _log_end(until, others)


def _log_end(so_far: Course, kin: Sequence[Finished]) -> float:
    """Log of the training loss at the planned end."""
    alpha, worth = np.median([each.habit for each in kin], axis=0)
    fitted, _ = _fitted(so_far, float(alpha), float(worth))
    return math.log(float(fitted.at(so_far.end_s1, so_far.end_s2)))


def _fitted(way: Course, alpha: float, worth: float | None) -> tuple[AnnealingCurve, float]:
    """The law closest to the bins, each weighing as its steps, and the sum of squares left; C as given, or fitted too."""
    from scipy.optimize import nnls

    root_K = np.sqrt(way.weight_K)
    columns = [np.ones_like(way.s1_K), way.s1_K**-alpha]
    columns += [-way.s2_K] if worth is None else []
    target_K = way.loss_K + (0.0 if worth is None else worth * way.s2_K)
    solution, left = nnls(np.stack(columns, axis=1) * root_K[:, None], target_K * root_K)
    floor, level = solution[:2]
    return AnnealingCurve(floor=floor, level=level, alpha=alpha, worth=solution[2] if worth is None else worth), left**2


def _nearest(cell: Cell, finished: Sequence[Finished], most: int = 12) -> list[Finished]:
    """The related runs nearest in size and budget."""

    def distance(each: Finished) -> float:
        sizes = (each.cell.shape.params / cell.shape.params, each.cell.tokens / cell.tokens)
        return sum(math.log(ratio) ** 2 for ratio in sizes)

    kin = [each for each in finished if related(each.cell, cell) and each.cell.run != cell.run]
    return sorted(kin, key=distance)[:most]


def _kind(cell: Cell) -> tuple[object, ...]:
    taught = cell.distillation
    teaching = (taught.temperature, taught.mixture) if taught and taught.mixture else None
    return cell.shape.family, cell.shape.context, str(cell.data.facts()), teaching
