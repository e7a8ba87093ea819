"""From a fit and a deal to a decision: distil from a teacher or train from scratch.

The way the data takes: fit -> `Surface` (what models reach alone, in every draw) · deal -> `Split` (the best teacher and tokens)
-> the published distillation law -> loss, gain over training from scratch, probability, the budgets where the verdict turns.
The one idea: the two laws meet in a ratio. How much better than the lone student the teacher is comes from the user's fit; what
a student makes of such a teacher comes from Busbridge et al., whose coefficients nobody has shown to carry over. So the same
plan is judged once more with their own supervised law, and where the two disagree, or the student is far from any of
theirs, the answer is that one cannot tell. A fit to students of one's own takes the place of all that.

Legend: K rows (the point estimate, then the draws).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.laws.chinchilla import CHINCHILLA_COUPLED
from kleiber.plan.decision import FEW_DRAWS, UNITS, provenance, surface_of
from kleiber.plan.distil.crossing import gains, students_to_pay, turns
from kleiber.plan.distil.deal import Deal, deal
from kleiber.plan.distil.lesson import PUBLISHED, AnyLesson, Lesson, lesson, own_lesson
from kleiber.plan.distil.result import Distilled, SecondOpinion
from kleiber.plan.distil.split import Split, best, fixed
from kleiber.plan.result import Amount, amount
from kleiber.plan.surface import Surface
from kleiber.plan.verdict import published_surface

if TYPE_CHECKING:
    from kleiber.fit import Fit

Array = NDArray[np.float64]
SURE = 0.95
FAR = 10.0
"""A factor beyond the paper's runs at which its law decides nothing: on students 5,800 to 93,000 times smaller than theirs it was
24 % off (ladders/sotu-students)."""


def distil(
    fit: Fit | None,
    *,
    student: float | str,
    flops: float | str,
    teacher: float | str | None = None,
    teacher_tokens: float | str | None = None,
    teacher_loss: float | str | None = None,
    train_teacher: bool = False,
    students: int = 1,
    logits: str = "stored",
    serve_tokens: float | str = 0.0,
    level: float = 0.95,
    at: Mapping[str, float | str] | None = None,
    taught: Fit | None = None,
) -> Distilled:
    """Distil a student of `student` params or train it from scratch, with `flops` for it either way.

    minimise L_S over the teacher and the tokens subject to
    6 N_S D_S + 2 N_T (live D_S + 3 trained D_T / students) + 2 N_S serve_tokens <= flops

    A teacher at hand is given by its params and tokens (or its loss); with `train_teacher` what is not given of it is chosen, and
    `students` share its training. `fit` is a law of loss on params and tokens; None stands for the supervised law of the
    distillation paper itself. `taught`, a fit of the law `distillation` to students of one's own on the same text and counted
    alike, takes the place of the paper's.

    Raises `InputError` for a deal that says too little, too much or the impossible; `Refusal` for a refused fit.

    >>> found = distil(None, student="1B", flops=1e21, teacher="7B", teacher_tokens="2T")
    >>> found.verdict, round(found.gain.value, 3)
    ('distil', 0.02)

    Source: Busbridge et al. 2025, arXiv 2502.08606v2, eqs 8 and 9.
    """
    if not 0 < level < 1:
        raise InputError("level must lie between 0 and 1", found=level)
    asked = deal(
        student=student,
        flops=flops,
        teacher=teacher,
        teacher_tokens=teacher_tokens,
        teacher_loss=teacher_loss,
        train_teacher=train_teacher,
        students=students,
        logits=logits,
        serve_tokens=serve_tokens,
    )
    surface = _published() if fit is None else surface_of(fit, at or {})
    law = lesson() if taught is None else own_lesson(taught, len(surface.theta_KP))
    if fit is not None and taught is not None:
        _counted_alike(fit, taught)
    return _decide(asked, surface, law, fit, level)


def _counted_alike(fit: Fit, taught: Fit) -> None:
    ours, theirs = fit.runs.conventions, taught.runs.conventions
    for name in ("params", "loss"):
        if ours.get(name, "unknown") != theirs.get(name, "unknown"):
            raise InputError(
                f"the fit and the students count {name} differently",
                found=f"{ours.get(name, 'unknown')} and {theirs.get(name, 'unknown')}",
                remedy="bring both to one convention before fitting",
            )


def _published() -> Surface:
    return published_surface(CHINCHILLA_COUPLED, CHINCHILLA_COUPLED.coefficients(PUBLISHED))


def _decide(asked: Deal, surface: Surface, law: AnyLesson, fit: Fit | None, level: float) -> Distilled:
    own = best(asked, surface, law)
    told = fixed(asked, surface, law, own)
    scratch_K = surface.loss(asked.student, asked.scratch_tokens)[:, 0]
    gain_K = scratch_K - told.loss
    logs_C, gain_CK = gains(asked, surface, law)
    first, last = turns(asked, logs_C, gain_CK, level)
    opinion = _second_opinion(asked, own, law) if fit is not None and isinstance(law, Lesson) else None
    probability = float((gain_K[1:] > 0).mean()) if gain_K.size > 2 else None

    def over(column_K: Array) -> Amount:
        return amount(float(column_K[0]), column_K[1:], level)

    known = not np.isnan(own.teacher_params[0]), not np.isnan(own.teacher_tokens[0])
    inputs = law.inputs(
        *(float(value) for value in (asked.student, told.tokens[0], told.teacher_loss[0], told.alone_loss[0]))
    )
    extrapolation = law.distilled.extrapolation(inputs)
    far = law.published and max(extrapolation.values(), default=1.0) > FAR
    return Distilled(
        deal=asked,
        verdict="cannot tell" if far else _verdict(float(gain_K[0]), probability, opinion),
        teacher_params=over(own.teacher_params) if known[0] else None,
        teacher_tokens=over(own.teacher_tokens) if known[1] else None,
        teacher_loss=over(told.teacher_loss),
        best_teacher_loss=law.best_teacher_loss(asked.student, inputs["tokens"], float(told.alone_loss[0])),
        floor=float(surface.point.loss(np.inf, np.inf)[0, 0]),
        tokens=over(own.tokens),
        loss=over(told.loss),
        scratch_loss=over(scratch_K),
        gain=over(gain_K),
        probability=probability,
        costs=_costs(asked, own),
        wins_from=first,
        wins_up_to=last,
        searched=tuple(float(np.exp(end) + asked.serving_flops) for end in logs_C[[0, -1]]),  # type: ignore[arg-type]
        students_to_pay=students_to_pay(asked, surface, law) if asked.trained else None,
        regret=float((told.loss - own.loss)[1:].mean()) if asked.trained and gain_K.size > 2 else None,
        second_opinion=opinion,
        coefficients=law.distilled.name,
        extrapolation=extrapolation,
        far=far,
        extrapolation_decades=_decades(asked, own, fit),
        level=level,
        loss_unit="nats" if fit is None else UNITS.get(fit.runs.conventions.get("loss", "unknown"), "nats"),
        caveats=_caveats(asked, surface, fit, law),
        provenance=_provenance(fit),
    )


def _second_opinion(asked: Deal, own: Split, law: Lesson) -> SecondOpinion | None:
    """The paper's own view of the plan; none where of the teacher only a loss in the fit's unit is known."""
    if asked.teacher_loss is not None:
        return None
    surface = _published()
    there = fixed(asked, surface, law, own)
    scratch = surface.loss(asked.student, asked.scratch_tokens)[0, 0]
    return SecondOpinion(coefficients=PUBLISHED, loss=float(there.loss[0]), scratch_loss=float(scratch))


def _verdict(gain: float, probability: float | None, opinion: SecondOpinion | None) -> str:
    if opinion is not None and (opinion.gain > 0) != (gain > 0):
        return "cannot tell"
    sure = float(gain > 0) if probability is None else probability
    return "distil" if sure >= SURE else "train from scratch" if sure <= 1 - SURE else "cannot tell"


def _costs(asked: Deal, own: Split) -> dict[str, float]:
    """Where the budget of one student goes, in FLOPs."""
    student = 6 * asked.student * float(own.tokens[0])
    teacher = float(own.share[0]) * asked.training_flops
    live = 2 * float(own.teacher_params[0] * own.tokens[0]) if asked.logits == "live" else 0.0
    return {"student": student, "teacher_training": teacher, "teacher_running": live, "serving": asked.serving_flops}


def _decades(asked: Deal, own: Split, fit: Fit | None) -> float | None:
    """log10 of the largest training run in the plan beyond the fit's largest."""
    if fit is None or "flops" not in fit.runs.ranges:
        return None
    runs = [asked.training_flops, 6 * float(own.teacher_params[0] * own.teacher_tokens[0])]
    largest = max(run for run in runs if np.isfinite(run))
    return max(0.0, float(np.log10(largest / fit.runs.ranges["flops"][1])))


