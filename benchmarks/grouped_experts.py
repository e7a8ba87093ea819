"""Four exact ways to send tokens through their experts, forward and backward, as ratios to the one the lab uses.

Run: python benchmarks/grouped_experts.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from kleiber.lab.models.experts import grouped
from kleiber.lab.models.feed_forward import bend

SIZES = ((64, 8, 2), (64, 64, 2), (128, 16, 2))
"""Width, experts, chosen; an expert is twice as wide as the stream."""
TOKENS = (1024, 4096)
REPEATS = 4
Product = Callable[[Tensor, Tensor, Tensor], Tensor]


def by_group(rows_SI: Tensor, maps_EIO: Tensor, load_E: Tensor) -> Tensor:
    """PyTorch's grouped product."""
    return grouped(rows_SI, maps_EIO, load_E.cumsum(0).to(torch.int32))


def by_stretch(rows_SI: Tensor, maps_EIO: Tensor, load_E: Tensor) -> Tensor:
    """One product per expert."""
    stretches = rows_SI.split(load_E.tolist())
    return torch.cat([rows @ map_IO for rows, map_IO in zip(stretches, maps_EIO.unbind(), strict=True)])


def by_padding(rows_SI: Tensor, maps_EIO: Tensor, load_E: Tensor) -> Tensor:
    """One batched product, every expert padded to the fullest."""
    experts, most = len(maps_EIO), int(load_E.max())
    expert_S = torch.repeat_interleave(torch.arange(experts), load_E)
    place_S = expert_S * most + torch.arange(len(rows_SI)) - (load_E.cumsum(0) - load_E)[expert_S]
    padded = rows_SI.new_zeros(experts * most, rows_SI.shape[1]).index_copy(0, place_S, rows_SI)
    return torch.bmm(padded.view(experts, most, -1), maps_EIO).flatten(0, 1)[place_S]


def by_all(rows_SI: Tensor, maps_EIO: Tensor, load_E: Tensor) -> Tensor:
    """Every expert on every row, all but one thrown away."""
    expert_S = torch.repeat_interleave(torch.arange(len(maps_EIO)), load_E)
    return torch.einsum("si,eio->seo", rows_SI, maps_EIO)[torch.arange(len(rows_SI)), expert_S]


WAYS: dict[str, Product] = {"grouped": by_group, "loop": by_stretch, "padded": by_padding, "all experts": by_all}


def seconds(way: Product, rows_SI: Tensor, up_EIO: Tensor, down_EIO: Tensor, load_E: Tensor) -> float:
    """CPU time of one layer of experts, forward and backward."""
    begin = time.process_time()
    out = way(bend(way(rows_SI, up_EIO, load_E), gated=True), down_EIO, load_E)
    torch.autograd.grad(out.square().mean(), (rows_SI, up_EIO, down_EIO))
    return time.process_time() - begin


def main() -> None:
    """Print the best time of the grouped product, and the others' over it."""
    torch.set_num_threads(1)
    for width, experts, chosen in SIZES:
        for tokens in TOKENS:
            random = torch.Generator().manual_seed(0)
            uneven_E = torch.softmax(torch.randn(experts, generator=random) / 2, dim=0)
            drawn_S = torch.multinomial(uneven_E, tokens * chosen, replacement=True, generator=random)
            shapes = ((tokens * chosen, width), (experts, width, 4 * width), (experts, 2 * width, width))
            rows, up, down = ((torch.randn(shape, generator=random) / 8).requires_grad_() for shape in shapes)
            load_E = torch.bincount(drawn_S, minlength=experts)
            # Every expert on every token is hopeless beyond a few.
            ways = {name: way for name, way in WAYS.items() if name != "all experts" or experts * tokens <= 16_384}
            rounds = [
                {name: seconds(way, rows, up, down, load_E) for name, way in ways.items()} for _ in range(REPEATS)
            ]
            best = {name: min(times[name] for times in rounds) for name in ways}
            ratios = ", ".join(f"{name} {best[name] / best['grouped']:.1f}x" for name in ways if name != "grouped")
            what = f"width {width}, {chosen} of {experts} experts, {tokens} tokens"
            print(f"{what}: grouped {1e3 * best['grouped']:.1f} ms; {ratios}")


if __name__ == "__main__":
    main()
