"""Rotary positions: pairs of a head's channels turn by an angle that grows with the place, each pair at its own rate.

Source: Su et al. 2021, arXiv:2104.09864, with the two halves of a head as the pairs.

Shapes: K width of a head, T tokens of context.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Four rotation rates per head of width 8: with a base of 10,000 two of them hardly turn within 128 bytes.
# Half the context as the base spreads all four over the window, and attention takes hold sooner (ladders/sotu-dense/README.md);
# at 512 bytes it does not (ladders/sotu-context/README.md).
BASE_OF_CONTEXT = 0.5


def rotation_angles(context: int, head_width: int, base: int | None = None) -> Tensor:
    """Angle of every head channel and position, `(K / 2, T)`, the same for both halves of a head; `base`: half the context."""
    half = head_width // 2
    rate_K = (base or BASE_OF_CONTEXT * context) ** (-torch.arange(half) / half)
    return torch.arange(context)[None, :] * rate_K[:, None]


def rotate(x: Tensor, cos: Tensor, sin: Tensor, *, dim: int) -> Tensor:
    """Turn each pair of channels, one of each half along `dim`, by its position's angle."""
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return _turned(x, cos, sin, dim)
    return _Turned.apply(x, cos, sin, dim)


def _turned(x: Tensor, cos: Tensor, sin: Tensor, dim: int) -> Tensor:
    first, second = x.chunk(2, dim=dim)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=dim)


class _Turned(torch.autograd.Function):
    """The slope of a turn is the turn back: kept out of PyTorch's hands, which would take twice as many passes over memory."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, cos: Tensor, sin: Tensor, dim: int) -> Tensor:
        first, second = x.chunk(2, dim=dim)
        ahead = [torch.addcmul(first * cos, second, sin, value=-1), torch.addcmul(second * cos, first, sin)]
        return torch.cat(ahead, dim=dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, int], output: Tensor) -> None:
        _, cos, sin, ctx.dim = inputs
        ctx.save_for_backward(cos, sin)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None, None]:
        cos, sin = ctx.saved_tensors
        first, second = slopes[0].chunk(2, dim=ctx.dim)
        back = [torch.addcmul(first * cos, second, sin), torch.addcmul(second * cos, first, sin, value=-1)]
        return torch.cat(back, dim=ctx.dim), None, None, None
