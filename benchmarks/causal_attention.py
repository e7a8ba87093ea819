"""Attention in blocks against PyTorch's own kernel for processors, forward and backward, as a ratio of CPU time.

Run: python benchmarks/causal_attention.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from kleiber.lab.models.causal_attention import attend
from kleiber.lab.models.dense import channels_first
from kleiber.lab.thread import one_quick_thread

WINDOWS = 16
CASES = ((128, 4), (128, 26), (256, 4), (512, 4))
"""Bytes of context, heads."""
ROUNDS = 7


def by_kernel(mixed_BTX: Tensor) -> Tensor:
    """The kernel, on the layout it likes best."""
    batch, context, channels = mixed_BTX.shape
    parts = mixed_BTX.view(batch, context, 3, -1, 8).permute(2, 0, 3, 1, 4).unbind(0)
    out_BHTK = functional.scaled_dot_product_attention(*parts, is_causal=True)
    return out_BHTK.transpose(1, 2).reshape(batch, context, channels // 3)


def by_blocks(mixed_BTX: Tensor) -> Tensor:
    """The lab's, the change of layout included."""
    return attend(*channels_first(mixed_BTX).chunk(3, dim=1)).flatten(1, 2).mT.contiguous()


def seconds(way: Callable[[Tensor], Tensor], mixed_BTX: Tensor, slope_BTC: Tensor) -> float:
    """CPU time of one layer's attention, forward and backward."""
    begin = time.process_time()
    torch.autograd.grad(way(mixed_BTX), mixed_BTX, slope_BTC)
    return time.process_time() - begin


def main() -> None:
    """Print a line per case."""
    with one_quick_thread():
        for context, heads in CASES:
            mixed = torch.randn(WINDOWS, context, 24 * heads, requires_grad=True)
            slope = torch.randn(WINDOWS, context, 8 * heads)
            rounds = [(seconds(by_kernel, mixed, slope), seconds(by_blocks, mixed, slope)) for _ in range(ROUNDS)][1:]
            ratio = statistics.median(kernel / blocks for kernel, blocks in rounds)
            best = 1e3 * min(blocks for _, blocks in rounds)
            print(f"{context} bytes, {heads} heads: {best:.1f} ms, {ratio:.2f}x as quick as the kernel")


if __name__ == "__main__":
    main()
