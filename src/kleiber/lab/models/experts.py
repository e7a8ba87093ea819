"""Sparse experts: each token goes to `chosen` of `count` feed-forwards, none is dropped, and the load is kept even.

The way the data takes: tokens -> router logits -> scores -> the `chosen` best -> copies of the tokens sorted by expert -> one
grouped product up and one down -> back in order, weighted by the scores, summed. With more than one chosen the scores are made
to sum to one; with one chosen the score itself is the weight, or the router would never learn.

How the load is kept even is a policy of `kleiber.lab.models.balance`. MaxVio (Wang et al. 2024, arXiv:2408.15664) is the
largest load over the mean load, less one.

Of four exact ways to multiply, forward and backward on one CPU core with 1,024 and 4,096 tokens and 8 to 64 experts, PyTorch's
grouped product is never slower than a loop over the experts (as quick with 8, 1.1 to 1.3 times as quick with 64), 1.7 to 6.5
times as quick as padding to the fullest expert, 7 to 16 times as every expert on every token (`benchmarks/grouped_experts.py`).

Shapes: N tokens, S = N x chosen copies, E experts, W residual width, H inner width, U = H or 2 H (gated).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from kleiber.lab.decoder import DecoderShape, ExpertSetting
from kleiber.lab.models import expert_choice
from kleiber.lab.models.balance import policy
from kleiber.lab.models.feed_forward import FeedForward, bend


class Experts(nn.Module):
    """One layer of experts, with what the last batch did to its balance."""

    bias_E: Tensor
    seen_E: Tensor

    def __init__(self, shape: DecoderShape, setting: ExpertSetting) -> None:
        super().__init__()
        self.setting, self.gated, self.policy = setting, shape.gated, policy(setting.balance)
        count, width, hidden = setting.count, shape.width, shape.expert_hidden
        self.router = nn.Linear(width, count, bias=False)
        self.up_EWU = nn.Parameter(torch.empty(count, width, (1 + shape.gated) * hidden))
        self.down_EHW = nn.Parameter(torch.empty(count, hidden, width))
        self.shared = FeedForward(width, setting.shared * hidden, gated=shape.gated) if setting.shared else None
        # A bias (or the cut-offs of expert choice) is part of a run's state; other policies have none.
        self.register_buffer("bias_E", torch.zeros(count), persistent=setting.keeps_bias)
        self.register_buffer("seen_E", torch.zeros(count), persistent=False)
        self.load_E: Tensor = torch.zeros(count)
        self.next_bias_E: Tensor = torch.zeros(count)
        self.penalty: Tensor = torch.zeros(())
        # Where several processes share a batch, the load is that of the whole batch: its mean over them.
        self.average: Callable[[Tensor], Tensor] = _own

    def forward(self, stream: Tensor) -> Tensor:
        stream_NW = stream.reshape(-1, stream.shape[-1])
        if self.setting.balance == "expert-choice":
            routed_NW = self._take(stream_NW)
        else:
            routed_NW = self._feed(stream_NW, *self.route(stream_NW))
        if self.shared is not None:
            routed_NW = routed_NW + self.shared(stream_NW)
        return routed_NW.view_as(stream)

    def route(self, stream_NW: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and number of the experts chosen for every token, `(N, chosen)` each."""
        logit_NE, score_NE = self._scores(stream_NW)
        chosen_NC = self.policy.choose(
            score_NE.detach(), logit_NE.detach(), self.bias_E, self.setting.chosen, self.training
        )
        weight_NC = score_NE.gather(1, chosen_NC)
        if self.setting.chosen > 1:
            weight_NC = weight_NC / weight_NC.sum(dim=-1, keepdim=True)
        self._note(score_NE, logit_NE.detach(), chosen_NC)
        return weight_NC, chosen_NC

    def _scores(self, stream_NW: Tensor) -> tuple[Tensor, Tensor]:
        """Logit and score of every expert for every token, `(N, E)` each."""
        # Float32 whatever the rest runs in: a choice must not hang on rounding.
        with torch.autocast(stream_NW.device.type, enabled=False):
            logit_NE = self.router(stream_NW.float())
        return logit_NE, logit_NE.softmax(dim=-1) if self.setting.gate == "softmax" else logit_NE.sigmoid()

    def _note(self, score_NE: Tensor, logit_NE: Tensor, chosen_NC: Tensor) -> None:
        load_E = load(chosen_NC, self.setting.count)
        if not self.training:
            self.seen_E += load_E
            return
        chosen = self.setting.chosen
        self.load_E = load_E = self.average(load_E)
        moved_E = self.policy.move(self.bias_E, score_NE.detach(), logit_NE, load_E, chosen)
        self.next_bias_E = self.average(moved_E) if self.policy.by_scores else moved_E
        self.penalty = self.policy.penalty(score_NE, load_E, chosen)

    @torch.compiler.disable()
    def _take(self, stream_NW: Tensor) -> Tensor:
        """What the experts give that choose their tokens themselves."""
        _, score_NE = self._scores(stream_NW)
        token_S, expert_S = self._taken(score_NE.detach())
        end_E = load(expert_S, self.setting.count).cumsum(0).to(torch.int32)
        inner_SH = bend(grouped(stream_NW[token_S], self.up_EWU, end_E), gated=self.gated)
        out_SW = grouped(inner_SH, self.down_EHW, end_E)
        weighted_SW = out_SW * score_NE[token_S, expert_S, None].to(out_SW.dtype)
        return torch.zeros_like(stream_NW).index_add(0, token_S, weighted_SW.to(stream_NW.dtype))

    def _taken(self, score_NE: Tensor) -> tuple[Tensor, Tensor]:
        """Token and expert of every pair, noted."""
        chosen, count = self.setting.chosen, self.setting.count
        if not self.training:
            token_S, expert_S = expert_choice.above(score_NE, self.bias_E)
            self.seen_E += load(expert_S, count)
            return token_S, expert_S
        token_S, expert_S = expert_choice.taken(score_NE, chosen)
        self.load_E = load(expert_S, count)
        self.next_bias_E = self.average(expert_choice.moved_cutoff(self.bias_E, score_NE, chosen))
        return token_S, expert_S

    def _feed(self, stream_NW: Tensor, weight_NC: Tensor, chosen_NC: Tensor) -> Tensor:
        expert_S = chosen_NC.reshape(-1)
        order_S = expert_S.argsort(stable=True)
        back_S = order_S.argsort()
        copies = chosen_NC.shape[1]
        # Gathered through a permutation, so that the backward pass adds in one order, whatever the device.
        copy_SW = stream_NW[:, None].expand(-1, copies, -1).reshape(len(expert_S), -1)[order_S]
        end_E = load(chosen_NC, self.setting.count).cumsum(0).to(torch.int32)
        inner_SH = bend(grouped(copy_SW, self.up_EWU, end_E), gated=self.gated)
        out_SW = grouped(inner_SH, self.down_EHW, end_E)[back_S]
        out_NCW = out_SW.view(len(stream_NW), copies, -1)
        return (out_NCW * weight_NC[..., None].to(out_NCW.dtype)).sum(dim=1)

    @torch.no_grad()
    def balance(self) -> None:
        """Take the bias that the last training batch asks for."""
        if self.setting.keeps_bias:
            self.bias_E.copy_(self.next_bias_E)


