"""Nats summed over each held-out document -> loss per token and per byte, each with its standard error by document.

Per token, losses of two tokenizers cannot be compared; per byte they can: the bytes are those of the tokens predicted, which are
all but the first of each document.

Shapes: D held-out documents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What a model paid for each document, the tokens it was asked to predict, and the bytes in those.

    A standard error is that of a ratio of sums over documents drawn at random (Cochran 1977, section 2.9): documents differ in
    length and in how hard they are, and tokens of one document are not independent. NaN for a single document.

    >>> found = HeldOut(nats_D=np.array([2.0, 5.0]), tokens_D=np.array([2, 2]), bytes_D=np.array([4, 8]))
    >>> found.loss, found.loss_se, found.bytes_per_token
    (1.75, 0.75, 3.0)
    """

    nats_D: NDArray[np.float64]
    tokens_D: NDArray[np.int64]
    bytes_D: NDArray[np.int64]

    @property
    def loss(self) -> float:
        """Nats per token."""
        return _ratio(self.nats_D, self.tokens_D)[0]

    @property
    def loss_se(self) -> float:
        """Its standard error."""
        return _ratio(self.nats_D, self.tokens_D)[1]

    @property
    def bits_per_byte(self) -> float:
        """Loss in bits per byte."""
        return _ratio(self.nats_D, self.bytes_D)[0] / math.log(2)

    @property
    def bits_per_byte_se(self) -> float:
        """Its standard error: not that per token in other units, as tokens are longer in some documents."""
        return _ratio(self.nats_D, self.bytes_D)[1] / math.log(2)

    @property
    def bytes_per_token(self) -> float:
        """Of the tokens predicted."""
        return float(self.bytes_D.sum() / self.tokens_D.sum())


def _ratio(nats_D: NDArray[np.float64], size_D: NDArray[np.int64]) -> tuple[float, float]:
    ratio = nats_D.sum() / size_D.sum()
    documents = len(nats_D)
    if documents < 2:
        return float(ratio), float("nan")
    spread = ((nats_D - ratio * size_D) ** 2).sum() / (documents - 1)
    return float(ratio), float(np.sqrt(spread * documents) / size_D.sum())
