"""Train small models of experts on the State of the Union addresses and write down where their tokens went.

Run: python examples/traces/record.py [FOLDER] [NAME ...]
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kleiber.lab.corpus import read_corpus
from kleiber.lab.dial import Dial
from kleiber.lab.models.experts import max_violation
from kleiber.lab.recipe import Recipe
from kleiber.lab.routing import RoutingRecorder
from kleiber.lab.thread import one_quick_thread
from kleiber.lab.train import Trainer


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Every `every`-th step of a model from `first` to `last`."""

    dial: Dial
    first: int = 0
    last: int = 120
    every: int = 2


def sixty_four(balance: str) -> Dial:
    """The model with 64 experts under a balance."""
    return Dial(family="experts", depth=2, experts=64, chosen=4, granularity=4, balance=balance)


RECORDINGS = {
    "experts-8": Recording(dial=Dial(family="experts", depth=2, experts=8, chosen=2, granularity=2)),
    "experts-64": Recording(dial=sixty_four("bias")),
    "experts-64-unbalanced": Recording(dial=sixty_four("none")),
    "experts-256": Recording(dial=Dial(family="experts", depth=2, experts=256, chosen=8, granularity=8)),
    "experts-64-late": Recording(dial=sixty_four("bias"), first=1200, last=1600, every=4),
    "experts-64-quantile": Recording(dial=sixty_four("quantile"), first=1200, last=1600, every=4),
}
WIDTH = 32
RECIPE = Recipe(context=128, batch_windows=16, lr=0.01, warmup_tokens=65_536, transfer=True)


def main() -> None:
    """Record the models named, or all, and say what it took and how uneven their last step was."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    corpus = read_corpus("sotu")
    for name in sys.argv[2:] or RECORDINGS:
        found, began = RECORDINGS[name], time.process_time()
        trainer = Trainer(found.dial.at_width(WIDTH, context=RECIPE.context), RECIPE, corpus, seed=0)
        with one_quick_thread():
            trainer.train_trunk(found.first)
            with RoutingRecorder(trainer.model, every=found.every, first_step=found.first) as recorder:
                trainer.train_trunk(found.last)
        recorder.write(folder / f"{name}.parquet")
        layers = [layer.load_E for layer in trainer.model.modules() if hasattr(layer, "load_E")]
        uneven = ", ".join(f"{max_violation(load_E):.2f}" for load_E in layers)
        seconds = time.process_time() - began
        print(
            f"{name}: {found.last} steps in {seconds:.0f} s of one core; MaxVio of the last step by layer: {uneven}",
            flush=True,
        )


if __name__ == "__main__":
    main()
