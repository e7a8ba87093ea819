"""The feed-forward: up, a nonlinearity, down; gated (SwiGLU, Shazeer 2020, arXiv:2002.05202) or plain with GELU."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class FeedForward(nn.Module):
    """A feed-forward of inner width `hidden`, on the last axis of whatever it is given."""

    def __init__(self, width: int, hidden: int, *, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        self.up = nn.Linear(width, (1 + gated) * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, stream: Tensor) -> Tensor:
        return self.down(bend(self.up(stream), gated=self.gated))


def bend(inner: Tensor, *, gated: bool) -> Tensor:
    """The nonlinearity: SiLU of one half times the other, or GELU of the whole."""
    if not gated:
        return functional.gelu(inner)
    gate, value = inner.chunk(2, dim=-1)
    return functional.silu(gate) * value
