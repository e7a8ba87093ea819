"""The free rivals of a run from its answers to training inputs: error, loss and margin from logits and labels.

One idea: what costs nothing to compute is what topology has to beat.

Shapes: N inputs, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.series import numbers
from kleiber.diagnose.topology.graph import matrix
from kleiber.errors import InputError, Refusal


def free_rivals(logits_NC: ArrayLike, labels_N: ArrayLike) -> dict[str, float]:
    """`train_error`, `train_loss` (nats) and `margin` of answers to training inputs.

    The margin is the tenth percentile of the true class's logit less the largest other (Jiang et al. 2020). Raises `InputError`
    where shapes differ or a label is no class, and `Refusal` where all labels are one class: then error and margin say nothing.

    >>> free_rivals([[2.0, 0.0], [0.0, 2.0], [1.0, 3.0]], [0, 1, 0])["train_error"]
    0.3333333333333333
    """
    logits = matrix(logits_NC, what="the logits", columns="classes")
    labels = numbers(labels_N, what="the labels")
    if len(labels) != len(logits):
        raise InputError("labels and logits differ in length", found=f"{len(labels)} and {len(logits)}")
    wrong = np.flatnonzero((labels != np.floor(labels)) | (labels < 0) | (labels >= logits.shape[1]))
    if wrong.size:
        raise InputError(
            "a label is no class",
            found=f"{labels[wrong[0]]:g} at row {wrong[0] + 1}",
            expected=f"whole numbers from 0 to {logits.shape[1] - 1}",
        )
    if np.ptp(labels) == 0:
        raise Refusal("all labels are one class", remedy="training inputs of every class")
    place, rows = labels.astype(int), np.arange(len(labels))
    right = logits[rows, place]
    others = logits.copy()
    others[rows, place] = -np.inf
    top = logits.max(axis=1)
    loss = top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - right
    return {
        "train_error": float((logits.argmax(axis=1) != place).mean()),
        "train_loss": float(loss.mean()),
        "margin": float(np.quantile(right - others.max(axis=1), 0.1)),
    }
