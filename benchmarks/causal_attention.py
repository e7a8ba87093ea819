"""Attention in blocks against PyTorch's own kernel for processors, forward and backward, as a ratio of CPU time.

Run: python benchmarks/causal_attention.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from kleiber.lab.models.causal_attention import by_kernel, in_blocks
from kleiber.lab.models.rotary import rotation_angles
from kleiber.lab.thread import one_quick_thread

WINDOWS = 16
CASES = ((128, 4, 8), (128, 26, 8), (256, 4, 8), (512, 4, 8), (128, 8, 32), (128, 4, 64), (512, 4, 32))
"""Bytes of context, heads, width of a head."""
ROUNDS = 7
Way = Callable[[Tensor, Tensor, Tensor, int, int], Tensor]
WAYS: tuple[Way, ...] = (by_kernel, in_blocks)


def seconds(way: Way, mixed_BTX: Tensor, slope_BTC: Tensor, angle_KT: Tensor, heads: int) -> float:
    """CPU time of one layer's attention, rotation and changes of layout included, forward and backward."""
    cos_KT, sin_KT = angle_KT.cos(), angle_KT.sin()
    begin = time.process_time()
    torch.autograd.grad(way(mixed_BTX, cos_KT, sin_KT, heads, heads), mixed_BTX, slope_BTC)
    return time.process_time() - begin


def main() -> None:
    """Print a line per case."""
    with one_quick_thread():
        for context, heads, head_width in CASES:
            mixed = torch.randn(WINDOWS, context, 3 * head_width * heads, requires_grad=True)
            slope = torch.randn(WINDOWS, context, head_width * heads)
            angle = rotation_angles(context, head_width)
            rounds = [[seconds(way, mixed, slope, angle, heads) for way in WAYS] for _ in range(ROUNDS)][1:]
            ratio = statistics.median(kernel / blocks for kernel, blocks in rounds)
            best = 1e3 * min(blocks for _, blocks in rounds)
            print(
                f"{context} bytes, {heads} heads {head_width} wide: {best:.1f} ms, {ratio:.2f}x as quick as the kernel"
            )


if __name__ == "__main__":
    main()
