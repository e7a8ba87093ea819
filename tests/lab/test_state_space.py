"""Mamba-2: the chunked scan is the recurrence, forwards and backwards; its convolution and its state look back only."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch

from kleiber.lab.decoder import DecoderShape
from kleiber.lab.models.hybrid import build
from kleiber.lab.models.state_space import DECAY, STEP, Mamba2, convolve, scan, scan_in_order


def inputs(context: int, *, seed: int = 0) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    shapes = {
        "x": (2, context, 3, 4),
        "step": (2, context, 3),
        "rate": (3,),
        "b": (2, context, 5),
        "c": (2, context, 5),
    }
    x, step, rate, b, c = (torch.randn(shape, generator=random) for shape in shapes.values())
    # Steps and rates over the whole range that training starts from, and beyond it.
    parts = [x, torch.exp(step - 2), -torch.exp(rate * 1.5), b, c]
    return [part.requires_grad_() for part in parts]


@pytest.mark.parametrize("context", [1, 7, 64, 100])
@pytest.mark.parametrize("chunk", [1, 8, 32, 256])
def test_chunks_agree_with_the_recurrence(context: int, chunk: int) -> None:
    parts = inputs(context)
    quick, slow = scan(*parts, chunk=chunk), scan_in_order(*parts)
    torch.testing.assert_close(quick, slow, atol=1e-4, rtol=1e-4)
    toward = torch.randn(quick.shape, generator=torch.Generator().manual_seed(9))
    pairs = zip(torch.autograd.grad(quick, parts, toward), torch.autograd.grad(slow, parts, toward), strict=True)
    for one, other in pairs:
        assert float((one - other).abs().max() / other.abs().max().clamp(min=1e-6)) < 1e-4


def test_a_state_that_never_fades_is_a_running_sum() -> None:
    x, step, rate, b, c = (torch.ones(shape) for shape in ((1, 9, 1, 1), (1, 9, 1), (1,), (1, 9, 1), (1, 9, 1)))
    assert scan(x, step, 0 * rate, b, c, chunk=4).flatten().tolist() == list(range(1, 10))


def test_decay_by_hand() -> None:
    half = -torch.log(torch.tensor([2.0]))
    x = torch.tensor([8.0, 0, 0, 4]).view(1, 4, 1, 1)
    ones = torch.ones(1, 4, 1)
    torch.testing.assert_close(scan(x, ones, half, ones, ones, chunk=2).flatten(), torch.tensor([8.0, 4, 2, 5]))


def test_strong_decay_over_a_long_chunk_overflows_nowhere() -> None:
    x, _, _, b, c = inputs(128)
    step, rate = torch.full((2, 128, 3), 5.0).requires_grad_(), torch.full((3,), -16.0).requires_grad_()
    found = scan(x, step, rate, b, c, chunk=128)
    gradients = torch.autograd.grad(found.sum(), (x, step, rate, b, c))
    assert all(torch.isfinite(part).all() for part in (found, *gradients))


def test_the_convolution_is_torchs_own_shifted_back() -> None:
    random = torch.Generator().manual_seed(0)
    x, kernel, bias = (torch.randn(shape, generator=random) for shape in ((2, 10, 6), (6, 4), (6,)))
    padded = torch.nn.functional.pad(x.transpose(1, 2), (3, 0))
    expected = torch.nn.functional.conv1d(padded, kernel[:, None], bias, groups=6).transpose(1, 2)
    torch.testing.assert_close(convolve(x, kernel, bias), expected)


def test_steps_and_decay_rates_start_within_their_ranges() -> None:
    model = build(DecoderShape(width=64, depth=2, hidden=0, context=16, attention_every=0), seed=0)
    for part in model.modules():
        if isinstance(part, Mamba2):
            step_H = torch.nn.functional.softplus(part.step_bias_H.detach())
            decay_H = part.log_decay_H.detach().exp()
            assert STEP[0] * 0.999 < float(step_H.min()) < float(step_H.max()) < STEP[1] * 1.001
            assert DECAY[0] * 0.999 < float(decay_H.min()) < float(decay_H.max()) < DECAY[1] * 1.001
