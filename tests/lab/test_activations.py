"""Activations of PyTorch modules: what a layer gave, sampled alike over batches, and the model left as it was."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch
from torch import nn

from kleiber.errors import InputError
from kleiber.lab.activations import Watcher, activations


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 2))


def test_what_each_layer_gave() -> None:
    net, inputs = _net(), torch.randn(7, 3)
    found = activations(net, inputs, batch=3)
    hidden = net[0](inputs).detach()
    expected = torch.cat([hidden, hidden.relu(), hidden.relu()], dim=1)
    np.testing.assert_allclose(found.values_NU, expected.numpy(), rtol=1e-6)
    assert found.units[:6] == ("0[0]", "0[1]", "0[2]", "0[3]", "0[4]", "1[0]")
    assert found.total == 15


def test_a_sample_is_the_same_for_every_batch_and_seed() -> None:
    net, inputs = _net(), torch.randn(9, 3)
    every = activations(net, inputs)
    some = activations(net, inputs, units=4, batch=2, seed=5)
    columns = [every.units.index(name) for name in some.units]
    np.testing.assert_allclose(some.values_NU, every.values_NU[:, columns], rtol=1e-6)
    assert activations(net, inputs, units=4, seed=5).units == some.units


def test_the_model_is_left_as_it_was() -> None:
    net = _net()
    net.train()
    net[2].eval()
    before = [part.training for part in net.modules()]
    activations(net, torch.randn(4, 3))
    assert [part.training for part in net.modules()] == before
    assert all(not part._forward_hooks for part in net.modules())
    with pytest.raises(RuntimeError):
        activations(net, torch.randn(4, 8))
    assert all(not part._forward_hooks for part in net.modules())
    assert [part.training for part in net.modules()] == before


def test_a_map_counts_per_place_and_a_token_is_a_row() -> None:
    maps = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    assert activations(maps, torch.randn(5, 1, 4, 4), layers=["0"]).values_NU.shape == (5, 8)
    words = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 4), nn.Linear(4, 11))
    tokens = torch.randint(11, (5, 7))
    found = activations(words, tokens, tokens=True, batch=2)
    assert found.values_NU.shape == (35, 10)
    np.testing.assert_allclose(found.values_NU[:, :6], words[0](tokens).detach().reshape(35, 6).numpy())


def test_layers_that_are_not_there() -> None:
    with pytest.raises(InputError, match="no layer relu"):
        activations(_net(), torch.randn(4, 3), layers=["relu"])
    with pytest.raises(InputError, match="no inputs"):
        activations(_net(), torch.randn(0, 3))
    with pytest.raises(InputError, match="numbers for each input"):
        activations(nn.Sequential(nn.Flatten(0), nn.Flatten(0)), torch.randn(4, 3))


def test_a_watcher_draws_afresh_where_it_is_asked() -> None:
    net, inputs = _net(), torch.randn(50, 3)
    seen: list[tuple[int, np.ndarray]] = []
    watcher = Watcher(lambda step, draw: seen.append((step, draw())), inputs, every=10, rows=20, units=6)
    for step in range(30):
        watcher.look(net, step)
    assert [step for step, _ in seen] == [0, 10, 20]
    assert seen[0][1].shape == (20, 6)
    assert not np.array_equal(seen[0][1], seen[1][1])
    again = Watcher(lambda step, draw: seen.append((step, draw())), inputs, every=10, rows=20, units=6)
    again.look(net, 0)
    np.testing.assert_array_equal(seen[-1][1], seen[0][1])
    with pytest.raises(InputError):
        Watcher(print, inputs, every=0)


def test_a_watcher_listens_to_the_labs_trainer() -> None:
    from kleiber.lab.corpus import corpus_of
    from kleiber.lab.recipe import Recipe
    from kleiber.lab.shape import DenseShape
    from kleiber.lab.train import Trainer

    corpus = corpus_of((bytes([65 + place]) * 400 for place in range(24)), source="letters")
    tokens = torch.from_numpy(corpus.train[:320].astype(np.int64).reshape(20, 16))
    seen: list[tuple[int, tuple[int, ...]]] = []
    watcher = Watcher(
        lambda step, draw: seen.append((step, draw().shape)), tokens, every=2, rows=4, units=8, tokens=True
    )
    shape = DenseShape(width=8, depth=1, hidden=16, context=16)
    recipe = Recipe(context=16, batch_windows=4)
    trainer = Trainer(shape, recipe, corpus, seed=0, listeners=[watcher])
    trainer.train_trunk(4)
    assert seen == [(2, (64, 8)), (4, (64, 8))]
