"""Token scores of the lab's models: the loss that training reports, and moments of the prediction by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch

from kleiber.errors import InputError
from kleiber.lab.corpus import read_corpus
from kleiber.lab.recipe import Recipe
from kleiber.lab.scores import score_table, token_scores
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import Trainer

RECIPE = Recipe(context=32, batch_windows=4, lr=0.01, warmup_tokens=512)
SHAPE = DenseShape(width=16, depth=1, hidden=32, context=32)


@pytest.fixture(scope="module")
def trainer(text_folder: Path) -> Trainer:
    trained = Trainer(SHAPE, RECIPE, read_corpus(text_folder), seed=0)
    trained.train_trunk(20)
    return trained


def test_they_add_up_to_the_held_out_loss(trainer: Trainer) -> None:
    held = trainer.held_out()
    sums = [
        -token_scores(trainer.model, text, context=32, begin=None).logprob_T.sum() for text in trainer.corpus.held_out
    ]
    assert sums == pytest.approx(held.nats_D.tolist(), rel=1e-5)


def test_moments_by_hand(trainer: Trainer) -> None:
    text = trainer.corpus.held_out[0][:30]
    found = token_scores(trainer.model, text, context=32, begin=None)
    with torch.no_grad():
        log_TV = torch.log_softmax(
            trainer.model(torch.from_numpy(text[:-1].astype(np.int64))[None])[0], dim=-1
        ).double()
    chance_TV = log_TV.exp()
    mean_T = (chance_TV * log_TV).sum(dim=-1)
    square_T = (chance_TV * log_TV**2).sum(dim=-1)
    assert found.mean_T == pytest.approx(mean_T.numpy(), rel=1e-4)
    assert found.sd_T == pytest.approx((square_T - mean_T**2).sqrt().numpy(), rel=1e-3)
    assert found.logprob_T == pytest.approx(log_TV.numpy()[np.arange(29), text[1:]], rel=1e-4)


def test_an_untrained_model_is_uniform() -> None:
    """The head starts at zero: log p is -ln 256 everywhere and has no spread."""
    model = Trainer(SHAPE, RECIPE, read_corpus("addition:modulus=30"), seed=0).model
    found = token_scores(model, np.frombuffer(b"any text", dtype=np.uint8), context=32)
    assert found.logprob_T.size == 8
    assert found.logprob_T == pytest.approx(-np.log(256), abs=1e-5)
    assert found.sd_T == pytest.approx(0.0, abs=1e-3)


def test_the_table(trainer: Trainer) -> None:
    texts = {
        "train": [trainer.corpus.train[:70], trainer.corpus.train[:5]],
        "held-out": [trainer.corpus.held_out[0][:40]],
    }
    table = score_table(trainer.model, texts, context=32, reference=trainer.model)
    assert table.column_names == ["document", "split", "token", "logprob", "mean", "sd", "reference_logprob"]
    assert len(table) == 70 + 5 + 40
    assert table["document"].to_pylist() == [0] * 70 + [1] * 5 + [2] * 40
    assert table["token"].to_pylist()[:70] == trainer.corpus.train[:70].tolist()
    assert table["logprob"].to_pylist() == table["reference_logprob"].to_pylist()


def test_nothing_to_score(trainer: Trainer) -> None:
    with pytest.raises(InputError, match="no token"):
        token_scores(trainer.model, np.array([5]), context=32, begin=None)
    with pytest.raises(InputError, match="no documents"):
        score_table(trainer.model, {}, context=32)
