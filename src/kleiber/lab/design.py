"""Design a ladder: which runs say most for the FLOPs at hand, what they cost, and what they will tell.

The way the data takes: families and a budget -> the surest grid (`grid`) -> cells, the same that `read_ladder` makes of the file
written -> the price of each, every stretch of a trunk counted once -> expected intervals, through the fit (`expected`).
The one idea: what a ladder will be able to say is known before it is trained, so it is said then.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kleiber.errors import InputError, did_you_mean
from kleiber.lab import FAMILIES
from kleiber.lab.cell import Cell
from kleiber.lab.corpus import read_corpus
from kleiber.lab.expected import NOISE, PRIOR, TABLES, Expected, expected_widths
from kleiber.lab.grid import (
    BATCH_WINDOWS,
    LEAST_BUDGET,
    SIZES,
    Grid,
    Lattice,
    flops_per_token,
    sizes_of,
    smallest_size,
    surest,
)
from kleiber.lab.recipe import Recipe
from kleiber.quantity import show

RATES = {"dense": 0.01, "experts": 0.01, "ssm": 0.02, "hybrid": 0.02}
"""The best rate at width 32, which held at all widths tried (docs/commands.md, `kleiber lab run`)."""
WELL_SPENT = 0.9  # of the budget
WARMUP_SHARE = 1 / 16  # of the shortest budget


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
    noise: Mapping[str, float]
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
            "noise": dict(self.noise),
            "remarks": list(self.remarks),
            "seed": self.seed,
        }


def design(
    budget: float,
    families: Sequence[str] = ("dense",),
    *,
    corpus: str = "sotu",
    law: Mapping[str, float] = PRIOR,
    noise: float | None = None,
    seed: int = 0,
    tables: int = TABLES,
) -> Design:
    """The ladder that would forecast best for `budget` counted training FLOPs, the same sizes and budgets in every family.

    `law`: E, A, B, alpha and beta believed beforehand; `noise`: relative standard deviation of the loss between seeds
    (None: each family's own, `expected.NOISE`); `tables`: how many are simulated (0: no intervals). `timed` adds the time.

    Raises `InputError` for an unknown family, `Refusal` where 3 sizes by 3 budgets cost more.

    >>> found = design(1e13, corpus="sotu", tables=0)
    >>> len({cell.shape.params for cell in found.cells}) >= 5, found.flops <= 1e13
    (True, True)
    """
    scatter = {family: NOISE.get(family, 0.0) if noise is None else noise for family in families}
    _check(budget, families, scatter)
    unique = read_corpus(corpus).unique_train_tokens
    lattice = {
        family: sizes_of(family, smallest=smallest_size(families), budget=max(budget, LEAST_BUDGET))
        for family in families
    }
    grid = surest(budget, lattice, law, unique)
    cells = _cells(grid, lattice, corpus)
    return Design(
        budget=budget,
        rungs=tuple(_priced(cells)),
        expected={
            family: expected_widths(
                [c for c in cells if c.shape.family == family], law, noise=scatter[family], seed=seed, tables=tables
            )
            for family in families
        },
        remarks=tuple(_remarks(grid, unique, spent=flops_per_token(grid, lattice) * grid.shortest / budget)),
        noise=scatter,
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


def _check(budget: float, families: Sequence[str], noise: Mapping[str, float]) -> None:
    for family in families:
        if family not in FAMILIES:
            raise InputError("no such family of models", found=repr(family), remedy=did_you_mean(family, FAMILIES))
    if not families or len(set(families)) < len(families):
        raise InputError("name each family once", found=", ".join(families) or "nothing")
    if not (math.isfinite(budget) and budget > 0):
        raise InputError("the budget must be a positive number of FLOPs", found=budget)
    if wrong := [share for share in noise.values() if not 0 < share < 0.5]:
        raise InputError("the noise is a share of the loss", found=wrong[0], expected="a number such as 0.005")


def _cells(grid: Grid, lattice: Lattice, corpus: str) -> list[Cell]:
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


def timed(found: Design) -> Design:
    """The design with the seconds of every run, after ten seconds of training on this machine."""
    from kleiber.lab.calibration import calibrate

    corpus = read_corpus(found.cells[0].corpus)
    measured = calibrate(found.cells, corpus)
    rungs = []
    for rung in found.rungs:
        # A run ends with its held-out loss: forward passes, a third of training's FLOPs per byte.
        evaluation = corpus.held_out_bytes * rung.cell.shape.counted_flops_per_token / 3
        rungs.append(replace(rung, seconds=measured.seconds(rung.cell.shape, rung.flops + evaluation)))
    return replace(found, rungs=tuple(rungs))


def write(found: Design, path: str | Path, *, name: str) -> None:
    """Write the ladder whole or not at all; `kleiber lab run` takes it as it is."""
    from kleiber.fit.store import write_whole

    hardware = f"{os.cpu_count()}-core {platform.machine()} CPU, 1 thread per run"
    write_whole(Path(path), to_toml(found, name=name, hardware=hardware))
