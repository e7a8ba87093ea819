"""Which grid of sizes and budgets is surest for the FLOPs at hand.

The way the data takes: families -> sizes that each can build, on a lattice of half octaves -> every grid of them by budgets that
double or quadruple, as long as the FLOPs and the text allow -> the one that would be surest of forecast and allocation, by a law
believed beforehand.
The one idea: a trunk is trained once. A trunk of the longest budget pays for the shorter ones but for their decays, so a grid of
budgets costs little more than its last column, and that is what is counted.

Legend: R runs.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kleiber.errors import Refusal
from kleiber.lab.dial import Dial, Shape
from kleiber.lab.expected import doubt
from kleiber.lab.recipe import Recipe
from kleiber.quantity import show_flops

SIZES, BUDGETS = (5, 6, 7, 8), (3, 4, 5)
FEWEST = 3
LATTICE = 40  # half octaves above the smallest size: a million times as many params
STEPS = 512  # optimiser steps of the shortest budget, at least
SMALLEST_WIDTH = 16
TOKENS_PER_PARAM = 2.0  # of every run, at least
LEAST_BUDGET = 1e14  # sizes are laid out for this at least, so that a smaller budget can be told what would do
PASSES = 4.0
"""Passes over the text that are preferred at most: up to four are worth nearly as much as new text (Muennighoff et al. 2023)."""
BATCH_WINDOWS = 8
Lattice = Mapping[str, tuple[Shape, ...]]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """`count` sizes from lattice point `first` on, `stride` half octaves apart; budgets grow `factor`-fold from `shortest` on.

    The smaller half of the sizes has a second seed at the two shortest budgets.
    """

    first: int
    stride: int
    count: int
    budgets: int
    factor: int
    shortest: int = 0

    @property
    def points(self) -> range:
        """Places of the sizes on the lattice."""
        return range(self.first, self.first + self.stride * self.count, self.stride)

    @property
    def tokens(self) -> list[int]:
        """The budgets, shortest first."""
        return [self.shortest * self.factor**number for number in range(self.budgets)]

    @property
    def twice(self) -> int:
        """How many sizes, the smallest, have a second seed."""
        return -(-self.count // 2)


@functools.cache
def _dial(family: str) -> Dial:
    # One depth at all sizes: the rate is carried over widths, not over depths.
    return Dial(family=family, depth=Dial.attention_every if family == "hybrid" else 2)


def smallest_size(families: Sequence[str]) -> int:
    """Active params of the smallest rung: what the largest of the families has at `SMALLEST_WIDTH`."""
    context = Recipe.context
    return max(_dial(family).at_width(SMALLEST_WIDTH, context=context).active_params for family in families)


@functools.cache
def sizes_of(family: str, *, smallest: int, budget: float) -> tuple[Shape, ...]:
    """The lattice as the family can build it (near sizes may be one shape), up to what a single run can cost."""
    found: list[Shape] = []
    for point in range(LATTICE):
        wanted = smallest * 2 ** (point / 2)
        shape = _dial(family).at_size(wanted, context=Recipe.context)
        beyond_dial = abs(math.log(shape.active_params / wanted)) > 0.5
        if found and (beyond_dial or shape.counted_flops_per_token * STEPS * _batch_tokens() > budget):
            break
        found.append(shape)
    return tuple(found)


def surest(budget: float, lattice: Lattice, law: Mapping[str, float], unique: int) -> Grid:
    """The surest grid; fewer sizes, then more passes over the text, only where it must be."""
    for counts in (SIZES, (4,), (FEWEST,)):
        for longest in (PASSES * unique, math.inf):
            if found := list(_grids(budget, lattice, counts, longest)):
                return min(found, key=lambda grid: _doubt(grid, lattice, law, budget))
    least = min(
        flops_per_token(grid, lattice) * STEPS * _batch_tokens()
        for grid in _shapes_of_grids(lattice, (FEWEST,))
        if grid.budgets == FEWEST
    )
    raise Refusal(
        f"{show_flops(budget)} FLOP do not pay for {FEWEST} sizes by {FEWEST} budgets.",
        remedy=f"a budget of {show_flops(1.01 * least)} FLOP, or fewer families",
    )


def _grids(budget: float, lattice: Lattice, counts: Sequence[int], longest: float) -> Iterator[Grid]:
    """Every grid that fits, with budgets as long as the FLOPs and `longest` allow."""
    unit = 4 * _batch_tokens()  # a quarter of every budget is whole steps: nothing is rounded
    for grid in _shapes_of_grids(lattice, counts):
        allowed = min(budget / flops_per_token(grid, lattice), longest / grid.factor ** (grid.budgets - 1))
        shortest = int(allowed / unit) * unit
        largest = max(shapes[grid.points[-1]].active_params for shapes in lattice.values())
        if shortest >= max(STEPS * _batch_tokens(), TOKENS_PER_PARAM * largest):
            yield replace(grid, shortest=shortest)


def _shapes_of_grids(lattice: Lattice, counts: Sequence[int]) -> Iterator[Grid]:
    end = min(len(shapes) for shapes in lattice.values())
    for count in counts:
        for stride in (2, 3, 4):
            for budgets in BUDGETS:
                for first, factor in itertools.product(range(max(0, end - stride * (count - 1))), (2, 4)):
                    grid = Grid(first=first, stride=stride, count=count, budgets=budgets, factor=factor)
                    if all(_rises([shapes[point].width for point in grid.points]) for shapes in lattice.values()):
                        yield grid


def _rises(widths: Sequence[int]) -> bool:
    return all(low < high for low, high in itertools.pairwise(widths))


def flops_per_token(grid: Grid, lattice: Mapping[str, tuple[Shape, ...]]) -> float:
    """Counted FLOPs of the whole ladder per token of the shortest budget."""
    share = Recipe.decay_fraction
    lengths = [grid.factor**number for number in range(grid.budgets)]
    trunk, again = lengths[-1] + share * sum(lengths[:-1]), lengths[1] + share
    total = 0.0
    for shapes in lattice.values():
        costs = [shapes[point].counted_flops_per_token for point in grid.points]
        total += trunk * sum(costs) + again * sum(costs[: grid.twice])
    return total


def _doubt(grid: Grid, lattice: Lattice, law: Mapping[str, float], budget: float) -> float:
    """The first family's doubt: of allocation, and of a forecast at ten times the budget, shared as the law holds best."""
    shapes = next(iter(lattice.values()))
    rows = [
        (shapes[point].active_params, tokens, 2 * n) for n, point in enumerate(grid.points) for tokens in grid.tokens
    ]
    rows += [
        (params, tokens, trunk + 1)
        for params, tokens, trunk in rows
        if trunk < 2 * grid.twice and tokens in grid.tokens[:2]
    ]
    params_R, tokens_R, trunk_R = np.array(rows, dtype=float).T
    total = law["alpha"] + law["beta"]
    lever = (law["alpha"] * law["A"] / (law["beta"] * law["B"])) ** (1 / total)
    params = lever * (10 * budget / 6) ** (law["beta"] / total)
    return doubt(law, params_R, tokens_R, trunk_R, (params, 10 * budget / 6 / params))


def _batch_tokens() -> int:
    return BATCH_WINDOWS * Recipe.context