def _own(load_E: Tensor) -> Tensor:
    return load_E


# Left out of compiled graphs: PyTorch 2.13 traces the grouped product in bfloat16 only.
@torch.compiler.disable()
def grouped(rows_SI: Tensor, maps_EIO: Tensor, end_E: Tensor) -> Tensor:
    """Every row by the map of its expert; `end_E` is where each expert's rows end."""
    if torch.is_autocast_enabled(rows_SI.device.type):
        narrow = torch.get_autocast_dtype(rows_SI.device.type)
        rows_SI, maps_EIO = rows_SI.to(narrow), maps_EIO.to(narrow)
    if hasattr(functional, "grouped_mm"):
        return functional.grouped_mm(rows_SI, maps_EIO, offs=end_E)
    # PyTorch before 2.10: the loop that the grouped product stands for.
    stretches = rows_SI.tensor_split(end_E[:-1].cpu())
    return torch.cat([rows @ map_IO for rows, map_IO in zip(stretches, maps_EIO, strict=True)])


def load(chosen_NC: Tensor, count: int) -> Tensor:
    """How many choices fell on each expert."""
    chosen_S = chosen_NC.reshape(-1)
    return torch.zeros(count, device=chosen_S.device).index_add_(
        0, chosen_S, torch.ones(len(chosen_S), device=chosen_S.device)
    )


def max_violation(load_E: Tensor) -> float:
    """MaxVio: the largest load over the mean load, less one.

    >>> max_violation(torch.tensor([30.0, 10.0, 10.0, 10.0]))
    1.0
    """
    return float(load_E.max() / load_E.mean() - 1)
