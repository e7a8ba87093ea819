"""Causal attention over narrow heads, as quick as a processor allows.

One idea: with heads 8 wide a product is quick only where its long side is that of the window. So heads lie channels first,
`(K, T)`; all six products of a step are then `(K, T) @ (T, T)` or `(T, K) @ (K, T)`, three times as quick as `(T, T) @ (T, K)`.
Queries come in four blocks, none of which looks at keys behind its end: three eighths of the square are never computed. Beyond
`LONGEST` bytes, where the weights of all pairs crowd the memory, for heads wider than `WIDEST`, and on other devices, PyTorch's
kernel takes over.

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

from kleiber.lab.models.rotary import rotate

LONGEST, WIDEST = 256, 16
BLOCKS, LEAST_BLOCK = 4, 32


def attend(mixed_BTX: Tensor, cos_KT: Tensor, sin_KT: Tensor, *, heads: int, key_heads: int) -> Tensor:
    """softmax(query' key / sqrt(K)) value over keys up to the query's own place, queries and keys turned: `(B, T, H K)`.

    `mixed_BTX` holds the channels of `heads` queries, `key_heads` keys and as many values; where these are fewer each serves
    several queries.
    """
    head_width = mixed_BTX.shape[-1] // (heads + 2 * key_heads)
    narrow = mixed_BTX.device.type == "cpu" and mixed_BTX.shape[1] <= LONGEST and head_width <= WIDEST
    way = in_blocks if narrow else by_kernel
    if mixed_BTX.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return way(mixed_BTX, cos_KT, sin_KT, heads, key_heads)
    # On a processor products as narrow as a head gain nothing from narrower numbers.
    with torch.autocast("cpu", enabled=False):
        return way(mixed_BTX.float(), cos_KT, sin_KT, heads, key_heads)


def turned(
    mixed_BTX: Tensor, cos_KT: Tensor, sin_KT: Tensor, heads: int, key_heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value of each head, channels first, the first two turned by position, `(B, H, K, T)`."""
    mixed_BHKT = mixed_BTX.mT.contiguous().unflatten(1, (heads + 2 * key_heads, -1))
    # Split, not sliced: the slope of a split is one array, that of each slice a whole one with zeros beside it.
    turning_BHKT, value_BHKT = mixed_BHKT.split((heads + key_heads, key_heads), dim=1)
    query_BHKT, key_BHKT = rotate(turning_BHKT, cos_KT, sin_KT, dim=-2).split((heads, key_heads), dim=1)
    return query_BHKT, key_BHKT, value_BHKT


def weights(query_BHKT: Tensor, key_BHKT: Tensor) -> Tensor:
    """softmax(query' key / sqrt(K)), query by key, `(B, H, T, T)`: what `attend` mixes values by and does not keep."""
    sharing = query_BHKT.shape[1] // key_BHKT.shape[1]
    logit_BHTT = query_BHKT.mT @ key_BHKT.repeat_interleave(sharing, dim=1) / math.sqrt(query_BHKT.shape[-2])
    later_TT = torch.ones(logit_BHTT.shape[-2:], dtype=torch.bool, device=logit_BHTT.device).triu(1)
    return logit_BHTT.masked_fill(later_TT, -math.inf).softmax(dim=-1)


def by_kernel(mixed_BTX: Tensor, cos_KT: Tensor, sin_KT: Tensor, heads: int, key_heads: int) -> Tensor:
    """PyTorch's own kernel."""
    mixed_BTHK = mixed_BTX.unflatten(-1, (heads + 2 * key_heads, -1))
    turning_BTHK, value_BTHK = mixed_BTHK.split((heads + key_heads, key_heads), dim=2)
    turned_BTHK = rotate(turning_BTHK, cos_KT.mT[:, None], sin_KT.mT[:, None], dim=-1)
    query_BHTK, key_BHTK = (part.transpose(1, 2) for part in turned_BTHK.split((heads, key_heads), dim=2))
    value_BHTK = value_BTHK.transpose(1, 2)
    return (
        functional.scaled_dot_product_attention(
            query_BHTK, key_BHTK, value_BHTK, is_causal=True, enable_gqa=heads != key_heads
        )
        .transpose(1, 2)
        .flatten(2)
    )


def in_blocks(mixed_BTX: Tensor, cos_KT: Tensor, sin_KT: Tensor, heads: int, key_heads: int) -> Tensor:
    """Block by block of queries, heads channels first."""
    query_BHKT, key_BHKT, value_BHKT = turned(mixed_BTX, cos_KT, sin_KT, heads, key_heads)
    if heads != key_heads:
        key_BHKT, value_BHKT = (part.repeat_interleave(heads // key_heads, dim=1) for part in (key_BHKT, value_BHKT))
    query_NKT = query_BHKT.flatten(0, 1) / math.sqrt(query_BHKT.shape[-2])
    attended_NKT = _Blocks.apply(query_NKT, key_BHKT.flatten(0, 1), value_BHKT.flatten(0, 1))[0]
    return attended_NKT.view_as(query_BHKT).flatten(1, 2).mT


class _Blocks(torch.autograd.Function):
    """Attention and its gradient block by block; the queries are scaled already."""

    generate_vmap_rule = True

    @staticmethod
    def forward(query_NKT: Tensor, key_NKT: Tensor, value_NKT: Tensor) -> tuple[Tensor, ...]:
        out_NKT, weights = torch.empty_like(query_NKT), []
        for begin, end in _blocks(query_NKT.shape[-1]):
            logit_NST = query_NKT[..., begin:end].mT @ key_NKT[..., :end]
            logit_NST[..., begin:].add_(_later(end - begin, key_NKT.dtype, key_NKT.device))
            weight_NST = logit_NST.softmax(dim=-1)
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
        to_key_NKT, to_value_NKT = key_NKT, value_NKT
        blocks = _blocks(query_NKT.shape[-1])
        # The last block sees all keys: it writes what the others add to.
        for (begin, end), weight_NST in zip(reversed(blocks), reversed(weights), strict=True):
            slope_NKS = slope_NKT[..., begin:end].contiguous()
            # The slope of the logits: weight x (slope' value - its mean under the weights), made in place of the product.
            logit_NST = slope_NKS.mT @ value_NKT[..., :end]
            logit_NST.sub_(mean_NT[..., begin:end, None]).mul_(weight_NST)
            to_query_NKT[..., begin:end] = key_NKT[..., :end] @ logit_NST.mT
            to_key, to_value = query_NKT[..., begin:end] @ logit_NST, slope_NKS @ weight_NST
            if end == query_NKT.shape[-1]:
                to_key_NKT, to_value_NKT = to_key, to_value
            else:
                to_key_NKT[..., :end] += to_key
                to_value_NKT[..., :end] += to_value
        return to_query_NKT, to_key_NKT, to_value_NKT


def _later(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Minus infinity where a key comes after the query, else 0: of a block's queries by the keys of their own places."""
    return torch.full((size, size), -math.inf, dtype=dtype, device=device).triu(1)


def _blocks(context: int) -> list[tuple[int, int]]:
    block = max(LEAST_BLOCK, -(-context // BLOCKS))
    return [(begin, min(begin + block, context)) for begin in range(0, context, block)]
