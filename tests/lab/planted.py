"""Curves with a known law: runs that train in no time and end where they were told to."""

from __future__ import annotations

import math

import numpy as np

from kleiber.lab.annealing import AnnealingCurve, Habit
from kleiber.lab.cell import Cell
from kleiber.lab.curve import Curve
from kleiber.lab.outlook import Finished, planned
from kleiber.lab.recipe import Recipe
from kleiber.lab.shape import DenseShape

RECIPE = Recipe(context=64, batch_windows=16, warmup_tokens=51_200)
HABIT = Habit(alpha=0.4, memory=2, worth=0.003)
"""The alpha is one of the grid's; the memory is 0.97."""

GAP = -0.015
"""Held-out loss below the training loss at the end, in logs."""


def cell(*, width: int = 16, tokens: int = 1_024_000, seed: int = 0, recipe: Recipe = RECIPE) -> Cell:
    """A dense run on no corpus."""
    shape = DenseShape(width=width, depth=1, hidden=2 * width, context=recipe.context)
    return Cell(shape=shape, tokens=tokens, seed=seed, recipe=recipe, corpus="none")


def healthy_loss(run: Cell) -> float:
    """Where a run of that size and budget ends when nothing is wrong: Chinchilla's form, in nats per token."""
    return 0.9 + 20.0 / run.shape.active_params**0.4 + 500.0 / run.tokens**0.5


def trained(
    run: Cell, rng: np.random.Generator, *, worse: float = 0.0, step_noise: float = 0.07, end_noise: float = 0.004
) -> Finished:
    """A whole run: a curve by the law with noise in every step, and a held-out loss `worse` than healthy by that share."""
    s1_S, s2_MS = planned(run.recipe, run.shape.width, run.tokens)
    target = healthy_loss(run) * (1 + worse) * math.exp(end_noise * rng.normal())
    level = 6.0 * (1 + 0.1 * rng.normal())
    floor = target * math.exp(-GAP) - level * s1_S[-1] ** -HABIT.alpha + HABIT.worth * s2_MS[HABIT.memory, -1]
    law = AnnealingCurve(floor=floor, level=level, habit=HABIT)
    loss_S = np.array([law.at(s1, s2_M) for s1, s2_M in zip(s1_S, s2_MS.T, strict=True)])
    loss_S += step_noise * rng.normal(size=loss_S.size)
    step_S = np.arange(1, loss_S.size + 1)
    lr_S = np.ones(loss_S.size)
    tokens_S = step_S * run.recipe.batch_tokens
    curve = Curve(
        step_S=step_S, tokens_S=tokens_S, loss_S=loss_S.astype(np.float32), lr_S=lr_S, wall_seconds_S=0.01 * step_S
    )
    return Finished(cell=run, curve=curve, loss=target * math.exp(end_noise * rng.normal()))


def ladder(rng: np.random.Generator, *, step_noise: float = 0.07, end_noise: float = 0.004) -> list[Finished]:
    """Nine finished runs: three sizes at three budgets."""
    cells = [cell(width=width, tokens=tokens) for width in (8, 16, 24) for tokens in (512_000, 1_024_000, 2_048_000)]
    return [trained(each, rng, step_noise=step_noise, end_noise=end_noise) for each in cells]
