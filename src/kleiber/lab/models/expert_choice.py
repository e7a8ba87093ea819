"""Expert choice: every expert takes its best tokens, so that no balance is needed (Zhou et al. 2022, arXiv:2202.09368).

The way the data takes: scores -> each expert's N C / E best tokens of the batch -> one grouped product up and down -> added
back to their tokens, weighted by the scores. A token may have several experts or none.

The choice of a token then depends on later ones, which no model that writes token by token can know. So that what is measured
is honest, an expert takes in evaluation the tokens whose score beats a cut-off that training has learnt (a moving average of the
lowest score taken); how many those are is what the load on held-out text says.

Shapes: N tokens, S = pairs of token and expert, sorted by expert, E experts, W residual width.
"""

from __future__ import annotations

import torch
from torch import Tensor

AVERAGING = 0.05


def taken(score_NE: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
    """Token and expert of every pair `(S,)` when each expert takes its best N C / E tokens.

    >>> token_S, expert_S = taken(torch.tensor([[0.9, 0.2], [0.8, 0.1]]), 1)
    >>> token_S.tolist(), expert_S.tolist()
    ([0, 0], [0, 1])
    """
    tokens, experts = score_NE.shape
    share = max(1, tokens * chosen // experts)
    token_SE = score_NE.topk(share, dim=0).indices
    return token_SE.T.reshape(-1), torch.arange(experts, device=score_NE.device).repeat_interleave(share)


def above(score_NE: Tensor, cutoff_E: Tensor) -> tuple[Tensor, Tensor]:
    """Token and expert of every pair whose score beats the expert's cut-off."""
    expert_S, token_S = (score_NE > cutoff_E).T.nonzero(as_tuple=True)
    return token_S, expert_S


def moved_cutoff(cutoff_E: Tensor, score_NE: Tensor, chosen: int) -> Tensor:
    """The cut-offs after a batch: moved by a twentieth towards the lowest score that each expert took."""
    tokens, experts = score_NE.shape
    lowest_E = score_NE.topk(max(1, tokens * chosen // experts), dim=0).values[-1]
    return cutoff_E + AVERAGING * (lowest_E - cutoff_E)
