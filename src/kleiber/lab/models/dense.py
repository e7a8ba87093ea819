"""A decoder-only transformer: pre-norm RMSNorm, rotary positions, causal attention, plain MLP.

Shapes: B windows, T tokens of context, H heads, K width of a head, C residual width, V vocabulary, X channels of a map.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from kleiber.lab.models.causal_attention import attend, turned
from kleiber.lab.models.root_mean_square import normalise
from kleiber.lab.models.rotary import rotation_angles
from kleiber.lab.shape import DenseShape

EMBEDDING_STD = 1.0


class Attention(nn.Module):
    """Causal self-attention with rotary positions (Su et al. 2021, arXiv:2104.09864)."""

    def __init__(self, shape: DenseShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query_key_value = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, stream_BTC: Tensor, cos_KT: Tensor, sin_KT: Tensor) -> Tensor:
        mixed_BTX = self.query_key_value(stream_BTC)
        return self.out(attend(mixed_BTX, cos_KT, sin_KT, heads=self.heads, key_heads=self.heads))

    def projected(self, stream_BTC: Tensor, cos_KT: Tensor, sin_KT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value of each head, the first two turned by position, `(B, H, K, T)`."""
        return turned(self.query_key_value(stream_BTC), cos_KT, sin_KT, self.heads, self.heads)


class Block(nn.Module):
    """Attention, then an MLP with GELU, each on a normalised copy of the residual stream."""

    def __init__(self, shape: DenseShape) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, stream_BTC: Tensor, cos_KT: Tensor, sin_KT: Tensor) -> Tensor:
        stream_BTC = stream_BTC + self.attention(normalise(stream_BTC), cos_KT, sin_KT)
        return stream_BTC + self.down(functional.gelu(self.up(normalise(stream_BTC))))


class Dense(nn.Module):
    """The model: tokens in, logits over the next token out."""

    cos_KT: Tensor
    sin_KT: Tensor

    def __init__(self, shape: DenseShape) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        angle_KT = rotation_angles(shape.context, shape.head_width, shape.rotary_base)
        self.register_buffer("cos_KT", angle_KT.cos(), persistent=False)
        self.register_buffer("sin_KT", angle_KT.sin(), persistent=False)

    def forward(self, token_BT: Tensor) -> Tensor:
        context = token_BT.shape[1]
        cos_KT, sin_KT = self.cos_KT[:, :context], self.sin_KT[:, :context]
        stream_BTC = self.embedding(token_BT)
        for block in self.blocks:
            stream_BTC = block(stream_BTC, cos_KT, sin_KT)
        return self.head(normalise(stream_BTC))


def build(shape: DenseShape, *, seed: int) -> Dense:
    """A freshly initialised model; the same shape and seed give the same bits.

    Maps start normal with variance 1 / fan-in, those that write into the residual stream divided by
    sqrt(2 · depth) (Radford et al. 2019); the head starts at zero, so that the first loss is log(vocabulary).
    """
    model = Dense(shape)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            std = 1 / math.sqrt(weight.shape[1])
            if name.endswith(("out.weight", "down.weight")):
                std /= math.sqrt(2 * shape.depth)
            if name == "embedding.weight":
                std = EMBEDDING_STD
            weight.normal_(0.0, std, generator=generator)
        model.head.weight.zero_()
    return model
