"""Learning from a teacher's predictions: the loss of a student, and the teacher itself.

The way the data takes: a finished run's weights -> a frozen model -> its logits on the student's own batch -> the student's loss,

(1 - mixture) CE(text, student) + mixture T^2 KL(teacher_T || student_T),

a mean over tokens, with both distributions softmax(logits / T). For one token, student's logits z and teacher's t its
gradient by z is (1 - mixture) (softmax(z) - text) + mixture T (softmax(z / T) - softmax(t / T)).

Source: Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, section 2.

Shapes: B windows, T bytes of context, N = B x T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A trained model in eval mode, from bytes `(B, T)` to logits `(B, T, V)`, and how much it is listened to."""

    model: Callable[[Tensor], Tensor]
    temperature: float
    mixture: float

    def loss(self, logits_NV: Tensor, target_N: Tensor, teacher_NV: Tensor) -> Tensor:
        """The student's loss on one batch."""
        return distillation_loss(logits_NV, teacher_NV, target_N, temperature=self.temperature, mixture=self.mixture)


def distillation_loss(
    logits_NV: Tensor, teacher_NV: Tensor, target_N: Tensor, *, temperature: float, mixture: float
) -> Tensor:
    """Nats per token: (1 - mixture) CE + mixture T^2 KL(teacher_T || student_T).

    `mixture` (0 to 1) is the weight of the teacher against the text.

    >>> import torch
    >>> same = torch.tensor([[2.0, 0.0, -1.0]])
    >>> float(distillation_loss(same, same, torch.tensor([0]), temperature=2.0, mixture=1.0))
    0.0

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2.
    """
    text = functional.cross_entropy(logits_NV, target_N)
    divergence = functional.kl_div(
        functional.log_softmax(logits_NV / temperature, dim=-1),
        functional.log_softmax(teacher_NV / temperature, dim=-1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - mixture) * text + mixture * temperature**2 * divergence
