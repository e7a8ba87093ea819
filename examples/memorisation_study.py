"""Runs of the lab built to memorise, to generalise and to do both, and what `kleiber diagnose memorisation` says of each.

One idea: the verdict is tested on runs of which the answer is known because they were built so: random letters read eighty
times (nothing but memory helps); a little text read eighty times; a text read once; that text with canaries repeated; modular
addition with and without weight decay; facts to be composed. Each run is looked at
several times, at one level for all looks, so that the table says when the verdict could first have been acted on.

    python examples/memorisation_study.py [FOLDER]

prints the table; in FOLDER it leaves the token scores of every look, as the command reads them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch.nn import functional

from kleiber.diagnose.memorisation import Probe, Verdict, addition, composition, grokking
from kleiber.diagnose.memorisation.judge import Run, judge
from kleiber.diagnose.memorisation.structure import ROW, STRUCTURE, TRAIN
from kleiber.diagnose.memorisation.tokens import read_tokens
from kleiber.finding import Finding
from kleiber.lab.corpus import Corpus, corpus_of, read_corpus
from kleiber.lab.models import build
from kleiber.lab.recipe import Recipe
from kleiber.lab.scores import Model, score_table
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import Trainer

PIECE_BYTES = 512
CANARY_BYTES, CANARIES, REFERENCES = 12, 8, 150
LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class TextRun:
    """A run on text: how much of it, how often each canary stands in it, how many tokens are read, and what is expected.

    `letters`: the text is random letters, of which nothing can be learnt but the letters themselves.
    """

    name: str
    expected: str
    unique_bytes: int
    copies_of_canaries: int
    tokens: int
    width: int = 32
    looks: Sequence[float] = (0.125, 0.25, 0.5, 1.0)
    scored: int = 60
    letters: bool = False


TEXT_RUNS = (
    TextRun(
        name="12 kB of random letters, 80 times",
        expected="memorising",
        unique_bytes=12_288,
        copies_of_canaries=1,
        tokens=1_000_000,
        letters=True,
    ),
    TextRun(name="12 kB, 80 times", expected="both", unique_bytes=12_288, copies_of_canaries=1, tokens=1_000_000),
    TextRun(name="1 MB, once", expected="generalising", unique_bytes=1_000_000, copies_of_canaries=1, tokens=1_000_000),
    TextRun(
        name="1 MB, once; 8 canaries, 200 times",
        expected="both",
        unique_bytes=1_000_000,
        copies_of_canaries=200,
        tokens=1_000_000,
    ),
)


def pieces(text: Sequence[bytes], seed: int = 0) -> list[bytes]:
    """Documents cut into stretches of one length, in random order: train and held out become random parts of one text."""
    cut = [one[at : at + PIECE_BYTES] for one in text for at in range(0, len(one) - PIECE_BYTES + 1, PIECE_BYTES)]
    return [cut[at] for at in np.random.default_rng(seed).permutation(len(cut))]


def random_pieces(count: int, seed: int = 0) -> list[bytes]:
    """Pieces of the same length, of random letters."""
    drawn = np.random.default_rng([seed, 2]).integers(26, size=(count, PIECE_BYTES))
    return [LETTERS[row].tobytes() for row in drawn]


def canaries(seed: int = 0) -> tuple[list[bytes], list[bytes]]:
    """Random letters to be trained on, and others that are not."""
    drawn = np.random.default_rng([seed, 1]).integers(26, size=(CANARIES + REFERENCES, CANARY_BYTES))
    texts = [LETTERS[row].tobytes() for row in drawn]
    return texts[:CANARIES], texts[CANARIES:]


def corpus_for(run: TextRun, text: Sequence[bytes]) -> tuple[Corpus, list[bytes], list[bytes]]:
    """The run's corpus, and the pieces trained on and held out that are scored.

    Held-out pieces are as many as are scored, drawn from the same shuffle as those trained on.
    """
    count = run.unique_bytes // PIECE_BYTES
    train, held_out = list(text[: max(count, 2)]), list(text[count : count + run.scored])
    corpus = corpus_of([*train, *held_out], source=run.name)
    planted = [one for one in canaries()[0] for _ in range(run.copies_of_canaries)]
    mixed = [*train, *planted]
    order = np.random.default_rng(2).permutation(len(mixed))
    joined = b"\x00".join(mixed[at] for at in order)
    fields = {name: getattr(corpus, name) for name in ("documents", "duplicates", "sha256", "source")}
    held = tuple(np.frombuffer(one, dtype=np.uint8) for one in held_out)
    sizes = tuple(len(mixed[at]) for at in order)
    return (
        Corpus(train=np.frombuffer(joined, dtype=np.uint8), held_out=held, train_sizes=sizes, **fields),
        train[: run.scored],
        held_out,
    )


def byte_frequencies(text: NDArray[np.integer]) -> Model:
    """A reference that knows how frequent bytes are, and no more."""
    counts_V = np.bincount(text, minlength=256) + 1.0
    log_V = torch.from_numpy(np.log(counts_V / counts_V.sum())).float()
    return lambda token_BT: log_V.expand(*token_BT.shape, 256)


def text_looks(run: TextRun, text: Sequence[bytes]) -> Iterator[tuple[int, pa.Table, Run]]:
    """Train the run; at each look the tokens read so far, the token scores and what is known of the run."""
    corpus, train, held_out = corpus_for(run, random_pieces(min(len(text), 200)) if run.letters else text)
    recipe = Recipe(
        context=128, batch_windows=16, lr=0.01, warmup_tokens=min(100_000, run.tokens // 8), weight_decay=0.0
    )
    shape = DenseShape(width=run.width, depth=2, hidden=4 * run.width, context=128)
    trainer = Trainer(shape, recipe, corpus, seed=0)
    planted, others = canaries()
    splits = {"train": train, "held-out": held_out, "canary": planted, "reference": others}
    as_arrays = {name: [np.frombuffer(one, dtype=np.uint8) for one in texts] for name, texts in splits.items()}
    known = Run(
        params=shape.params + shape.embedding_params,
        unique_tokens=run.unique_bytes,
        vocabulary=256,
        space_bits=CANARY_BYTES * float(np.log2(26)),
    )
    for share in run.looks:
        tokens = int(share * run.tokens)
        trainer.train_trunk(recipe.branch_step(tokens) if share == 1 else recipe.steps(tokens))
        if share == 1:
            trainer.train_branch(tokens)
        trainer.model.eval()
        table = score_table(trainer.model, as_arrays, context=128, reference=byte_frequencies(corpus.train))
        trainer.model.train()
        yield trainer.step, table, known


@dataclass(frozen=True, kw_only=True)
class AdditionRun:
    """Modular addition by a small network, full batch: a block of operand pairs is held out."""

    name: str
    expected: str
    weight_decay: float
    modulus: int = 31
    steps: int = 700
    width: int = 96
    looks: Sequence[int] = (100, 300, 500, 700)


ADDITION_RUNS = (
    AdditionRun(name="addition mod 31, no weight decay", expected="memorising", weight_decay=0.0),
    AdditionRun(name="addition mod 31, weight decay 1", expected="generalising", weight_decay=1.0),
)


@dataclass(frozen=True, kw_only=True)
class ProbeRun:
    """A decoder of the lab on a probe of whole lines: each line's answer, and whatever facts go with them, by AdamW.

    `probe` makes the probe; `batch` lines a step, drawn afresh, and all facts.
    """

    name: str
    expected: str
    probe: Callable[[], Probe]
    steps: int
    batch: int = 512
    width: int = 32
    lr: float = 3e-3
    weight_decay: float = 0.1
    looks: Sequence[float] = (0.25, 0.5, 1.0)


PROBE_RUNS = (ProbeRun(name="composition of 240 facts", expected="memorising", probe=composition, steps=200),)


def probe_looks(run: ProbeRun, seed: int = 0) -> list[tuple[int, pa.Table, Run]]:
    """Train the run on the part of its probe that is trained on; at each look every answer."""
    probe = run.probe()
    context = probe.example_NK.shape[1]
    shape = DenseShape(width=run.width, depth=2, hidden=4 * run.width, context=context, vocabulary=probe.symbols)
    model = build(shape, seed=seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.lr, weight_decay=run.weight_decay, betas=(0.9, 0.98))
    example_NK, answer_N = torch.from_numpy(probe.example_NK), torch.from_numpy(probe.answer_N)
    fact_F3 = torch.from_numpy(probe.fact_F3)
    train_N = np.flatnonzero(probe.part_N == TRAIN)
    random = np.random.default_rng(seed)
    looks, at = [], {max(1, round(share * run.steps)) for share in run.looks}
    for step in range(1, run.steps + 1):
        some = torch.from_numpy(random.choice(train_N, size=min(run.batch, train_N.size), replace=False))
        loss = functional.cross_entropy(model(example_NK[some])[:, -1], answer_N[some])
        if len(fact_F3):
            loss = loss + functional.cross_entropy(model(fact_F3[:, :2])[:, -1], fact_F3[:, 2])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step in at:
            looks.append((step, probe_table(probe, answered(model, example_NK, answer_N)), Run(chance=probe.chance)))
    return looks


def answered(model: torch.nn.Module, example_NK: torch.Tensor, answer_N: torch.Tensor) -> NDArray[np.bool_]:
    """Which answers are right."""
    with torch.no_grad():
        parts = [model(part_NK)[:, -1].argmax(dim=1) for part_NK in example_NK.split(4096)]
    return (torch.cat(parts) == answer_N).numpy()


class Adder(torch.nn.Module):
    """Embeds both operands with one table, adds them up, and reads the sum off a hidden layer."""

    def __init__(self, symbols: int, width: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(symbols, width)
        self.hidden = torch.nn.Linear(width, 2 * width)
        self.head = torch.nn.Linear(2 * width, symbols)

    def forward(self, example_NK: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.hidden(self.embedding(example_NK).sum(dim=1))))


def addition_looks(run: AdditionRun, seed: int = 0) -> tuple[list[tuple[int, pa.Table, Run]], Finding, pa.Table]:
    """Train the run; its looks, the delay between knowing the training pairs and answering those held out by row, and its curve.

    The curve is as `kleiber diagnose grokking` reads it.
    """
    probe = addition(modulus=run.modulus, structure=0.35, rows=0.3, seed=seed)
    torch.manual_seed(seed)
    model = Adder(probe.symbols, run.width)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=run.weight_decay, betas=(0.9, 0.98))
    example_NK, answer_N = torch.from_numpy(probe.example_NK), torch.from_numpy(probe.answer_N)
    train_N = torch.from_numpy(probe.part_N == TRAIN)
    looks, curve = [], []
    for step in range(1, run.steps + 1):
        loss = functional.cross_entropy(model(example_NK[train_N]), answer_N[train_N])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % max(1, run.steps // 60) == 0 or step in run.looks:
            with torch.no_grad():
                right_N = (model(example_NK).argmax(dim=1) == answer_N).numpy()
                norm = float(torch.cat([weight.reshape(-1) for weight in model.parameters()]).norm())
            curve.append((step, right_N[probe.part_N == TRAIN].mean(), right_N[probe.part_N == ROW].mean(), norm))
            if step in run.looks:
                looks.append((step, probe_table(probe, right_N), Run(chance=probe.chance)))
    step_S, train_S, row_S, norm_S = np.array(curve).T
    counts = [int((probe.part_N == part).sum()) for part in (TRAIN, ROW)]
    delay = grokking(step_S, train_S, row_S, train_examples=counts[0], held_out_examples=counts[1], norm_S=norm_S)
    names = ("step", "train_accuracy", "held_out_accuracy", "norm")
    columns = zip(names, (step_S.astype(np.int64), train_S.round(4), row_S.round(4), norm_S.round(3)), strict=True)
    return looks, delay, pa.table(dict(columns))


def probe_table(probe: Probe, right_N: NDArray[np.bool_]) -> pa.Table:
    """One row an example, as the command reads it."""
    names = np.array(["probe-train", "probe-row", "probe-structure"])
    assert (TRAIN, ROW, STRUCTURE) == (0, 1, 2)
    return pa.table(
        {"document": np.arange(right_N.size), "split": names[probe.part_N], "correct": right_N.astype(np.int64)}
    )


def judged(
    looks: Sequence[tuple[int, pa.Table, Run]], folder: Path, name: str
) -> list[tuple[int, list[Finding], Verdict]]:
    """Write each look's scores, read them as the command does, and judge."""
    found = []
    for step, table, known in looks:
        path = folder / f"{name}-{step:05d}.parquet"
        pq.write_table(table, path)
        found.append((step, *judge(read_tokens(path), known, looks=len(looks))))
    return found


