"""Mamba-2: a linear recurrence with input-dependent decay, computed in chunks by matrix products.

Per head, with step d_t > 0 and decay rate a < 0:   h_t = exp(d_t a) h_(t-1) + d_t b_t x_t',   y_t = c_t' h_t.
Within a chunk y_i = sum over j <= i of exp(sum of d a over j+1..i) (c_i . b_j) d_j x_j, two matrix products under a mask; from
chunk to chunk only the state is carried. `scan_in_order` is the definition, `scan` the quick form.

On one CPU core with 8 windows of 128 bytes, state and heads 16 wide, chunks of 32 are the quickest: 1.4 times as quick as 16, 1.3
as 64, 2.9 as 128.

Source: Dao & Gu 2024, arXiv:2405.21060, sections 6 (chunked form) and 7 (block). One group of b and c serves all heads.

Shapes: B windows, T bytes, G chunks of Q bytes, H heads, P width of a head, N state, D = H P channels, C residual width,
X = D + 2 N channels of the convolution, K its kernel.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from kleiber.lab.decoder import DecoderShape
from kleiber.lab.models.root_mean_square import normalise

DECAY = (1.0, 16.0)
STEP = (0.001, 0.1)
"""Where decay rates and steps start, as in the authors' code (state-spaces/mamba, mamba2.py)."""


class Mamba2(nn.Module):
    """One Mamba-2 block: map in, short causal convolution, scan with skip, gated norm, map out."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        scan = shape.scan
        self.inner, self.state, self.chunk = shape.inner, scan.state, scan.chunk
        self.heads = shape.inner // scan.head_width
        convolved = shape.inner + 2 * scan.state
        self.into = nn.Linear(shape.width, shape.inner + convolved + self.heads, bias=False)
        self.kernel_XK = nn.Parameter(torch.empty(convolved, scan.kernel))
        self.kernel_bias_X = nn.Parameter(torch.empty(convolved))
        self.step_bias_H = nn.Parameter(torch.empty(self.heads))
        self.log_decay_H = nn.Parameter(torch.empty(self.heads))
        self.skip_H = nn.Parameter(torch.empty(self.heads))
        self.gain_D = nn.Parameter(torch.empty(shape.inner))
        self.out = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, stream_BTC: Tensor) -> Tensor:
        gate_BTD, mixed_BTX, step_BTH = self.into(stream_BTC).split(
            (self.inner, self.inner + 2 * self.state, self.heads), dim=-1
        )
        mixed_BTX = functional.silu(convolve(mixed_BTX, self.kernel_XK, self.kernel_bias_X))
        x_BTD, b_BTN, c_BTN = mixed_BTX.split((self.inner, self.state, self.state), dim=-1)
        x_BTHP = x_BTD.unflatten(-1, (self.heads, -1)).float()
        step_BTH = functional.softplus(step_BTH.float() + self.step_bias_H)
        # Sums of decays in float32 whatever the rest runs in: they are exponents.
        with torch.autocast(stream_BTC.device.type, enabled=False):
            rate_H = -self.log_decay_H.float().exp()
            y_BTHP = scan(x_BTHP, step_BTH, rate_H, b_BTN.float(), c_BTN.float(), chunk=self.chunk)
        y_BTHP = y_BTHP + self.skip_H[:, None] * x_BTHP
        gated_BTD = y_BTHP.flatten(-2) * functional.silu(gate_BTD)
        return self.out(normalise(gated_BTD) * self.gain_D)

    @torch.no_grad()
    def start(self, generator: torch.Generator) -> None:
        """First values of all that is no map: steps and decay rates spread over their ranges, the rest neutral."""
        bound = 1 / math.sqrt(self.kernel_XK.shape[1])
        self.kernel_XK.uniform_(-bound, bound, generator=generator)
        self.kernel_bias_X.zero_()
        self.skip_H.fill_(1.0)
        self.gain_D.fill_(1.0)
        self.log_decay_H.uniform_(*DECAY, generator=generator).log_()
        low, high = (math.log(end) for end in STEP)
        step_H = torch.empty_like(self.step_bias_H).uniform_(low, high, generator=generator).exp_()
        # The inverse of softplus.
        self.step_bias_H.copy_(step_H + torch.log(-torch.expm1(-step_H)))


def convolve(x_BTX: Tensor, kernel_XK: Tensor, bias_X: Tensor) -> Tensor:
    """Each channel by itself over its last K values, as K shifted sums."""
    width, context = kernel_XK.shape[1], x_BTX.shape[1]
    padded = functional.pad(x_BTX, (0, 0, width - 1, 0))
    total = bias_X + padded[:, :context] * kernel_XK[:, 0]
    for lag in range(1, width):
        total = total + padded[:, lag : lag + context] * kernel_XK[:, lag]
    return total


def scan(x_BTHP: Tensor, step_BTH: Tensor, rate_H: Tensor, b_BTN: Tensor, c_BTN: Tensor, *, chunk: int) -> Tensor:
    """The recurrence in chunks: `(B, T, H, P)` for any T, equal to `scan_in_order` but for rounding."""
    context = x_BTHP.shape[1]
    chunk = min(chunk, context)
    # A step of zero neither decays nor writes: padding to whole chunks changes nothing.
    missing = -context % chunk
    driven_BTHP = functional.pad(x_BTHP * step_BTH[..., None], (0, 0, 0, 0, 0, missing))
    x_BGQHP = driven_BTHP.unflatten(1, (-1, chunk))
    b_BGQN, c_BGQN = (functional.pad(part, (0, 0, 0, missing)).unflatten(1, (-1, chunk)) for part in (b_BTN, c_BTN))
    decay_BGHQ = functional.pad(step_BTH * rate_H, (0, 0, 0, missing)).unflatten(1, (-1, chunk)).transpose(2, 3)
    log_BGHQ = decay_BGHQ.cumsum(dim=-1)
    y_BGQHP = _within(x_BGQHP, log_BGHQ, b_BGQN, c_BGQN)
    if x_BGQHP.shape[1] > 1:
        y_BGQHP = y_BGQHP + _across(x_BGQHP, log_BGHQ, b_BGQN, c_BGQN)
    return y_BGQHP.flatten(1, 2)[:, :context]


def _within(x_BGQHP: Tensor, log_BGHQ: Tensor, b_BGQN: Tensor, c_BGQN: Tensor) -> Tensor:
    """What a chunk's own bytes give."""
    chunk = log_BGHQ.shape[-1]
    later = torch.ones(chunk, chunk, dtype=torch.bool, device=log_BGHQ.device).triu(1)
    # Masked before the exponential: above the diagonal the exponents are positive and could overflow.
    decay_BGHQR = (log_BGHQ[..., :, None] - log_BGHQ[..., None, :]).masked_fill(later, -math.inf).exp()
    score_BGQR = c_BGQN @ b_BGQN.transpose(-1, -2)
    y_BGHQP = (score_BGQR[:, :, None] * decay_BGHQR) @ x_BGQHP.transpose(2, 3)
    return y_BGHQP.transpose(2, 3)


