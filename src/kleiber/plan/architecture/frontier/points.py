"""Points: shapes of an option, each served some way and trained for many lengths, with the axes as columns.

The way the data takes: option + brief at one context -> shapes with counts -> ways to serve -> tokens between 0.05 and 10,000
per param that the limits leave, and all that they leave -> loss of the point estimate -> one row per point.
The one idea: the loss falls with tokens and only what is paid for training grows with them; so unless that is an axis nothing
but the most tokens matters.

Legend: M shapes (and ways), T lengths of training, N points, A axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.budgets import Budget, budgets, most_tokens, uses
from kleiber.plan.architecture.frontier.axes import AXES, Axis, known
from kleiber.plan.architecture.frontier.ways import ways
from kleiber.plan.architecture.quality import Quality
from kleiber.plan.architecture.shapes import Shapes

Array = NDArray[np.float64]
LEAST_RATIO, MOST_RATIO, LENGTHS = 0.05, 1e4, 40  # tokens per param


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Shapes of one option at one context, served, with what they use and how good they are.

    `ceiling`: the most FLOPs of training that are looked at, beside the brief's limits."""

    shapes: Shapes
    used: dict[str, Budget]
    quality: Quality
    brief: Brief
    ceiling: float = np.inf

    @property
    def family(self) -> str:
        """The family of the option."""
        return self.shapes.option.family

    def at(self, name: str, row_N: NDArray[np.intp], tokens_N: Array, loss_N: Array) -> Array:
        """The axis `name` at points; NaN where the brief does not say what it takes."""
        if not known(AXES[name], self.brief):
            return np.full(len(row_N), np.nan)
        price = self.brief.price_now or 1.0
        match name:
            case "loss":
                return loss_N
            case "training_flops":
                return self.shapes["train_flops"][row_N] * tokens_N
            case "training_cost":
                return self.used["cost"].rate_M[row_N] * tokens_N * price
            case "training_days":
                return self.used["days"].rate_M[row_N] * tokens_N
            case "serving_cost":
                return self.used["cost"].served_M[row_N] * (self.brief.serve_tokens.median or 1e6) * price
            case "memory_gb":
                return (self.shapes["memory_bytes"] * self.shapes["devices"])[row_N] / 1e9
            case "context":
                return np.full(len(row_N), float(self.brief.context))
            case "params":
                return self.shapes["params"][row_N]
            case _:
                return 1e3 * self.shapes[name.replace("_ms", "_s")][row_N]


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """Points of several sources: which, which row of it, tokens, the loss of the point estimate, and the axes as given."""

    source_N: NDArray[np.intp]
    row_N: NDArray[np.intp]
    tokens_N: Array
    loss_N: Array
    axes_NA: Array

    def __len__(self) -> int:
        return len(self.tokens_N)

    def take(self, kept: NDArray[np.intp] | NDArray[np.bool_]) -> Points:
        """Some of them."""
        return Points(**{name: column[kept] for name, column in vars(self).items()})


def joined(parts: Sequence[Points]) -> Points:
    """All points of several."""
    return Points(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def source(shapes: Shapes, wish: Brief, quality: Quality, axes: Sequence[Axis], ceiling: float) -> Source:
    """The shapes of an option, served in every way worth a look."""
    served = ways(shapes, wish, axes)
    return Source(shapes=served, used=uses(served, wish), quality=quality, brief=wish, ceiling=ceiling)


def points(found: Source, place: int, axes: Sequence[Axis], guessing: float = np.inf) -> Points:
    """Every point of a source; `place` is what it is known by; `guessing`: a loss that needs no training, above which none is."""
    tokens_TM = lengths(found, axes)
    length_N, row_N = np.nonzero(np.isfinite(tokens_TM))
    tokens_N = tokens_TM[length_N, row_N]
    loss_N = found.quality.loss(found.shapes["params"][row_N], tokens_N[None, :], slice(0, 1))[0]
    values = [found.at(axis.name, row_N, tokens_N, loss_N) for axis in axes]
    whole = Points(
        source_N=np.full(len(row_N), place),
        row_N=row_N,
        tokens_N=tokens_N,
        loss_N=loss_N,
        axes_NA=np.stack(values, axis=1),
    )
    target = min(guessing, np.inf if found.brief.loss_target is None else found.brief.loss_target)
    return whole.take(np.isfinite(whole.axes_NA).all(axis=1) & np.isfinite(loss_N) & (loss_N <= target))


def lengths(found: Source, axes: Sequence[Axis]) -> Array:
    """Tokens (T, M) to try: a grid per param as far as the limits leave them, and the most that they leave; NaN elsewhere."""
    params_M = found.shapes["params"]
    limits = budgets(found.used, found.brief)
    left = most_tokens(limits, found.brief.serve_tokens.median, found.brief.price_now or 1.0)
    most_M = np.minimum(np.minimum(left, found.ceiling / found.shapes["train_flops"]), MOST_RATIO * params_M)
    most_M = np.where(most_M >= LEAST_RATIO * params_M, most_M, np.nan)
    sides = {axis.side for axis in axes}
    if "training" not in sides and found.quality.rounding is None:  # rounding costs more the longer the training
        return most_M[None, :]
    grid_TM = np.geomspace(LEAST_RATIO, MOST_RATIO, LENGTHS)[:, None] * params_M
    below_TM = np.where(grid_TM < most_M * (1 - 1e-9), grid_TM, np.nan)
    return np.concatenate([below_TM, most_M[None, :]])
