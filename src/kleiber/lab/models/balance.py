"""How the load of experts is kept even: one policy a function or three, and one tuple that lists them.

The way the data takes: scores of a batch -> `choose` -> the experts of every token -> the load -> `move` -> the bias of the next
step, or `penalty` -> a term of the loss. A policy changes one of these and leaves the rest.

| balance | choice | afterwards | source |
|---|---|---|---|
| `none` | best scores | nothing | |
| `loss` | best scores | 0.01 x E x sum(share of choices x mean score) joins the loss, 0.01 at perfect balance | Fedus et al. 2021, arXiv:2101.03961 |
| `bias` | best of score + bias | the bias moves by 0.001 towards experts with less than their share | Wang et al. 2024, arXiv:2408.15664 |
| `quantile` | best of score + bias | the bias becomes what would have given every expert its share of this batch, one step of coordinate descent on the dual of the best even assignment; nothing to tune | Su 2026, kexue.fm/archives/11619 |
| `sinkhorn` | best of the even transport plan of exp(logit), while training; when measured, best of logit + bias | the bias becomes the plan's log scale of each expert, so that what is measured reads no other token | Clark et al. 2022, arXiv:2202.01169 (measured there without the bias) |
| `expert-choice` | every expert takes its best N chosen / E tokens (`kleiber.lab.models.expert_choice`) | the cut-off is kept for measuring | Zhou et al. 2022, arXiv:2202.09368 |

Shapes: N tokens, C chosen, E experts.
"""  # noqa: E501 - a table's rows cannot be broken

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

BIAS_STEP = 1e-3
LOSS_WEIGHT = 0.01
SINKHORN_TOLERANCE = 1e-4
MOST_SINKHORN_ROUNDS = 100


def _best(score_NE: Tensor, logit_NE: Tensor, bias_E: Tensor, chosen: int, training: bool) -> Tensor:
    return (score_NE + bias_E).topk(chosen, dim=-1).indices


def _sinkhorn(score_NE: Tensor, logit_NE: Tensor, bias_E: Tensor, chosen: int, training: bool) -> Tensor:
    if not training:
        return (logit_NE + bias_E).topk(chosen, dim=-1).indices
    # A token's own scale moves all its experts alike.
    return (logit_NE + scaling(logit_NE)).topk(chosen, dim=-1).indices


@torch.compiler.disable()
def scaling(logit_NE: Tensor) -> Tensor:
    """ln(scale) of each expert, `(E,)`, in the plan nearest to exp(logit) with rows that sum to 1/N and columns to 1/E.

    The plan is exp(logit + scale of the token + scale of the expert), by Sinkhorn's alternating scaling, which ends when the
    experts' scales move by less than 1e-4 in mean, or after 100 rounds.

    >>> scale_E = scaling(torch.tensor([[2.0, 0.0], [2.0, 0.0]]))
    >>> round(float(scale_E[1] - scale_E[0]), 3)
    2.0
    """
    cost_NE = torch.exp(logit_NE - logit_NE.max(dim=-1, keepdim=True).values)
    tokens, experts = cost_NE.shape
    column_E = torch.ones(experts, device=cost_NE.device)
    for _ in range(MOST_SINKHORN_ROUNDS):
        row_N = 1 / (tokens * (cost_NE @ column_E).clamp_min(1e-30))
        before_E, column_E = column_E, 1 / (experts * (row_N @ cost_NE).clamp_min(1e-30))
        if float((column_E / before_E - 1).abs().mean()) < SINKHORN_TOLERANCE:
            break
    return column_E.log()


def _still(bias_E: Tensor, score_NE: Tensor, logit_NE: Tensor, load_E: Tensor, chosen: int) -> Tensor:
    return bias_E


def _by_scaling(bias_E: Tensor, score_NE: Tensor, logit_NE: Tensor, load_E: Tensor, chosen: int) -> Tensor:
    return scaling(logit_NE)


def _by_sign(bias_E: Tensor, score_NE: Tensor, logit_NE: Tensor, load_E: Tensor, chosen: int) -> Tensor:
    return bias_E + BIAS_STEP * torch.sign(load_E.mean() - load_E)


def quantile(bias_E: Tensor, score_NE: Tensor, logit_NE: Tensor, load_E: Tensor, chosen: int) -> Tensor:
    """The bias under which each expert would have won its share of this batch, all other experts keeping theirs.

    A token takes an expert whose score + bias beats its cut-off, the (C + 1)-th best; so the bias that gives an expert its
    N C / E tokens is minus the score less cut-off of the last of them.
    """
    tokens, experts = score_NE.shape
    if chosen == experts:
        return bias_E
    cutoff_N1 = (score_NE + bias_E).topk(chosen + 1, dim=-1).values[:, -1:]
    share = min(tokens - 1, tokens * chosen // experts)
    return -(score_NE - cutoff_N1).topk(share + 1, dim=0).values[-1]


def _free(score_NE: Tensor, load_E: Tensor, chosen: int) -> Tensor:
    return torch.zeros((), device=score_NE.device)


def _auxiliary(score_NE: Tensor, load_E: Tensor, chosen: int) -> Tensor:
    share_NE = score_NE / score_NE.sum(dim=-1, keepdim=True)
    even = score_NE.shape[1] / (len(score_NE) * chosen)
    return LOSS_WEIGHT * even * (load_E * share_NE.mean(dim=0)).sum()


@dataclass(frozen=True, kw_only=True)
class Balance:
    """One policy: `choose` gives `(N, C)` experts, `move` the bias of the next step, `penalty` a term of the loss.

    `by_scores`: the move is read off the scores of this process, not off the load of all.
    """

    name: str
    choose: Callable[[Tensor, Tensor, Tensor, int, bool], Tensor] = _best
    move: Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor] = _still
    penalty: Callable[[Tensor, Tensor, int], Tensor] = _free
    by_scores: bool = False


POLICIES: tuple[Balance, ...] = (
    Balance(name="bias", move=_by_sign),
    Balance(name="loss", penalty=_auxiliary),
    Balance(name="none"),
    Balance(name="quantile", move=quantile, by_scores=True),
    Balance(name="sinkhorn", choose=_sinkhorn, move=_by_scaling, by_scores=True),
    Balance(name="expert-choice"),
)


def policy(name: str) -> Balance:
    """The policy of a name that a shape has checked."""
    return next(each for each in POLICIES if each.name == name)
