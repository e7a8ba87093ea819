"""Heads of the lab's models: the weights are those that attention mixes by, and looking changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch

from kleiber.errors import InputError
from kleiber.lab.corpus import read_corpus
from kleiber.lab.decoder import DecoderShape
from kleiber.lab.heads import HeadWatcher, attention, held_out_windows, losses, not_twice, random_halves, twice
from kleiber.lab.models import build
from kleiber.lab.models.attention import Attention
from kleiber.lab.models.causal_attention import attend, turned, weights
from kleiber.lab.models.rotary import rotation_angles
from kleiber.lab.recipe import Recipe
from kleiber.lab.scores import token_scores
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import Trainer

SHAPE = DenseShape(width=16, depth=2, hidden=32, context=32)
RECIPE = Recipe(context=32, batch_windows=4, lr=0.01, warmup_tokens=512)


@pytest.mark.parametrize("key_heads", [4, 2])
def test_weights_are_what_values_are_mixed_by(key_heads: int) -> None:
    random = torch.Generator().manual_seed(0)
    mixed = torch.randn(3, 48, (4 + 2 * key_heads) * 8, generator=random)
    angle = rotation_angles(48, 8)
    query, key, value = turned(mixed, angle.cos(), angle.sin(), 4, key_heads)
    found = weights(query, key)
    by_weights = (value.repeat_interleave(4 // key_heads, dim=1) @ found.mT).flatten(1, 2).mT
    attended = attend(mixed, angle.cos(), angle.sin(), heads=4, key_heads=key_heads)
    torch.testing.assert_close(by_weights, attended, rtol=1e-4, atol=1e-5)
    assert float(found.triu(1).abs().max()) == 0.0


def test_heads_of_a_model_block_by_block() -> None:
    model = build(SHAPE, seed=0)
    token_BT = np.random.default_rng(0).integers(256, size=(3, 20))
    found = attention(model, token_BT)
    assert found.shape == (4, 20, 20)
    assert found.sum(axis=2) == pytest.approx(np.ones((4, 20)), abs=1e-5)
    # By hand: the first block reads the normalised embedding.
    stream = torch.nn.functional.rms_norm(model.embedding(torch.from_numpy(token_BT)), (16,))
    query, key, _ = model.blocks[0].attention.projected(stream, model.cos_KT[:, :20], model.sin_KT[:, :20])
    by_hand = weights(query, key).mean(dim=0).detach().numpy()
    np.testing.assert_allclose(found[:2], by_hand, rtol=1e-4, atol=1e-6)
    assert not any(part._forward_pre_hooks for part in model.modules())


def test_blocks_that_share_keys_and_models_without_attention() -> None:
    hybrid = build(DecoderShape(width=16, depth=2, hidden=32, context=32, attention_every=2), seed=0)
    heads = sum(part.heads for part in hybrid.modules() if isinstance(part, Attention))
    assert attention(hybrid, np.zeros((2, 16), dtype=np.int64)).shape == (heads, 16, 16)
    with pytest.raises(InputError, match="no attention"):
        attention(torch.nn.Sequential(torch.nn.Embedding(256, 4)), np.zeros((1, 8), dtype=np.int64))


def test_losses_are_those_of_token_scores(text_folder: Path) -> None:
    trainer = Trainer(SHAPE, RECIPE, read_corpus(text_folder), seed=0)
    trainer.train_trunk(10)
    windows = held_out_windows(trainer.corpus.held_out, context=32, most=70)
    found = losses(trainer.model, windows)
    for row in (0, len(windows) - 1):
        told = token_scores(trainer.model, windows[row], context=32, begin=None).logprob_T
        assert -found[row] == pytest.approx(told, rel=1e-4, abs=1e-5)
    with pytest.raises(InputError, match="fills a window"):
        held_out_windows([np.zeros(5, dtype=np.uint8)], context=32, most=3)


def test_halves_are_different_tokens_of_the_text() -> None:
    text = np.frombuffer(b"abcabcabcdddd", dtype=np.uint8)
    half_BS = random_halves(text, places=8, sequences=5, seed=1)
    assert half_BS.shape == (5, 4)
    assert all(sorted(half_S) == [97, 98, 99, 100] for half_S in half_BS.tolist())
    np.testing.assert_array_equal(twice(half_BS)[:, 4:], half_BS)
    control_BT = not_twice(half_BS)
    np.testing.assert_array_equal(control_BT[:, :4], half_BS)
    np.testing.assert_array_equal(control_BT[:, 4:], half_BS[[1, 2, 3, 4, 0]])
    with pytest.raises(InputError, match="two sequences"):
        not_twice(half_BS[:1])


def test_a_run_has_the_same_bits_whoever_looks(text_folder: Path) -> None:
    corpus = read_corpus(text_folder)
    seen: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    watcher = HeadWatcher(
        lambda step, loss_WT, twice_HTT, control_HTT: seen.append(
            (step, loss_WT.shape, (twice_HTT - control_HTT).shape)
        ),
        window_WT1=held_out_windows(corpus.held_out, context=32, most=4),
        half_BS=random_halves(corpus.train, places=8, sequences=2),
        every=3,
    )
    alone, watched = (Trainer(SHAPE, RECIPE, corpus, seed=0, listeners=told) for told in ((), (watcher,)))
    for trainer in (alone, watched):
        trainer.train_trunk(7)
    assert [step for step, _, _ in seen] == [3, 6]
    assert seen[0][1:] == ((4, 32), (4, 16, 16))
    np.testing.assert_array_equal(alone.state().weights_P, watched.state().weights_P)
    with pytest.raises(InputError, match="every so many steps"):
        HeadWatcher(print, window_WT1=np.zeros((1, 2)), half_BS=np.zeros((2, 2)), every=0)
