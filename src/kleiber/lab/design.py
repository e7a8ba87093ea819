"""Design a ladder: which sizes, budgets and seeds say most for the FLOPs at hand.

The way the data takes: families -> sizes that each can build, on a lattice of half octaves -> every grid of sizes by budgets that
double or quadruple, as long as the FLOPs allow -> the grid that would be surest of forecast and allocation, by a law
believed beforehand -> cells, the same that `read_ladder` makes of the file written -> expected intervals, through the fit.
The one idea: a trunk is trained once. A trunk of the longest budget pays for the shorter ones but for their decays, so a grid of
budgets costs little more than its last column, and that is what is counted.

Legend: S sizes, K budgets, R runs.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kleiber.errors import InputError, Refusal, did_you_mean
from kleiber.lab import FAMILIES
from kleiber.lab.corpus import read_corpus
from kleiber.lab.description import Cell
from kleiber.lab.dial import Dial, Shape
from kleiber.lab.expected import NOISE, PRIOR, TABLES, Expected, doubt, expected_widths
from kleiber.lab.recipe import Recipe
from kleiber.quantity import show, show_flops

SIZES, BUDGETS = (5, 6, 7, 8), (3, 4, 5)
FEWEST = 3
LATTICE = 40  # half octaves above the smallest size: a million times as many params
STEPS = 512  # optimiser steps of the shortest budget, at least
SMALLEST_WIDTH = 16
TOKENS_PER_PARAM = 2.0  # of every run, at least
LEAST_BUDGET = 1e14  # sizes are laid out for this at least, so that a smaller budget can be told what would do
PASSES = 4.0
"""Passes over the text that are preferred at most: up to four are worth nearly as much as new text (Muennighoff et al. 2023)."""
RATES = {"dense": 0.01, "experts": 0.01, "ssm": 0.02, "hybrid": 0.02}
"""The best rate at width 32, which held at all widths tried (docs/commands.md, `kleiber lab run`)."""
BATCH_WINDOWS = 8
WELL_SPENT = 0.9  # of the budget
WARMUP_SHARE = 1 / 16  # of the shortest budget


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


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One run of the ladder and what it adds to the bill: counted training FLOPs and, after a calibration, seconds."""

    cell: Cell
    flops: float
    seconds: float | None

    def to_json(self) -> dict[str, object]:
        """One entry of `runs`."""
        shape = self.cell.shape
        return {
            "run": self.cell.run,
            "trunk": self.cell.trunk,
            "family": shape.family,
            "width": shape.width,
            "depth": shape.depth,
            "params": shape.params,
            "active_params": shape.active_params,
            "tokens": self.cell.tokens,
            "seed": self.cell.seed,
            "flops": self.flops,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, kw_only=True)
