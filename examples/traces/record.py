"""Train four small models of experts on the State of the Union addresses and write down where their tokens went.

Run: python examples/traces/record.py [FOLDER]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from kleiber.lab.corpus import read_corpus
from kleiber.lab.dial import Dial
from kleiber.lab.models.experts import max_violation
from kleiber.lab.recipe import Recipe
from kleiber.lab.routing import RoutingRecorder
from kleiber.lab.thread import one_quick_thread
from kleiber.lab.train import Trainer

MODELS = {
    "experts-8": Dial(family="experts", depth=2, experts=8, chosen=2, granularity=2),
    "experts-64": Dial(family="experts", depth=2, experts=64, chosen=4, granularity=4),
    "experts-64-unbalanced": Dial(family="experts", depth=2, experts=64, chosen=4, granularity=4, balance="none"),
    "experts-256": Dial(family="experts", depth=2, experts=256, chosen=8, granularity=8),
}
WIDTH, STEPS, EVERY = 32, 120, 2
RECIPE = Recipe(context=128, batch_windows=16, lr=0.01, warmup_tokens=65_536, transfer=True)


def main() -> None:
    """Record every model, and say what it took and how uneven its last step was."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    corpus = read_corpus("sotu")
    for name, dial in MODELS.items():
        began = time.process_time()
        trainer = Trainer(dial.at_width(WIDTH, context=RECIPE.context), RECIPE, corpus, seed=0)
        with one_quick_thread(), RoutingRecorder(trainer.model, every=EVERY) as recorder:
            trainer.train_trunk(STEPS)
        recorder.write(folder / f"{name}.parquet")
        layers = [layer.load_E for layer in trainer.model.modules() if hasattr(layer, "load_E")]
        uneven = ", ".join(f"{max_violation(load_E):.2f}" for load_E in layers)
        seconds = time.process_time() - began
        print(
            f"{name}: {STEPS} steps in {seconds:.0f} s of one core; MaxVio of the last step by layer: {uneven}",
            flush=True,
        )


if __name__ == "__main__":
    main()
