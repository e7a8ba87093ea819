"""Where a run will end: its final held-out loss from its curve so far, across the decay, with a band.

The way the data takes: a run's curve -> a `Course`, its training loss against the areas under its planned schedule -> the law of
`kleiber.lab.annealing`, floor and level from its own steps, trunk's shape and decay's worth from finished runs of its kind -> the
training loss at its planned end -> `Outlook`, after the same has been done to every finished run at the same share of its way.

The one idea: what a forecast is worth is measured, not derived. The finished runs are forecast as if they stood where this run
stands, each without knowing its own end; the mean of their errors (the step from training to held-out loss is in it) corrects
this run's forecast, and their scatter is its band: a Student t interval in the log of the loss.

Legend: S steps, K bins of steps, M memories.
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

from kleiber.lab.annealing import ALPHAS, MEMORIES, AnnealingCurve, Habit, areas
from kleiber.lab.cell import Cell
from kleiber.lab.recipe import Recipe

if TYPE_CHECKING:
    from kleiber.lab.curve import Curve

Array = NDArray[np.float64]

USUAL_SCATTER = 0.01
USUAL_RUNS = 3
"""Of the log of the loss, before any run has finished, and for how many finished runs that stands."""
BINS = 60
WARM_UPS = 1.5
FEWEST_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Course:
    """A run's way so far, after warm-up: mean loss and areas of K bins of steps, and the areas where it is to end."""

    s1_K: Array
    s2_MK: Array
    loss_K: Array
    weight_K: Array
    end_s1: float
    end_s2_M: Array
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
    def habits(self) -> tuple[Habit, ...]:
        """For each memory the alpha and the worth of a decay that its whole curve has."""
        return tuple(self._habit(memory) for memory in range(len(MEMORIES)))

    def _habit(self, memory: int) -> Habit:
        return min((_own_habit(self.course, alpha, memory) for alpha in ALPHAS), key=lambda pair: pair[1])[0]


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


@lru_cache(maxsize=256)
def planned(recipe: Recipe, width: int, tokens: int) -> tuple[Array, Array]:
    """The areas after every step of a run, S1 (S,) and S2 (M, S): a trunk and its decay."""
    branch = recipe.branch_step(tokens)
    trunk = [recipe.trunk_lr(step, width) for step in range(branch)]
    decay = [recipe.branch_lr(step, width, tokens) for step in range(branch, recipe.steps(tokens))]
    return areas(np.array(trunk + decay), recipe.peak_lr(width))


