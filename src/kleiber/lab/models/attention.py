"""Causal attention with rotary positions in which several query heads may share a key head.

Shapes: B windows, T bytes of context, H heads, K width of a head, C residual width.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from kleiber.lab.decoder import DecoderShape
from kleiber.lab.models.dense import rotate, rotation_angles
from kleiber.lab.shape import HEAD_WIDTH


class Attention(nn.Module):
    """Attention of `heads` queries over `heads / queries_per_key` keys (Ainslie et al. 2023, arXiv:2305.13245)."""

    cos_TK: Tensor
    sin_TK: Tensor

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.heads, self.key_heads = shape.heads, shape.heads // shape.queries_per_key
        self.into = nn.Linear(shape.width, (self.heads + 2 * self.key_heads) * HEAD_WIDTH, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        angle_TK = rotation_angles(shape.context)
        self.register_buffer("cos_TK", angle_TK.cos(), persistent=False)
        self.register_buffer("sin_TK", angle_TK.sin(), persistent=False)

    def forward(self, stream_BTC: Tensor) -> Tensor:
        batch, context, width = stream_BTC.shape
        mixed_BHTK = self.into(stream_BTC).view(batch, context, -1, HEAD_WIDTH).transpose(1, 2)
        query_BHTK, key_BHTK, value_BHTK = mixed_BHTK.split((self.heads, self.key_heads, self.key_heads), dim=1)
        cos_TK, sin_TK = self.cos_TK[:context], self.sin_TK[:context]
        attended_BHTK = functional.scaled_dot_product_attention(
            rotate(query_BHTK, cos_TK, sin_TK),
            rotate(key_BHTK, cos_TK, sin_TK),
            value_BHTK,
            is_causal=True,
            enable_gqa=self.heads != self.key_heads,
        )
        return self.out(attended_BHTK.transpose(1, 2).reshape(batch, context, width))
