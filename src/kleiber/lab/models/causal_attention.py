"""Causal attention over narrow heads, as quick as a processor allows.

One idea: with heads 8 wide a product is quick only where its long side is that of the window. So heads lie channels first,
`(K, T)`; all six products of a step are then `(K, T) @ (T, T)` or `(T, K) @ (K, T)`, three times as quick as `(T, T) @ (T, K)`.
Queries come in four blocks, none of which looks at keys behind its end: three eighths of the square are never computed. Beyond
`LONGEST` bytes, where the weights of all pairs would crowd the memory, and on other devices, PyTorch's own kernel takes over.

What that gains on a machine, `benchmarks/causal_attention.py` says.

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
    """softmax(query' key / sqrt(K)) value, keys up to the query's own place, `(B, H, K, T)`.

    Keys and values may have fewer heads, each serving several queries.
    """
    narrow = query_BHKT.device.type == "cpu" and query_BHKT.shape[-1] <= LONGEST
    return (_in_blocks if narrow else _by_kernel)(query_BHKT, key_BHKT, value_BHKT)


def weights(query_BHKT: Tensor, key_BHKT: Tensor) -> Tensor:
    """softmax(query' key / sqrt(K)), query by key, `(B, H, T, T)`: what `attend` mixes values by and does not keep."""
    sharing = query_BHKT.shape[1] // key_BHKT.shape[1]
    logit_BHTT = query_BHKT.mT @ key_BHKT.repeat_interleave(sharing, dim=1) / math.sqrt(query_BHKT.shape[-2])
    later_TT = torch.ones(logit_BHTT.shape[-2:], dtype=torch.bool, device=logit_BHTT.device).triu(1)
    return logit_BHTT.masked_fill(later_TT, -math.inf).softmax(dim=-1)


def _by_kernel(query_BHKT: Tensor, key_BHKT: Tensor, value_BHKT: Tensor) -> Tensor:
    query_BHTK, key_BHTK, value_BHTK = (part.mT.contiguous() for part in (query_BHKT, key_BHKT, value_BHKT))
    return functional.scaled_dot_product_attention(
        query_BHTK, key_BHTK, value_BHTK, is_causal=True, enable_gqa=query_BHTK.shape[1] != key_BHTK.shape[1]
    ).mT


def _in_blocks(query_BHKT: Tensor, key_BHKT: Tensor, value_BHKT: Tensor) -> Tensor:
    sharing = query_BHKT.shape[1] // key_BHKT.shape[1]
    if sharing > 1:
        key_BHKT, value_BHKT = (part.repeat_interleave(sharing, dim=1) for part in (key_BHKT, value_BHKT))
    query_NKT = query_BHKT.flatten(0, 1) / math.sqrt(query_BHKT.shape[-2])
    return _Blocks.apply(query_NKT, key_BHKT.flatten(0, 1), value_BHKT.flatten(0, 1))[0].view_as(query_BHKT)


class _Blocks(torch.autograd.Function):
    """Attention and its gradient block by block; the queries are scaled already."""

    generate_vmap_rule = True

    @staticmethod
    def forward(query_NKT: Tensor, key_NKT: Tensor, value_NKT: Tensor) -> tuple[Tensor, ...]:
        out_NKT, weights = torch.empty_like(query_NKT), []
        for begin, end in _blocks(query_NKT.shape[-1]):
            later_ST = key_NKT.new_full((end - begin, end), -math.inf).triu(begin + 1)
            weight_NST = torch.baddbmm(later_ST, query_NKT[..., begin:end].mT, key_NKT[..., :end]).softmax(dim=-1)
            out_NKT[..., begin:end] = value_NKT[..., :end] @ weight_NST.mT
            weights.append(weight_NST)
        return out_NKT, *weights

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs, *output)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, ...]:
        slope_NKT = slopes[0]
        query_NKT, key_NKT, value_NKT, out_NKT, *weights = ctx.saved_tensors
        mean_NT = (slope_NKT * out_NKT).sum(dim=-2)
        to_query_NKT = torch.empty_like(query_NKT)
        to_key_NKT, to_value_NKT = torch.zeros_like(key_NKT), torch.zeros_like(value_NKT)
        for (begin, end), weight_NST in zip(_blocks(query_NKT.shape[-1]), weights, strict=True):
            slope_NKS = slope_NKT[..., begin:end].contiguous()
            # The slope of the logits: weight x (slope' value - its mean under the weights), made in place of the product.
            logit_NST = slope_NKS.mT @ value_NKT[..., :end]
            logit_NST.sub_(mean_NT[..., begin:end, None]).mul_(weight_NST)
            to_query_NKT[..., begin:end] = key_NKT[..., :end] @ logit_NST.mT
            to_key_NKT[..., :end] += query_NKT[..., begin:end] @ logit_NST
            to_value_NKT[..., :end] += slope_NKS @ weight_NST
        return to_query_NKT, to_key_NKT, to_value_NKT


def _blocks(context: int) -> list[tuple[int, int]]:
    block = max(LEAST_BLOCK, -(-context // BLOCKS))
    return [(begin, min(begin + block, context)) for begin in range(0, context, block)]
