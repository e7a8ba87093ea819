"""Causal attention over narrow heads, as quick as a processor allows.

One idea: with heads 8 wide a product is quick only where its long side is that of the window. So heads lie channels first, `(K, T)`;
all six products of a step are then `(K, T) @ (T, T)` or `(T, K) @ (K, T)`, three times as quick as `(T, T) @ (T, K)`. Queries
come in four blocks, none of which looks at keys behind its end: three eighths of the square are never computed. Beyond
`LONGEST` bytes, where the weights of all pairs would crowd the memory, and on other devices, PyTorch's own kernel takes over.

Forward and backward against that kernel, one core, 16 windows: 1.8 times as quick with 4 heads over 128 bytes, 1.9 over 256, 1.8
over 512; 1.5 with 23 heads over 128 (`benchmarks/lab_attention.py`).

Source of the backward pass: Dao et al. 2022, arXiv:2205.14135, appendix B.2, without its tiles.

Shapes: B windows, H heads, N = B x H, K width of a head, T bytes of context, S of which are a block's queries.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

LONGEST = 512
BLOCKS, LEAST_BLOCK = 4, 32


def attend(query_BHKT: Tensor, key_BHKT: Tensor, value_BHKT: Tensor) -> Tensor:
    """softmax(query' key / sqrt(K), keys up to the query's own place) value, `(B, H, K, T)`; keys may have fewer heads, each for several queries."""
    narrow = query_BHKT.device.type == "cpu" and query_BHKT.shape[-1] <= LONGEST
    return (_in_blocks if narrow else _by_kernel)(query_BHKT, key_BHKT, value_BHKT)


def _by_kernel(query_BHKT: Tensor, key_BHKT: Tensor, value_BHKT: Tensor) -> Tensor:
    query_BHTK, key_BHTK, value_BHTK = (part.mT.contiguous() for part in (query_BHKT, key_BHKT, value_BHKT))
    return functional.scaled_dot_product_attention(
        query_BHTK, key_BHTK, value_BHTK, is_causal=True, enable_gqa=query_BHTK.shape[1] != key_BHTK.shape[1]
    ).mT


def _in_blocks(query_BHKT: Tensor, key_BHKT: Tensor, value_BHKT: Tensor) -> Tensor:
    width, context = query_BHKT.shape[-2:]
    sharing = query_BHKT.shape[1] // key_BHKT.shape[1]
    if sharing > 1:
        key_BHKT, value_BHKT = (part.repeat_interleave(sharing, dim=1) for part in (key_BHKT, value_BHKT))
    query_NKT = query_BHKT.flatten(0, 1) / math.sqrt(width)
    key_NKT, value_NKT = key_BHKT.flatten(0, 1), value_BHKT.flatten(0, 1)
    block = max(LEAST_BLOCK, -(-context // BLOCKS))
    out = []
    for begin in range(0, context, block):
        end = min(begin + block, context)
        out.append(_Block.apply(query_NKT[..., begin:end], key_NKT[..., :end], value_NKT[..., :end])[0])
    return torch.cat(out, dim=-1).view_as(query_BHKT)


class _Block(torch.autograd.Function):
    """The last S queries of T keys; the queries are scaled already."""

    generate_vmap_rule = True

    @staticmethod
    def forward(query_NKS: Tensor, key_NKT: Tensor, value_NKT: Tensor) -> tuple[Tensor, Tensor]:
        queries, keys = query_NKS.shape[-1], key_NKT.shape[-1]
        later_ST = torch.full((queries, keys), -math.inf, device=key_NKT.device).triu(keys - queries + 1)
        weight_NST = torch.baddbmm(later_ST, query_NKS.mT, key_NKT).softmax(dim=-1)
        return value_NKT @ weight_NST.mT, weight_NST

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        out_NKS, weight_NST = output
        ctx.mark_non_differentiable(weight_NST)
        ctx.save_for_backward(*inputs, out_NKS, weight_NST)

    @staticmethod
    def backward(ctx: Any, slope_NKS: Tensor, _: Tensor) -> tuple[Tensor, ...]:
        query_NKS, key_NKT, value_NKT, out_NKS, weight_NST = ctx.saved_tensors
        slope_NKS = slope_NKS.contiguous()
        # The slope of the logits: weight x (slope' value - slope' out), made in place of the first product.
        logit_NST = slope_NKS.mT @ value_NKT
        logit_NST.sub_((slope_NKS * out_NKS).sum(dim=-2).unsqueeze(-1)).mul_(weight_NST)
        return key_NKT @ logit_NST.mT, query_NKS @ logit_NST, slope_NKS @ weight_NST