class Design:
    """A ladder with its price and what it may be expected to tell."""

    budget: float
    rungs: tuple[Rung, ...]
    expected: Mapping[str, Mapping[str, Expected]]
    remarks: tuple[str, ...]
    noise: float
    seed: int

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The runs in the order of training."""
        return tuple(rung.cell for rung in self.rungs)

    @property
    def flops(self) -> float:
        """Training FLOPs of everything, every product counted and every stretch of a trunk once."""
        return sum(rung.flops for rung in self.rungs)

    @property
    def hours(self) -> float | None:
        """Time of one process for all runs, one after the other."""
        seconds = [rung.seconds for rung in self.rungs if rung.seconds is not None]
        return sum(seconds) / 3600 if len(seconds) == len(self.rungs) else None

    def to_json(self) -> dict[str, object]:
        """The design as `kleiber/ladder/1`."""
        widths = {
            family: {name: found.to_json() for name, found in entries.items()}
            for family, entries in self.expected.items()
        }
        return {
            "schema": "kleiber/ladder/1",
            "runs": [rung.to_json() for rung in self.rungs],
            "flops": self.flops,
            "hours": self.hours,
            "expected_ci95": widths,
            "budget": self.budget,
            "noise": self.noise,
            "remarks": list(self.remarks),
            "seed": self.seed,
        }


def design(
    budget: float,
    families: Sequence[str] = ("dense",),
    *,
    corpus: str = "sotu",
    law: Mapping[str, float] = PRIOR,
    noise: float = NOISE,
    seed: int = 0,
    tables: int = TABLES,
) -> Design:
    """The ladder that would forecast best for `budget` counted training FLOPs, the same sizes and budgets in every family.

    `law`: E, A, B, alpha and beta believed beforehand; `noise`: relative standard deviation of the loss between seeds;
    `tables`: how many are simulated (0: no intervals). `timed` adds the time.

    Raises `InputError` for an unknown family, `Refusal` where 3 sizes by 3 budgets cost more.

    >>> found = design(1e13, corpus="sotu", tables=0)
    >>> len({cell.shape.params for cell in found.cells}) >= 5, found.flops <= 1e13
    (True, True)
    """
    _check(budget, families, noise)
    unique = read_corpus(corpus).unique_train_bytes
    lattice = {
        family: _sizes(family, smallest=_smallest(families), budget=max(budget, LEAST_BUDGET)) for family in families
    }
    grid = _best(budget, lattice, law, unique)
    cells = _cells(grid, lattice, corpus)
    return Design(
        budget=budget,
        rungs=tuple(_priced(cells)),
        expected={
            family: expected_widths(
                [c for c in cells if c.shape.family == family], law, noise=noise, seed=seed, tables=tables
            )
            for family in families
        },
        remarks=tuple(_remarks(grid, unique, spent=_per_token(grid, lattice) * grid.shortest / budget)),
        noise=noise,
        seed=seed,
    )


def recipe_of(family: str, shortest: int) -> Recipe:
    """How a designed ladder is trained: the rate transfers over widths, warm-up takes a sixteenth of the shortest budget."""
    usual = Recipe(batch_windows=BATCH_WINDOWS, transfer=True, lr=RATES[family])
    return replace(usual, warmup_tokens=max(usual.batch_tokens, round(shortest * WARMUP_SHARE)))


def to_toml(found: Design, *, name: str, hardware: str) -> str:
    """The ladder as `read_ladder` takes it: one stage per family, and one for its second seeds."""
    first = found.cells[0]
    lines = [f"name = {json.dumps(name)}", f"corpus = {json.dumps(first.corpus)}", f"hardware = {json.dumps(hardware)}"]
    lines += [f'family = "{first.shape.family}"', "", "[shape]", f"depth = {first.shape.depth}", "", "[recipe]"]
    for key in ("context", "batch_windows", "lr", "warmup_tokens", "decay_fraction", "transfer"):
        lines.append(f"{key} = {json.dumps(getattr(first.recipe, key))}")
    for family in dict.fromkeys(cell.shape.family for cell in found.cells):
        for seed in (0, 1):
            cells = [cell for cell in found.cells if cell.shape.family == family and cell.seed == seed]
            lines += ["", "[[stage]]", f'family = "{family}"', f"shape = {{ depth = {cells[0].shape.depth} }}"]
            lines.append(f"sizes = {list(dict.fromkeys(cell.shape.active_params for cell in cells))}")
            lines.append(f"tokens = {list(dict.fromkeys(cell.tokens for cell in cells))}")
            lines += [f"seeds = [{seed}]", f"recipe = {{ lr = {cells[0].recipe.lr} }}"]
    return "\n".join(lines) + "\n"


def _check(budget: float, families: Sequence[str], noise: float) -> None:
    for family in families:
        if family not in FAMILIES:
            raise InputError("no such family of models", found=repr(family), remedy=did_you_mean(family, FAMILIES))
    if not families or len(set(families)) < len(families):
        raise InputError("name each family once", found=", ".join(families) or "nothing")
    if not (math.isfinite(budget) and budget > 0):
        raise InputError("the budget must be a positive number of FLOPs", found=budget)
    if not 0 < noise < 0.5:
        raise InputError("the noise is a share of the loss", found=noise, expected="a number such as 0.007")


@functools.cache
def _dial(family: str) -> Dial:
    # One depth at all sizes: the rate is carried over widths, not over depths.
    return Dial(family=family, depth=Dial.attention_every if family == "hybrid" else 2)


def _smallest(families: Sequence[str]) -> int:
    context = Recipe.context
    return max(_dial(family).at_width(SMALLEST_WIDTH, context=context).active_params for family in families)


@functools.cache
def _sizes(family: str, *, smallest: int, budget: float) -> tuple[Shape, ...]:
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


def _best(budget: float, lattice: Mapping[str, tuple[Shape, ...]], law: Mapping[str, float], unique: int) -> Grid:
    """The surest grid; fewer sizes, then more passes over the text, only where it must be."""
    for counts in (SIZES, (4,), (FEWEST,)):
        for longest in (PASSES * unique, math.inf):
            if found := list(_grids(budget, lattice, counts, longest)):
                return min(found, key=lambda grid: _doubt(grid, lattice, law, budget))
    least = min(
        _per_token(grid, lattice) * STEPS * _batch_tokens()
        for grid in _shapes_of_grids(lattice, (FEWEST,))
        if grid.budgets == FEWEST
    )
    raise Refusal(
        f"{show_flops(budget)} FLOP do not pay for {FEWEST} sizes by {FEWEST} budgets.",
        remedy=f"a budget of {show_flops(1.01 * least)} FLOP, or fewer families",
    )


def _grids(
    budget: float, lattice: Mapping[str, tuple[Shape, ...]], counts: Sequence[int], longest: float
) -> Iterator[Grid]:
    """Every grid that fits, with budgets as long as the FLOPs and `longest` allow."""
    unit = 4 * _batch_tokens()  # a quarter of every budget is whole steps: nothing is rounded
    for grid in _shapes_of_grids(lattice, counts):
        allowed = min(budget / _per_token(grid, lattice), longest / grid.factor ** (grid.budgets - 1))
        shortest = int(allowed / unit) * unit
        largest = max(shapes[grid.points[-1]].active_params for shapes in lattice.values())
        if shortest >= max(STEPS * _batch_tokens(), TOKENS_PER_PARAM * largest):
            yield replace(grid, shortest=shortest)


def _shapes_of_grids(lattice: Mapping[str, tuple[Shape, ...]], counts: Sequence[int]) -> Iterator[Grid]:
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


def _per_token(grid: Grid, lattice: Mapping[str, tuple[Shape, ...]]) -> float:
    """Counted FLOPs of the whole ladder per token of the shortest budget."""
    share = Recipe.decay_fraction
    lengths = [grid.factor**number for number in range(grid.budgets)]
    trunk, again = lengths[-1] + share * sum(lengths[:-1]), lengths[1] + share
    total = 0.0
    for shapes in lattice.values():
        costs = [shapes[point].counted_flops_per_token for point in grid.points]
        total += trunk * sum(costs) + again * sum(costs[: grid.twice])
    return total


def _doubt(grid: Grid, lattice: Mapping[str, tuple[Shape, ...]], law: Mapping[str, float], budget: float) -> float:
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


def _cells(grid: Grid, lattice: Mapping[str, tuple[Shape, ...]], corpus: str) -> list[Cell]:
    cells = []
    for family, shapes in lattice.items():
        recipe = recipe_of(family, grid.shortest)
        for seed, count, tokens in ((0, grid.count, grid.tokens), (1, grid.twice, grid.tokens[:2])):
            cells += [
                Cell(shape=shapes[point], tokens=length, seed=seed, recipe=recipe, corpus=corpus)
                for length in tokens
                for point in grid.points[:count]
            ]
    return cells


def _priced(cells: Sequence[Cell]) -> Iterator[Rung]:
    """What each run adds: its trunk from where the last run of it branched off, and its own decay."""
    reached: dict[str, int] = {}
    for cell in cells:
        branch = cell.recipe.branch_step(cell.tokens)
        steps = cell.recipe.steps(cell.tokens) - reached.get(cell.trunk, 0)
        reached[cell.trunk] = branch
        flops = float(cell.shape.counted_flops_per_token * steps * cell.recipe.batch_tokens)
        yield Rung(cell=cell, flops=flops, seconds=None)


def _remarks(grid: Grid, unique: int, *, spent: float) -> Iterator[str]:
    if grid.count < SIZES[0]:
        yield f"The budget pays for {grid.count} sizes, not {SIZES[0]}: the intervals rest on few."
    if grid.tokens[-1] > unique:
        passes = grid.tokens[-1] / unique
        yield f"The longest budget goes {passes:.1f} times over the {show(unique)} bytes of text: repetition enters the fit."
    if spent < WELL_SPENT:
        yield f"{1 - spent:.0%} of the budget is left: longer runs would only repeat the text. More text would let it be used."


def _batch_tokens() -> int:
    return BATCH_WINDOWS * Recipe.context


def timed(found: Design) -> Design:
    """The design with the seconds of every run, after ten seconds of training on this machine."""
    from kleiber.lab.calibration import calibrate

    measured = calibrate(found.cells, read_corpus(found.cells[0].corpus))
    rungs = [replace(rung, seconds=measured.seconds(rung.cell.shape, rung.flops)) for rung in found.rungs]
    return replace(found, rungs=tuple(rungs))


def write(found: Design, path: str | Path, *, name: str) -> None:
    """Write the ladder whole or not at all; `kleiber lab run` takes it as it is."""
    from kleiber.fit.store import write_whole

    hardware = f"{os.cpu_count()}-core {platform.machine()} CPU, 1 thread per run"
    write_whole(Path(path), to_toml(found, name=name, hardware=hardware))
