"""A decoder of any mixers and feed-forwards: attention in one block of n, Mamba-2 in the others, experts or not.

The one stack behind the families experts (attention in every block, experts after it), ssm (no attention) and hybrid; with
attention everywhere and a plain feed-forward it is a dense transformer with SwiGLU and shared keys. Parts read a normalised copy
of the residual stream and add to it, as in `dense`; norms on the stream carry no gain.

Shapes: B windows, T tokens of context, C residual width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kleiber.lab.decoder import DecoderShape
from kleiber.lab.models.attention import Attention
from kleiber.lab.models.experts import Experts
from kleiber.lab.models.feed_forward import FeedForward
from kleiber.lab.models.roles import first_std
from kleiber.lab.models.root_mean_square import normalise
from kleiber.lab.models.state_space import Mamba2


class Block(nn.Module):
    """A mixer, then a feed-forward where there is one."""

    def __init__(self, shape: DecoderShape, number: int) -> None:
        super().__init__()
        self.mixer = Attention(shape) if shape.attends(number) else Mamba2(shape)
        self.feed_forward = _feed_forward(shape)

    def forward(self, stream_BTC: Tensor) -> Tensor:
        stream_BTC = stream_BTC + self.mixer(normalise(stream_BTC))
        if self.feed_forward is None:
            return stream_BTC
        return stream_BTC + self.feed_forward(normalise(stream_BTC))


class Decoder(nn.Module):
    """The model: tokens in, logits over the next token out."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape, number) for number in range(shape.depth))
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)

    def forward(self, token_BT: Tensor) -> Tensor:
        stream_BTC = self.embedding(token_BT)
        for block in self.blocks:
            stream_BTC = block(stream_BTC)
        return self.head(normalise(stream_BTC))


def build(shape: DecoderShape, *, seed: int) -> Decoder:
    """A freshly initialised model; the same shape and seed give the same bits."""
    model = Decoder(shape)
    generator = torch.Generator().manual_seed(seed)
    writes = shape.depth * (1 + (shape.hidden > 0))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            std = first_std(name, tuple(weight.shape), writes=writes)
            if std is not None:
                weight.normal_(0.0, std, generator=generator)
        model.head.weight.zero_()
        for part in model.modules():
            if isinstance(part, Mamba2):
                part.start(generator)
    return model


def _feed_forward(shape: DecoderShape) -> FeedForward | Experts | None:
    if not shape.hidden:
        return None
    if shape.experts is None:
        return FeedForward(shape.width, shape.hidden, gated=shape.gated)
    return Experts(shape, shape.experts)
