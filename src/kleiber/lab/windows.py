"""Which tokens a training step sees: a pure function of the seed and the step, so that any step can be resumed."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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
        # Views: a step copies its B rows and nothing else.
        self._windows = sliding_window_view(text, context + 1)
        self._next = sliding_window_view(text if labels is None else labels, context + 1)[:, 1:]
        self._epoch = -1
        self._starts = np.empty(0, dtype=np.int64)

    def batch(self, step: int) -> NDArray[np.int64]:
        """The windows of one step, `(B, T + 1)`."""
        return self._windows[self._start(step)].astype(np.int64)

    def targets(self, step: int) -> NDArray[np.int64]:
        """What follows each token of a step's windows, `(B, T)`: the text itself, or the labels where there are any."""
        return self._next[self._start(step)].astype(np.int64)

    def _start(self, step: int) -> NDArray[np.int64]:
        """Where each window of a step begins, `(B,)`."""
        epoch, row = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._starts, self._epoch = self._shuffled(epoch), epoch
        return self._starts[row * self._batch_windows : (row + 1) * self._batch_windows]

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        random = np.random.default_rng([self._seed, epoch])
        offset = int(random.integers(self._context))
        count = self.steps_per_epoch * self._batch_windows
        available = (self._text.size - 1 - offset) // self._context
        return offset + random.permutation(available)[:count] * self._context