def _across(x_BGQHP: Tensor, log_BGHQ: Tensor, b_BGQN: Tensor, c_BGQN: Tensor) -> Tensor:
    """What the state on entering a chunk gives."""
    rest_BGHQ = (log_BGHQ[..., -1:] - log_BGHQ).exp()
    written_BGHNP = b_BGQN.transpose(-1, -2)[:, :, None] @ (rest_BGHQ[..., None] * x_BGQHP.transpose(2, 3))
    whole_BGH = log_BGHQ[..., -1].exp()
    state_BHNP = torch.zeros_like(written_BGHNP[:, 0])
    entering = []
    for number in range(written_BGHNP.shape[1]):
        entering.append(state_BHNP)
        state_BHNP = whole_BGH[:, number, :, None, None] * state_BHNP + written_BGHNP[:, number]
    read_BGHQP = c_BGQN[:, :, None] @ torch.stack(entering, dim=1)
    return (log_BGHQ.exp()[..., None] * read_BGHQP).transpose(2, 3)


def scan_in_order(x_BTHP: Tensor, step_BTH: Tensor, rate_H: Tensor, b_BTN: Tensor, c_BTN: Tensor) -> Tensor:
    """The recurrence byte by byte, as it is defined."""
    batch, context, heads, width = x_BTHP.shape
    state_BHPN = x_BTHP.new_zeros(batch, heads, width, b_BTN.shape[-1])
    out = []
    for t in range(context):
        keep_BH = (step_BTH[:, t] * rate_H).exp()
        written_BHPN = (step_BTH[:, t, :, None] * x_BTHP[:, t])[..., None] * b_BTN[:, t, None, None]
        state_BHPN = keep_BH[..., None, None] * state_BHPN + written_BHPN
        out.append((state_BHPN * c_BTN[:, t, None, None]).sum(dim=-1))
    return torch.stack(out, dim=1)
