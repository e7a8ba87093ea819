"""Which tokens a training step sees: a pure function of the seed and the step, so that any step can be resumed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError


class Windows:
    """Batches of windows without replacement: each epoch cuts the text at a fresh offset and shuffles the pieces.

    Every training token is seen once per epoch (but for the ragged ends), so a run of D tokens on U unique ones has
    seen min(D, U) distinct ones. A batch never spans two epochs.

    Shapes: B windows, T + 1 tokens (the inputs and, one on, the targets).
    """

    def __init__(
        self,
        text: NDArray[np.integer],
        *,
        context: int,
        batch_windows: int,
        seed: int,
        labels: NDArray[np.integer] | None = None,
    ) -> None:
        self._text = text
        self._labels = text if labels is None else labels
        self._context = context
        self._batch_windows = batch_windows
        self._seed = seed
        # One window is kept free so that every offset below `context` leaves the same number of pieces.
        self.steps_per_epoch = ((text.size - 1) // context - 1) // batch_windows
        if self.steps_per_epoch < 1:
            raise InputError(
                "the corpus is too short to fill one batch",
                found=f"{text.size} tokens to train on",
                expected=f"at least {(batch_windows + 1) * context + 1}",
                remedy="read more text, or lower batch_windows or context",
            )
        self._epoch = -1
        self._starts = np.empty(0, dtype=np.int64)

    def batch(self, step: int) -> NDArray[np.int64]:
        """The windows of one step, `(B, T + 1)`."""
        return self._text[self._index(step)].astype(np.int64)

    def targets(self, step: int) -> NDArray[np.int64]:
        """What follows each token of a step's windows, `(B, T)`: the text itself, or the labels where there are any."""
        return self._labels[self._index(step)[:, 1:]].astype(np.int64)

    def _index(self, step: int) -> NDArray[np.int64]:
        epoch, row = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._starts, self._epoch = self._shuffled(epoch), epoch
        start_B = self._starts[row * self._batch_windows : (row + 1) * self._batch_windows]
        return start_B[:, None] + np.arange(self._context + 1)

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        random = np.random.default_rng([self._seed, epoch])
        offset = int(random.integers(self._context))
        count = self.steps_per_epoch * self._batch_windows
        available = (self._text.size - 1 - offset) // self._context
        return offset + random.permutation(available)[:count] * self._context
