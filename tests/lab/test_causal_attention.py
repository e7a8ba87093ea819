"""Causal attention in blocks: PyTorch's own kernel but for rounding, and the same when models are batched."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch
from torch.nn import functional

from kleiber.lab.dial import Dial
from kleiber.lab.models import build
from kleiber.lab.models.causal_attention import LONGEST, attend
from kleiber.lab.together import Stack


def attended(by: str, parts: list[torch.Tensor], slope_BHKT: torch.Tensor) -> list[torch.Tensor]:
    """Output and gradients."""
    parts = [part.clone().requires_grad_() for part in parts]
    if by == "blocks":
        out_BHKT = attend(parts[0], parts[1], parts[2])
    else:
        query, key, value = (part.mT for part in parts)
        out_BHKT = functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True).mT
    out_BHKT.backward(slope_BHKT)
    return [out_BHKT.detach(), *(part.grad for part in parts if part.grad is not None)]


@pytest.mark.parametrize("context", [1, 7, 32, 33, 100, 128, 200, LONGEST + 1])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_blocks_agree_with_the_kernel(context: int, key_heads: int) -> None:
    random = torch.Generator().manual_seed(context)
    parts = [2 * torch.randn(2, heads, 8, context, generator=random) for heads in (4, key_heads, key_heads)]
    slope = torch.randn(2, 4, 8, context, generator=random)
    for found, expected in zip(attended("blocks", parts, slope), attended("kernel", parts, slope), strict=True):
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_the_gradient_is_that_of_differences() -> None:
    parts = [torch.randn(1, 2, 8, 40, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(attend, parts, fast_mode=True)


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