def row(run: Any, seen: Sequence[tuple[int, list[Finding], Verdict]], seconds: float) -> str:
    """A line of the table: the verdict at each look and the figures of the last."""
    words = [verdict.word for _, _, verdict in seen]
    last = {finding.name: finding for finding in seen[-1][1]}
    first = next((step for (step, _, _), word in zip(seen, words, strict=True) if word == run.expected), None)
    figures = [
        f"{label} {last[name].value:.2f}"
        for name, label in (
            ("carries_over", "carries over"),
            ("membership", "AUROC"),
            ("canary_exposure", "exposure"),
            ("held_out_structure", "structure"),
            ("structure_gap", "gap"),
            ("unique_bits_budget", "budget"),
        )
        if name in last and last[name].value is not None
    ]
    told = " → ".join(words)
    early = f"{first} of {seen[-1][0]}" if first is not None else "never"
    return f"| {run.name} | {run.expected} | {told} | {early} | {', '.join(figures)} | {seconds:.0f} s |"


def main(folder: Path) -> None:
    """Train, judge and print."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    folder.mkdir(parents=True, exist_ok=True)
    text = pieces([one.tobytes() for one in read_corpus("sotu").train_documents])
    print(
        "| run | built to be | verdict at each look | first right at step | at the end | processor |\n|---|---|---|---|---|---|"
    )
    for number, run in enumerate(TEXT_RUNS):
        began = time.process_time()
        seen = judged(list(text_looks(run, text)), folder, f"text{number}")
        print(row(run, seen, time.process_time() - began), flush=True)
    delays = []
    for number, run in enumerate(ADDITION_RUNS):
        began = time.process_time()
        looks, delay, curve = addition_looks(run)
        pyarrow.csv.write_csv(curve, folder / f"addition{number}-curve.csv")
        seen = judged(looks, folder, f"addition{number}")
        print(row(run, seen, time.process_time() - began), flush=True)
        delays.append(f"{run.name}: {delay.evidence}")
    for number, run in enumerate(PROBE_RUNS):
        began = time.process_time()
        seen = judged(probe_looks(run), folder, f"probe{number}")
        print(row(run, seen, time.process_time() - began), flush=True)
    print("\n" + "\n".join(delays))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "memorisation-study"))
