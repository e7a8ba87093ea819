"""Where the two laws meet: what a student makes of a teacher that is so much better than itself.

One idea: the user's fit says what teacher and student reach alone, in its own unit and on its own text; the published law is
asked about the ratio of the two only, since the unit of a loss cancels in a ratio. With the paper's own supervised law in
place of a fit this is its equation 8, unchanged. Whoever has fitted the law to students of their own asks that fit instead
(`OwnLesson`), and no ratio is needed.

Source: Busbridge et al. 2025, arXiv 2502.08606v2, eq. 8 and appendix F, table 6; the joining by ratio is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.laws.chinchilla import CHINCHILLA_COUPLED
from kleiber.laws.distillation import DISTILLATION, best_teacher_loss
from kleiber.laws.parameter import Coefficients

if TYPE_CHECKING:
    from kleiber.fit import Fit

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
    published: ClassVar[bool] = True

    def rows(self, which: slice) -> Lesson:
        """Itself: the published values have no draws."""
        return self

    def inputs(self, params: float, tokens: float, teacher_loss: float, alone_loss: float) -> dict[str, float]:
        """What the law is asked about, in its own unit of loss."""
        alone = float(self.alone(params, np.array([tokens]))[0])
        teacher = alone * teacher_loss / alone_loss
        return {"params": params, "tokens": tokens, "teacher_loss": teacher, "supervised_loss": alone}

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


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnLesson:
    """The law of distillation as the user's own students have it: the point estimate, then draws, (K, P)."""

    distilled: Coefficients
    theta_KP: Array
    published: ClassVar[bool] = False

    def rows(self, which: slice) -> OwnLesson:
        """The same lesson at some of its rows."""
        return OwnLesson(distilled=self.distilled, theta_KP=self.theta_KP[which])

    def inputs(self, params: float, tokens: float, teacher_loss: float, alone_loss: float) -> dict[str, float]:
        """What the law is asked about."""
        return {"params": params, "tokens": tokens, "teacher_loss": teacher_loss, "supervised_loss": alone_loss}

    def loss(self, params: float, tokens: Array, teacher_loss: Array, alone_loss: Array) -> Array:
        """The distilled student's loss, row by row."""
        shape = np.broadcast_shapes(tokens.shape, teacher_loss.shape, alone_loss.shape)
        at = {"tokens": tokens, "teacher_loss": teacher_loss, "supervised_loss": alone_loss, "params": np.array(params)}
        with np.errstate(all="ignore"):
            return DISTILLATION.evaluate(
                self.theta_KP, {name: np.broadcast_to(value, shape) for name, value in at.items()}
            )

    def best_teacher_loss(self, params: float, tokens: float, alone_loss: float) -> float:
        """The teacher's loss that would teach best."""
        return best_teacher_loss(params, tokens, alone_loss, self.distilled)


AnyLesson = Lesson | OwnLesson


def own_lesson(fit: Fit, rows: int) -> OwnLesson:
    """The lesson of a fit of the law `distillation`: its point estimate and as many draws as make `rows`, again from the first.

    Raises `InputError` for a fit of another law, `Refusal` for a refused fit.
    """
    if fit.law.name != DISTILLATION.name:
        raise InputError(
            "not a fit to distilled students",
            found=f"a fit of the law {fit.law.name!r}",
            expected=f"one of the law {DISTILLATION.name!r}",
            remedy="kleiber fit STUDENTS --law distillation -o taught.json",
        )
    fit.usable()
    theta_P = np.asarray(fit.theta_P, dtype=float)
    draws_BP = np.asarray(fit.draws_BP, dtype=float).reshape(-1, theta_P.size)
    kept_BP = draws_BP[np.isfinite(draws_BP).all(axis=1)]
    again = np.arange(rows - 1) % len(kept_BP) if len(kept_BP) else np.zeros(rows - 1, dtype=int)
    ranges = {name: fit.runs.ranges[name] for name in fit.law.inputs if name in fit.runs.ranges}
    return OwnLesson(
        distilled=Coefficients(
            name="own students",
            values=dict(zip(fit.law.names, theta_P.tolist(), strict=True)),
            source=fit.runs.source,
            domain=ranges,
        ),
        theta_KP=np.vstack([theta_P, kept_BP[again] if len(kept_BP) else np.tile(theta_P, (rows - 1, 1))]),
    )
