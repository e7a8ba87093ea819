"""Distilled: the decision between a teacher and training from scratch, as a value and as stable JSON.

One idea: both ways are judged on the same budget for a student of the same size, so the one number that decides is `gain`, the
loss of training from scratch less that of distilling, with its interval over the draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kleiber.plan.distil.deal import Deal
from kleiber.plan.result import Amount
from kleiber.plan.spoken import Spoken

SCHEMA = "kleiber/distil/1"
VERDICTS = ("distil", "train from scratch", "cannot tell")


@dataclass(frozen=True, kw_only=True)
class SecondOpinion:
    """The same plan where the paper's own supervised law stands in for the fit."""

    coefficients: str
    loss: float
    scratch_loss: float

    @property
    def gain(self) -> float:
        """What distilling takes off the loss there."""
        return self.scratch_loss - self.loss

    def to_json(self) -> dict[str, Any]:
        """The entry `second_opinion`."""
        return {
            "coefficients": self.coefficients,
            "loss": self.loss,
            "scratch_loss": self.scratch_loss,
            "gain": self.gain,
        }


@dataclass(frozen=True, kw_only=True)
class Distilled(Spoken):
    """What to do with a student: the teacher, the tokens, the loss, against training from scratch.

    `teacher_params` and `teacher_tokens` are None where only the teacher's loss is known. `loss`, `scratch_loss` and `gain`
    are those of this plan in every draw; the interval of the teacher and of the tokens is where each draw would have them.
    `best_teacher_loss` is the teacher's loss that would serve this student on these tokens best; no teacher is below `floor`,
    the law's. `far`: too far from the runs of the published law for a verdict. `wins_from` and `wins_up_to` are the budgets
    between which distilling wins, None where it does not turn within `searched`. `regret` is what deciding by the point estimate
    costs on average, None where there is nothing to choose or no draws.
    """

    spoken_in: ClassVar[str] = "kleiber.plan.distil.words"

    deal: Deal
    verdict: str
    teacher_params: Amount | None
    teacher_tokens: Amount | None
    teacher_loss: Amount
    best_teacher_loss: float
    floor: float
    tokens: Amount
    loss: Amount
    scratch_loss: Amount
    gain: Amount
    probability: float | None
    costs: Mapping[str, float]
    wins_from: Amount | None
    wins_up_to: Amount | None
    searched: tuple[float, float]
    students_to_pay: int | None
    regret: float | None
    second_opinion: SecondOpinion | None
    coefficients: str
    extrapolation: Mapping[str, float]
    far: bool
    extrapolation_decades: float | None
    level: float
    loss_unit: str
    caveats: tuple[str, ...]
    provenance: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The decision as `kleiber/distil/1`."""

        def told(value: Amount | None) -> dict[str, Any] | None:
            return None if value is None else value.to_json(self.level)

        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "student": {"params": self.deal.student, "tokens": told(self.tokens), "loss": told(self.loss)},
            "teacher": {
                "params": told(self.teacher_params),
                "tokens": told(self.teacher_tokens),
                "loss": told(self.teacher_loss),
                "best_loss": self.best_teacher_loss,
                "trained": self.deal.trained,
                "students": self.deal.students,
                "logits": self.deal.logits,
            },
            "scratch": {"tokens": self.deal.scratch_tokens, "loss": told(self.scratch_loss)},
            "gain": told(self.gain),
            "probability": self.probability,
            "costs": dict(self.costs),
            "wins_from": told(self.wins_from),
            "wins_up_to": told(self.wins_up_to),
            "searched": {"flops": list(self.searched)},
            "students_to_pay": self.students_to_pay,
            "regret": self.regret,
            "second_opinion": self.second_opinion.to_json() if self.second_opinion else None,
            "distillation_law": {
                "coefficients": self.coefficients,
                "extrapolation": dict(self.extrapolation),
                "far": self.far,
            },
            "extrapolation_decades": self.extrapolation_decades,
            "flops": self.deal.flops,
            "serve_tokens": self.deal.serve_tokens,
            "level": self.level,
            "loss_unit": self.loss_unit,
            "caveats": list(self.caveats),
            "sentences": list(self.sentences()),
            "fit": dict(self.provenance),
        }
