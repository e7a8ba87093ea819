"""Where the two laws meet: what a student makes of a teacher that is so much better than itself.

One idea: the user's fit says what teacher and student reach alone, in its own unit and on its own text; the published law is
asked about the ratio of the two only, since the unit of a loss cancels in a ratio. With the paper's own supervised law in
place of a fit this is its equation 8, unchanged.

Source: Busbridge et al. 2025, arXiv 2502.08606v2, eq. 8 and appendix F, table 6; the joining by ratio is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.laws.chinchilla import CHINCHILLA_COUPLED
from kleiber.laws.distillation import DISTILLATION, best_teacher_loss
from kleiber.laws.parameter import Coefficients

Array = NDArray[np.float64]
PUBLISHED = "busbridge-2025"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A published pair of laws, distilled and supervised, of one set of runs.

    L_S = L_alone F with F = L_S'(N, D, L_T', L_alone') / L_alone', L_T' = L_alone' L_T / L_alone, where primes are the published
    laws' own losses: how much a student gains depends on how much better than itself its teacher is.
    """

    distilled: Coefficients
    supervised: Coefficients

    def alone(self, params: float, tokens: Array) -> Array:
        """The published law's own loss of a student without a teacher."""
        at = {"params": np.full_like(tokens, params), "tokens": tokens}
        return CHINCHILLA_COUPLED.evaluate(self.supervised.values, at)

    def loss(self, params: float, tokens: Array, teacher_loss: Array, alone_loss: Array) -> Array:
        """The distilled student's loss, in the unit of the last two."""
        theirs = np.broadcast_to(self.alone(params, tokens), alone_loss.shape)
        at = {"tokens": tokens, "teacher_loss": theirs * teacher_loss / alone_loss, "supervised_loss": theirs}
        with np.errstate(all="ignore"):
            taught = DISTILLATION.evaluate(self.distilled.values, {"params": np.full_like(theirs, params), **at})
        return alone_loss * taught / theirs

    def best_teacher_loss(self, params: float, tokens: float, alone_loss: float) -> float:
        """The teacher's loss that would teach best, in the unit of `alone_loss`."""
        theirs = float(self.alone(params, np.array([tokens]))[0])
        return best_teacher_loss(params, tokens, theirs, self.distilled) * alone_loss / theirs


def lesson(name: str = PUBLISHED) -> Lesson:
    """The published pair of that name."""
    return Lesson(distilled=DISTILLATION.coefficients(name), supervised=CHINCHILLA_COUPLED.coefficients(name))
