"""Runs of the lab looked at while they train: when do induction heads form, and does the context teach from then on?

One idea: a head that finds what followed the same token before needs another, in a block below, that says at each place what
stood before it. So a model of two blocks can form induction heads and one of a single block cannot: trained on the same
text, the second is the control. Three texts: strings of letters, each said four times (`repeats`), of which only the first time
is new; lines that show pairs of a key and a value and then ask for keys (`recall`); and the State of the Union addresses.

    python examples/in_context_study.py [FOLDER [NAME...]]

trains the runs (all, or those named), writes for each its curve NAME.csv and the attention of its heads at the end
NAME.npy as `kleiber diagnose in-context` and `induction` read them, and prints a table.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
from numpy.typing import NDArray

from kleiber.diagnose.emergence import Curve, Onset
from kleiber.lab.corpus import Corpus, corpus_of, read_corpus
from kleiber.lab.heads import HeadWatcher, attention, held_out_windows, random_halves, twice
from kleiber.lab.recipe import Recipe
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import Trainer

PAIRS, QUERIES = 4, 8
RECALL = f"recall:pairs={PAIRS},queries={QUERIES},tokens=4M"
LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRST", dtype=np.uint8)
SHORTEST, LONGEST, TIMES = 5, 10, 4
WINDOWS, SEQUENCES = 400, 64


@dataclass(frozen=True, kw_only=True)
class ContextRun:
    """A run: its text, its blocks, how many tokens it reads, and every how many steps it is looked at."""

    name: str
    source: str
    depth: int
    tokens: int
    every: int
    width: int = 32
    context: int = 64
    batch_tokens: int = 1024
    warmup_tokens: int = 100_000
    lr: float = 0.01
    seed: int = 0


RUNS = (
    ContextRun(name="repeats-two-blocks", source="repeats", depth=2, tokens=2_000_000, every=50, seed=1),
    ContextRun(name="repeats-one-block", source="repeats", depth=1, tokens=2_000_000, every=50, seed=1),
    ContextRun(
        name="recall-two-blocks",
        source=RECALL,
        depth=2,
        tokens=4_000_000,
        every=50,
        batch_tokens=2048,
        warmup_tokens=200_000,
    ),
    ContextRun(
        name="sotu-two-blocks", source="sotu", depth=2, tokens=4_000_000, every=100, context=128, batch_tokens=2048
    ),
)


def repeats(tokens: int, seed: int = 0) -> Corpus:
    """Strings of 5 to 10 different letters of twenty, each said four times: the length tells no head where to look."""
    random = np.random.default_rng(seed)
    documents = []
    for _ in range(-(-tokens // 2000)):
        strings = [random.permutation(LETTERS)[:length] for length in random.integers(SHORTEST, LONGEST + 1, size=67)]
        documents.append(np.concatenate([np.tile(string, TIMES) for string in strings]).tobytes())
    return corpus_of(documents, source="repeats")


def text_of(run: ContextRun) -> Corpus:
    """The run's text; of repeats a tenth more than it reads, so that nothing is read twice."""
    return repeats(round(1.1 * run.tokens)) if run.source == "repeats" else read_corpus(run.source)


def halves(run: ContextRun, corpus: Corpus) -> NDArray[np.int64]:
    """What stands twice: the pairs of lines of recall (only keys are ever asked for), or different bytes of the text."""
    if run.source == "repeats":
        return random_halves(LETTERS, places=8, sequences=SEQUENCES)
    if run.source == "sotu":
        return random_halves(corpus.train, places=run.context // 2, sequences=SEQUENCES)
    line_bytes = 2 * (PAIRS + QUERIES) + 2
    text = corpus.held_out[0][1 : 1 + SEQUENCES * line_bytes]
    return text.reshape(SEQUENCES, line_bytes)[:, : 2 * PAIRS].astype(np.int64)


def trained(run: ContextRun, corpus: Corpus) -> tuple[Trainer, Curve, NDArray[np.float32]]:
    """The run at its end, its curve, and the attention of its heads, `(H, T, T)`."""
    recipe = Recipe(
        context=run.context, batch_windows=run.batch_tokens // run.context, lr=run.lr, warmup_tokens=run.warmup_tokens
    )
    shape = DenseShape(width=run.width, depth=run.depth, hidden=4 * run.width, context=run.context)
    seen, half_BS = Onset(blocks=run.depth), halves(run, corpus)
    window_WT1 = held_out_windows(corpus.held_out, context=run.context, most=WINDOWS)
    watcher = HeadWatcher(seen, window_WT1=window_WT1, half_BS=half_BS, every=run.every)
    trainer = Trainer(shape, recipe, corpus, seed=run.seed, listeners=[watcher])
    watcher.look(trainer.model, 0)
    trainer.train_trunk(recipe.branch_step(run.tokens))
    trainer.train_branch(run.tokens)
    return trainer, seen.curve, attention(trainer.model, twice(half_BS))


def main(folder: Path, names: list[str]) -> None:
    """Train, write and print."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    folder.mkdir(parents=True, exist_ok=True)
    print("| run | params | loss at the end | answers | score at the end | processor |\n|---|---|---|---|---|---|")
    told = []
    for run in RUNS:
        if names and run.name not in names:
            continue
        began = time.process_time()
        trainer, curve, weights_HTT = trained(run, text_of(run))
        table = pa.table({name: np.round(column, 5) for name, column in curve.columns().items()})
        pyarrow.csv.write_csv(table, folder / f"{run.name}.csv")
        np.save(folder / f"{run.name}.npy", weights_HTT.astype(np.float16))
        answers = trainer.answer_loss()
        print(
            f"| {run.name} | {trainer.shape.params_total} | {curve.loss_C[-1]:.3f} | "
            f"{'' if answers is None else f'{answers:.3f}'} | {curve.score_C[-1]:+.3f} ± {1.96 * curve.error_C[-1]:.3f} | "
            f"{time.process_time() - began:.0f} s |",
            flush=True,
        )
        told += [f"{run.name}: {finding.evidence}" for finding in (curve.onset, curve.bump)]
    print("\n" + "\n".join(told))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "in-context-study"), sys.argv[2:])
