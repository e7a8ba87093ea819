"""Training: exact, resumable, and it learns."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch

from kleiber.errors import InputError
from kleiber.lab import FAMILIES
from kleiber.lab.corpus import Corpus, read_corpus, unigram_entropy
from kleiber.lab.dial import Dial
from kleiber.lab.recipe import Recipe
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import State, Trainer

RECIPE = Recipe(context=32, batch_windows=4, lr=0.01, warmup_tokens=512)
SHAPE = DenseShape(width=16, depth=1, hidden=32, context=32)


@pytest.fixture(scope="module")
def corpus(text_folder: Path) -> Corpus:
    return read_corpus(text_folder)


def trained(corpus: Corpus, tokens: int, seed: int = 0) -> Trainer:
    trainer = Trainer(SHAPE, RECIPE, corpus, seed=seed)
    trainer.train_trunk(RECIPE.branch_step(tokens))
    trainer.train_branch(tokens)
    return trainer


def same(one: State, other: State) -> bool:
    return one.step == other.step and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("weights_P", "first_P", "second_P")
    )


def test_the_same_seed_gives_the_same_bits(corpus: Corpus) -> None:
    one, other = trained(corpus, 8192), trained(corpus, 8192)
    assert same(one.state(), other.state())
    assert one.held_out_loss() == other.held_out_loss()
    assert one.held_out_loss() != trained(corpus, 8192, seed=1).held_out_loss()


def test_a_branch_equals_an_uninterrupted_run(corpus: Corpus, tmp_path: Path) -> None:
    trainer = Trainer(SHAPE, RECIPE, corpus, seed=0)
    trainer.train_trunk(RECIPE.branch_step(4096))
    trunk = trainer.state()
    trunk.save(tmp_path / "trunk.npz")
    trainer.train_branch(4096)
    # The trunk goes on from where the first branch left it, as if that branch had never been.
    trainer.restore(State.load(tmp_path / "trunk.npz"))
    assert same(trainer.state(), trunk)
    trainer.train_trunk(RECIPE.branch_step(8192))
    trainer.train_branch(8192)
    assert same(trainer.state(), trained(corpus, 8192).state())


def test_it_learns_more_than_the_frequencies_of_bytes(corpus: Corpus) -> None:
    trainer = Trainer(SHAPE, RECIPE, corpus, seed=0)
    loss_before, _ = trainer.held_out_loss()
    assert loss_before == pytest.approx(np.log(256), abs=1e-5)
    loss, loss_se = trained(corpus, 65_536).held_out_loss()
    assert loss < 0.8 * unigram_entropy(corpus.train)
    assert 0 < loss_se < 0.1


def test_the_rate_warms_up_stays_and_falls_to_zero() -> None:
    recipe = replace(RECIPE, lr_exponent=-1.0)
    tokens, end = 8192, recipe.steps(8192)
    assert recipe.trunk_lr(0, 32) == pytest.approx(0.01 / 4)
    assert recipe.trunk_lr(10, 32) == recipe.peak_lr(32) == 0.01
    assert recipe.peak_lr(64) == pytest.approx(0.005)
    begin = recipe.branch_step(tokens)
    assert (end, begin) == (64, 48)
    assert recipe.branch_lr(begin, 32, tokens) == pytest.approx(0.01)
    assert recipe.branch_lr(end - 1, 32, tokens) == pytest.approx(0.01 / 16)


def test_steps_do_not_wait_for_data(corpus: Corpus) -> None:
    """A step of the smallest shipped model spends under 2 % of its processor time on its text."""
    recipe = replace(RECIPE, context=128, batch_windows=8)
    trainer = Trainer(replace(SHAPE, depth=2, hidden=64, context=128), recipe, corpus, seed=0)
    trainer.train_trunk(5)
    began = time.thread_time()
    trainer.train_trunk(45)
    step_seconds = (time.thread_time() - began) / 40
    began = time.thread_time()
    for step in range(200):
        trainer.windows.batch(step)
        trainer.windows.targets(step)
    assert (time.thread_time() - began) / 200 < 0.02 * step_seconds


@pytest.mark.parametrize("family", FAMILIES)
def test_products_in_bfloat16_learn_as_those_in_float32(corpus: Corpus, family: str) -> None:
    """What a model says is the same to a part in a thousand; the paths of training part, but both lead down."""
    shape = Dial(family=family, depth=2, attention_every=2).at_width(16, context=32, vocabulary=256)
    plain, narrow = (
        Trainer(shape, replace(RECIPE, transfer=True, precision=precision), corpus, seed=0)
        for precision in ("float32", "bfloat16")
    )
    plain.train_trunk(64)
    narrow.restore(plain.state())
    loss, _ = plain.held_out_loss()
    assert loss != narrow.held_out_loss()[0] == pytest.approx(loss, rel=2e-3)
    narrow.train_trunk(128)
    assert narrow.held_out_loss()[0] < loss - 0.02
    assert all(weight.dtype == torch.float32 for weight in narrow.model.parameters())


def test_a_precision_names_a_run_only_where_it_is_told() -> None:
    assert "precision" not in RECIPE.facts()
    assert replace(RECIPE, precision="bfloat16").facts()["precision"] == "bfloat16"
    assert [RECIPE.half(device) for device in ("cpu", "cuda")] == [False, True]
    with pytest.raises(InputError, match=r"no such precision .*auto, float32, bfloat16"):
        replace(RECIPE, precision="float16")