def course(cell: Cell, curve: Curve) -> Course:
    """What the law needs of a curve: bins of equal width in log step, from one and a half times the warm-up on."""
    recipe = cell.recipe
    s1_S, s2_MS = planned(recipe, cell.shape.width, cell.tokens)
    steps = s1_S.size
    step = int(curve.step_S[-1]) if len(curve) else 0
    first = max(1, round(WARM_UPS * recipe.warmup_tokens / recipe.batch_tokens), steps // 10)
    kept = (curve.step_S > first) & (curve.step_S <= steps)
    at_S = curve.step_S[kept] - 1
    edges = np.geomspace(first, max(step, first + 1), BINS + 1)
    bin_S = np.clip(np.searchsorted(edges, at_S + 1) - 1, 0, BINS - 1)
    count_K = np.bincount(bin_S, minlength=BINS)
    full = count_K > 0

    def mean(of_S: Array) -> Array:
        return np.bincount(bin_S, of_S, minlength=BINS)[full] / count_K[full]

    return Course(
        s1_K=mean(s1_S[at_S]),
        s2_MK=np.stack([mean(s2_S[at_S]) for s2_S in s2_MS]),
        loss_K=mean(curve.loss_S[kept].astype(float)),
        weight_K=count_K[full].astype(float),
        end_s1=float(s1_S[-1]),
        end_s2_M=s2_MS[:, -1],
        steps=steps,
        step=step,
    )


def related(one: Cell, other: Cell) -> bool:
    """Whether one run tells of the other: same family, context, text and teaching; size, budget and rate may differ."""
    return _kind(one) == _kind(other)


def outlook(cell: Cell, curve: Curve, finished: Sequence[Finished]) -> Outlook | None:
    """Where a run will end; None before a related run has finished, in the first steps after warm-up and for a loss that is none.

    The run itself is left out of `finished`.
    """
    kin = _nearest(cell, finished)
    mine = course(cell, curve)
    if not kin or mine.weight_K.sum() < FEWEST_STEPS or not np.isfinite(mine.loss_K).all():
        return None
    memory = shared_habit(kin).memory
    guess = _log_end(mine, typical([each.habits[memory] for each in kin]))
    errors = [_hindsight(each, kin, memory, mine.share) for each in kin]
    known = np.array([error for error in errors if error is not None and math.isfinite(error)])
    if not known.size or not math.isfinite(guess):
        return None
    freedom = USUAL_RUNS + known.size - 1
    squares = USUAL_RUNS * USUAL_SCATTER**2 + float(((known - known.mean()) ** 2).sum())
    return Outlook(
        share=mine.share,
        centre=guess + float(known.mean()),
        scale=math.sqrt(squares / freedom * (1 + 1 / known.size)),
        freedom=freedom,
    )


def _hindsight(run: Finished, kin: Sequence[Finished], memory: int, share: float) -> float | None:
    """By how much the log of a finished run's loss was off what its curve up to `share`, and the other runs, foretold."""
    until = run.course if share >= 1 else course(run.cell, run.curve.until(round(share * run.course.steps)))
    if until.weight_K.sum() < FEWEST_STEPS:
        return None
    others = [each.habits[memory] for each in kin if each is not run] or [run.habits[memory]]
    return math.log(run.loss) - _log_end(until, typical(others))


def _log_end(so_far: Course, habit: Habit) -> float:
    """Log of the training loss at the planned end; NaN where the law falls below nothing, as near a loss of zero it may."""
    fitted, _ = _fitted(so_far, habit)
    loss = fitted.at(so_far.end_s1, so_far.end_s2_M)
    return math.log(loss) if loss > 0 else math.nan


def shared_habit(kin: Sequence[Finished]) -> Habit:
    """The typical habit, at the memory with which one worth explains the decays of all: short ones and long ones."""
    trials = [typical([each.habits[memory] for each in kin]) for memory in range(len(MEMORIES))]
    return min(trials, key=lambda habit: sum(_fitted(each.course, habit)[1] for each in kin))


def typical(habits: Sequence[Habit]) -> Habit:
    """The median of habits of one memory."""
    return Habit(
        alpha=float(np.median([habit.alpha for habit in habits])),
        memory=habits[0].memory,
        worth=float(np.median([habit.worth for habit in habits])),
    )


def _fitted(way: Course, habit: Habit) -> tuple[AnnealingCurve, float]:
    """The law closest to the bins, each weighing as its steps, and the sum of squares left."""
    target_K = way.loss_K + habit.worth * way.s2_MK[habit.memory]
    (floor, level), left = _least_squares(way, [np.ones_like(way.s1_K), way.s1_K**-habit.alpha], target_K)
    return AnnealingCurve(floor=floor, level=level, habit=habit), left


def _own_habit(way: Course, alpha: float, memory: int) -> tuple[Habit, float]:
    """The worth of its decay to one run, with an alpha and a memory given, and the sum of squares left."""
    columns = [np.ones_like(way.s1_K), way.s1_K**-alpha, -way.s2_MK[memory]]
    (_, _, worth), left = _least_squares(way, columns, way.loss_K)
    return Habit(alpha=alpha, memory=memory, worth=worth), left


def _least_squares(way: Course, columns: list[Array], target_K: Array) -> tuple[list[float], float]:
    """Coefficients, none below 0, and the weighted sum of squares left."""
    from scipy.optimize import nnls

    root_K = np.sqrt(way.weight_K)
    solution, left = nnls(np.stack(columns, axis=1) * root_K[:, None], target_K * root_K)
    return [float(each) for each in solution], float(left) ** 2


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
