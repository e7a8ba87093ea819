"""RMSNorm without a gain: the maps after it carry the scale.

y = x / sqrt(mean(x^2) + eps). On a processor PyTorch composes it of many passes over the stream, forward and backward; here there
are five, by the slope (g - y mean(g y)) / sqrt(mean(x^2) + eps). Compiled, and on other devices, PyTorch's own is as quick.

Source: Zhang & Sennrich 2019, arXiv:1910.07467, equation 4.

Shapes: B windows, T tokens of context, C residual width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def normalise(stream_BTC: Tensor) -> Tensor:
    """The stream at a root mean square of 1 in every place."""
    if stream_BTC.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.rms_norm(stream_BTC, stream_BTC.shape[-1:])
    return _Normalised.apply(stream_BTC)[0]


class _Normalised(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(stream_BTC: Tensor) -> tuple[Tensor, Tensor]:
        norm_BT1 = torch.linalg.vector_norm(stream_BTC, dim=-1, keepdim=True)
        eps = torch.finfo(stream_BTC.dtype).eps
        scale_BT1 = norm_BT1.mul_(norm_BT1).div_(stream_BTC.shape[-1]).add_(eps).rsqrt_()
        return stream_BTC * scale_BT1, scale_BT1

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        even_BTC, scale_BT1 = ctx.saved_tensors
        mean_BT1 = torch.linalg.vecdot(slopes[0], even_BTC)[..., None] / even_BTC.shape[-1]
        return torch.addcmul(slopes[0], even_BTC, mean_BT1, value=-1) * scale_BT1
