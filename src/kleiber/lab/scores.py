"""What a model of the lab finds of every token of given documents: the table that `kleiber diagnose memorisation` reads.

The way the data takes: documents by split -> windows of `context` tokens that start afresh, as in training -> for each token its
log-probability, and the mean and standard deviation of log p under the model's own prediction there -> one row a token.

Shapes: T tokens predicted, B windows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from kleiber.errors import InputError
from kleiber.lab.corpus import SEPARATOR

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

Model = Callable[[Tensor], Tensor]
"""From tokens `(B, T)` to logits `(B, T, V)`."""
WINDOWS_AT_ONCE = 64
BEGIN = SEPARATOR[0]


@dataclass(frozen=True, kw_only=True)
class TokenScores:
    """Natural log-probability of each token, and mean and standard deviation of log p(z) for z drawn from the same prediction."""

    logprob_T: NDArray[np.float32]
    mean_T: NDArray[np.float32]
    sd_T: NDArray[np.float32]


def token_scores(model: Model, tokens: NDArray[np.integer], *, context: int, begin: int | None = BEGIN) -> TokenScores:
    """Scores of every token of a document, read after the token `begin` (None: the first token is read and not scored).

    mean_t = sum_z p(z) log p(z), the negative entropy; sd_t^2 = sum_z p(z) (log p(z) - mean_t)^2: what Min-K%++ divides by.
    Raises `InputError` where no token is left to predict.
    """
    text = np.asarray(tokens, dtype=np.int64)
    if begin is not None:
        text = np.concatenate([[begin], text])
    if text.size < 2:
        raise InputError("a document has no token to predict", found=f"{len(tokens)} tokens")
    if context < 1:
        raise InputError("a window holds one token or more", found=context)
    whole = (text.size - 1) // context
    parts = [
        _windows(model, text[at * context : min(at + WINDOWS_AT_ONCE, whole) * context + 1], context)
        for at in range(0, whole, WINDOWS_AT_ONCE)
    ]
    if whole * context + 1 < text.size:
        rest = text[whole * context :]
        parts.append(_windows(model, rest, rest.size - 1))
    logprob_T, mean_T, sd_T = (np.concatenate(column) for column in zip(*parts, strict=True))
    return TokenScores(logprob_T=logprob_T, mean_T=mean_T, sd_T=sd_T)


def score_table(
    model: Model,
    documents: Mapping[str, Sequence[NDArray[np.integer]]],
    *,
    context: int,
    reference: Model | None = None,
    begin: int | None = BEGIN,
) -> pa.Table:
    """One row a token of all `documents`, by split (`train`, `held-out`, `canary`, `reference`, `random`).

    Columns: document, split, token, logprob, mean, sd, and with a `reference` model (a smaller one, or the same before training)
    its reference_logprob. Write it with `pyarrow.parquet.write_table`.
    """
    import pyarrow as pa

    columns: dict[str, list[NDArray[np.generic]]] = {}
    number = 0
    for split, texts in documents.items():
        for text in texts:
            scores = token_scores(model, text, context=context, begin=begin)
            row = {
                "document": np.full(scores.logprob_T.size, number),
                "split": np.full(scores.logprob_T.size, split),
                "token": np.asarray(text, dtype=np.int32)[-scores.logprob_T.size :],
                "logprob": scores.logprob_T,
                "mean": scores.mean_T,
                "sd": scores.sd_T,
            }
            if reference is not None:
                other = token_scores(reference, text, context=context, begin=begin)
                row["reference_logprob"] = other.logprob_T
            for name, values in row.items():
                columns.setdefault(name, []).append(values)
            number += 1
    if number == 0:
        raise InputError("there are no documents to score", expected="splits with one document or more")
    return pa.table({name: np.concatenate(values) for name, values in columns.items()})


def _windows(
    model: Model, text: NDArray[np.int64], context: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Scores of the tokens of whole windows that follow one another."""
    device = next(iter(model.parameters())).device if isinstance(model, torch.nn.Module) else "cpu"
    all_T = torch.from_numpy(text).to(device)
    with torch.no_grad():
        log_BTV = torch.log_softmax(model(all_T[:-1].view(-1, context)).float(), dim=-1)
    chance_BTV = log_BTV.exp()
    mean_BT = (chance_BTV * log_BTV).sum(dim=-1)
    variance_BT = (chance_BTV * (log_BTV - mean_BT[..., None]).square()).sum(dim=-1)
    target_BT1 = all_T[1:].view(-1, context, 1)
    found = log_BTV.gather(-1, target_BT1).reshape(-1), mean_BT.reshape(-1), variance_BT.sqrt().reshape(-1)
    return found[0].cpu().numpy(), found[1].cpu().numpy(), found[2].cpu().numpy()
