"""Causal attention with rotary positions in which several query heads may share a key head.

Shapes: B windows, T bytes of context, H heads, K width of a head, C residual width.
"""

from __future__ import annotations

from torch import Tensor, nn

from kleiber.lab.decoder import DecoderShape
from kleiber.lab.models.causal_attention import attend, turned
from kleiber.lab.models.rotary import rotation_angles


class Attention(nn.Module):
    """Attention of `heads` queries over `heads / queries_per_key` keys (Ainslie et al. 2023, arXiv:2305.13245)."""

    cos_KT: Tensor
    sin_KT: Tensor

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.heads, self.key_heads = shape.heads, shape.heads // shape.queries_per_key
        self.into = nn.Linear(shape.width, (self.heads + 2 * self.key_heads) * shape.head_width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        angle_KT = rotation_angles(shape.context, shape.head_width, shape.rotary_base)
        self.register_buffer("cos_KT", angle_KT.cos(), persistent=False)
        self.register_buffer("sin_KT", angle_KT.sin(), persistent=False)

    def forward(self, stream_BTC: Tensor) -> Tensor:
        context = stream_BTC.shape[1]
        cos_KT, sin_KT = self.cos_KT[:, :context], self.sin_KT[:, :context]
        return self.out(attend(self.into(stream_BTC), cos_KT, sin_KT, heads=self.heads, key_heads=self.key_heads))

    def projected(self, stream_BTC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value of each head, the first two turned by position, `(B, H, K, T)`; keys may have fewer heads."""
        context = stream_BTC.shape[1]
        cos_KT, sin_KT = self.cos_KT[:, :context], self.sin_KT[:, :context]
        return turned(self.into(stream_BTC), cos_KT, sin_KT, self.heads, self.key_heads)
