"""Causal attention and the norm before it are what they say, both ways, and the same when models are batched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch
from torch.nn import functional

from kleiber.lab.dial import Dial
from kleiber.lab.models import build
from kleiber.lab.models.causal_attention import LONGEST, by_kernel, in_blocks
from kleiber.lab.models.root_mean_square import normalise
from kleiber.lab.models.rotary import rotation_angles
from kleiber.lab.together import Stack

Way = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, int, int], torch.Tensor]


def plainly(
    mixed_BTX: torch.Tensor, cos_KT: torch.Tensor, sin_KT: torch.Tensor, heads: int, key_heads: int
) -> torch.Tensor:
    """Attention written down: complex numbers turn, a mask of minus infinity, a softmax."""
    context, half = mixed_BTX.shape[1], cos_KT.shape[0]
    parts = mixed_BTX.unflatten(-1, (heads + 2 * key_heads, 2, half)).double()
    turn_TK = torch.complex(cos_KT.double(), sin_KT.double()).mT
    turned = torch.complex(parts[:, :, : heads + key_heads, 0], parts[:, :, : heads + key_heads, 1]) * turn_TK[:, None]
    turned = torch.cat([turned.real, turned.imag], dim=-1)
    value = parts[:, :, heads + key_heads :].flatten(-2).repeat_interleave(heads // key_heads, dim=2)
    key = turned[:, :, heads:].repeat_interleave(heads // key_heads, dim=2)
    logits = torch.einsum("bshk,bthk->bhst", turned[:, :, :heads], key) / (2 * half) ** 0.5
    weights = logits.masked_fill(torch.ones(context, context).triu(1).bool(), -torch.inf).softmax(-1)
    return torch.einsum("bhst,bthk->bshk", weights, value).flatten(2)


@pytest.mark.parametrize("way", [by_kernel, in_blocks])
@pytest.mark.parametrize("context", [1, 7, 32, 33, 100, 128, 200, LONGEST + 1])
@pytest.mark.parametrize(("heads", "key_heads", "head_width"), [(4, 1, 8), (4, 2, 8), (4, 4, 8), (2, 2, 32)])
def test_both_ways_are_attention(way: Way, context: int, heads: int, key_heads: int, head_width: int) -> None:
    random = torch.Generator().manual_seed(context)
    mixed = 2 * torch.randn(2, context, (heads + 2 * key_heads) * head_width, generator=random)
    slope = torch.randn(2, context, heads * head_width, generator=random).double()
    angle = rotation_angles(context, head_width)
    found = []
    for one in (way, plainly):
        given = mixed.clone().requires_grad_()
        out = one(given, angle.cos(), angle.sin(), heads, key_heads)
        (out * slope).sum().backward()
        found.append([out.detach().double(), given.grad.double()])  # type: ignore[union-attr]
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, atol=2e-5, rtol=1e-4)


def test_the_gradient_is_that_of_differences() -> None:
    mixed = torch.randn(1, 40, 48, dtype=torch.float64, requires_grad=True)
    angle = rotation_angles(40, 8).double()
    assert torch.autograd.gradcheck(lambda x: in_blocks(x, angle.cos(), angle.sin(), 2, 2), [mixed], fast_mode=True)


def test_a_normalised_stream_is_pytorchs_own_and_so_is_its_gradient() -> None:
    stream = torch.randn(2, 5, 24, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(normalise(stream), functional.rms_norm(stream, (24,)))
    assert torch.autograd.gradcheck(normalise, [stream])
    assert not normalise(torch.zeros(1, 1, 8)).any()


@pytest.mark.parametrize("family", ["dense", "ssm", "hybrid"])
def test_models_together_learn_what_each_learns_alone(family: str) -> None:
    shape = Dial(family=family).at_width(16, context=64)
    models = [build(shape, seed=seed) for seed in range(3)]
    random = torch.Generator().manual_seed(0)
    for model in models:
        model.get_parameter("head.weight").data.normal_(0, 0.1, generator=random)
    text_KBT = torch.randint(0, 256, (3, 2, 65), generator=random)
    slopes, loss_K = Stack.of(models).gradients(text_KBT[..., :-1], text_KBT[..., 1:])
    for number, model in enumerate(models):
        logits = model(text_KBT[number, :, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), text_KBT[number, :, 1:].flatten())
        loss.backward()
        torch.testing.assert_close(loss_K[number].detach(), loss.detach(), atol=0, rtol=1e-6)
        for name, weight in model.named_parameters():
            torch.testing.assert_close(slopes[name][number], weight.grad, atol=1e-6, rtol=1e-4)