def _caveats(asked: Deal, surface: Surface, fit: Fit | None, law: AnyLesson) -> tuple[str, ...]:
    notes = [_whose(fit, law)]
    if fit is not None and fit.runs.conventions.get("params") == "non_embedding":
        notes.append("Params are counted without embeddings, as in the runs; so is the compute.")
    count = len(surface.theta_KP) - 1
    if fit is not None and count < 2:
        notes.append("The fit has no draws, so nothing here has an interval: fit with --bootstrap 4000.")
    elif fit is not None:
        few = f"; they rest on {count} draws only, 1000 or more make them steady" if count < FEW_DRAWS else ""
        whose = "your fit only" if law.published else "both fits, drawn apart"
        notes.append(f"The intervals hold the doubt of {whose}{few}.")
    if asked.logits == "stored":
        notes.append("Stored predictions count as free: making and keeping them is on no one's budget.")
    if asked.teacher_loss is not None:
        notes.append("The teacher's loss must be measured on the text and the tokeniser of the fit.")
    return tuple(notes)


def _whose(fit: Fit | None, law: AnyLesson) -> str:
    if not law.published:
        return f"What a student makes of its teacher is the law of distillation fitted to {law.distilled.source}."
    if fit is None:
        return "All of this is Busbridge et al. 2025 (C4, one tokeniser): no runs of yours, no intervals."
    return (
        "What a student makes of its teacher is taken from Busbridge et al. 2025 (C4, one tokeniser), who say that their "
        "coefficients do not carry over."
    )


def _provenance(fit: Fit | None) -> dict[str, Any]:
    if fit is not None:
        return provenance(fit)
    found = CHINCHILLA_COUPLED.coefficients(PUBLISHED)
    return {"law": CHINCHILLA_COUPLED.name, "formula": CHINCHILLA_COUPLED.formula, "coefficients": found.name}
