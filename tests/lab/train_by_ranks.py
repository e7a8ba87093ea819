"""One rank of `test_parallel`: a few steps of every family, then on from a checkpoint of one process."""

from __future__ import annotations

import sys
from pathlib import Path

from kleiber.lab.corpus import read_corpus
from kleiber.lab.parallel.ranks import together
from kleiber.lab.ranks import ALONE, Ranks
from kleiber.lab.train import State, Trainer

TOKENS = 1024


def train(folder: Path, corpus_folder: Path, ranks: Ranks = ALONE) -> None:
    """The trunk from its beginning to a checkpoint, then the decay from the checkpoint that one process left."""
    from shapes_of_ranks import RECIPE, SHAPES

    corpus = read_corpus(corpus_folder)
    for name, shape in SHAPES.items():
        trainer = Trainer(shape, RECIPE, corpus, seed=0, ranks=ranks)
        trainer.train_trunk(RECIPE.branch_step(TOKENS))
        _save(trainer.state(), folder / f"{name}-trunk.npz", ranks)
        trainer.restore(State.load(folder.parent / "alone" / f"{name}-trunk.npz"))
        trainer.train_branch(TOKENS)
        _save(trainer.state(), folder / f"{name}-end.npz", ranks)
        loss, _ = trainer.held_out_loss()
        if ranks.leads:
            (folder / f"{name}.txt").write_text(repr(loss))


def _save(state: State, path: Path, ranks: Ranks) -> None:
    if ranks.leads:
        state.save(path)


if __name__ == "__main__":
    with together() as found:
        train(Path(sys.argv[1]), Path(sys.argv[2]), found)
