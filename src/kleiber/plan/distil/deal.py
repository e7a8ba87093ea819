"""The deal between a student and a teacher: who is trained, who shares, what runs when, and what each costs.

One idea: the four settings of the paper are two numbers. `live` is 1 where the teacher runs beside every student, 0 where
its predictions lie stored; `trained` is 1 where the teacher has to be trained for the purpose: n students that share it pay
1/n each.
FLOPs of one student = 6 N_S D_S + 2 N_T (live D_S + 3 trained D_T / n) + 2 N_S served.

Source: Busbridge et al. 2025, arXiv 2502.08606v2, eq. 9, with F(N) = 2N forward FLOPs per token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, did_you_mean
from kleiber.plan.question import positive
from kleiber.quantity import show

Array = NDArray[np.float64]
LOGITS = ("stored", "live")


@dataclass(frozen=True, kw_only=True)
class Deal:
    """What is fixed: the student's params, the budget of one student, and what is known of the teacher.

    `teacher_params`, `teacher_tokens` and `teacher_loss` are None where they are free (a teacher to be trained) or unknown.
    """

    student: float
    flops: float
    teacher_params: float | None = None
    teacher_tokens: float | None = None
    teacher_loss: float | None = None
    trained: bool = False
    students: int = 1
    logits: Literal["stored", "live"] = "stored"
    serve_tokens: float = 0.0

    @property
    def serving_flops(self) -> float:
        """What serving the student costs, whoever taught it."""
        return 2 * self.student * self.serve_tokens

    @property
    def training_flops(self) -> float:
        """What is left for training the student, and its share of the teacher."""
        return self.flops - self.serving_flops

    @property
    def scratch_tokens(self) -> float:
        """The tokens of a student trained without a teacher on the same budget."""
        return self.training_flops / (6 * self.student)

    def tokens(self, teacher_params: Array, share: Array) -> Array:
        """The student's tokens once `share` of the training budget has gone to the teacher's training."""
        live = 2 * teacher_params if self.logits == "live" else 0.0
        return (1 - share) * self.training_flops / (6 * self.student + live)

    def with_flops(self, flops: float) -> Deal:
        """The same deal with `flops` for training, none of it for serving."""
        return self._but(flops=flops, serve_tokens=0.0)

    def with_students(self, students: int) -> Deal:
        """The same deal with the teacher shared by that many."""
        return self._but(students=students)

    def _but(self, **changes: float) -> Deal:
        from dataclasses import replace

        return replace(self, **changes)  # type: ignore[arg-type]


def deal(
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
) -> Deal:
    """A deal from what a user writes. Raises `InputError` where it says too little, too much or the impossible.

    >>> deal(student="1B", flops=6e21, teacher="7B", teacher_tokens="2T").scratch_tokens
    1000000000000.0
    """
    if logits not in LOGITS:
        raise InputError(f"no such logits {logits!r}", remedy=did_you_mean(logits, LOGITS))
    known = {"teacher": teacher, "teacher_tokens": teacher_tokens, "teacher_loss": teacher_loss}
    numbers = {name: None if value is None else positive(value, name) for name, value in known.items()}
    _check_teacher(numbers, train_teacher, students, logits)
    made = Deal(
        student=positive(student, "student"),
        flops=positive(flops, "flops"),
        teacher_params=numbers["teacher"],
        teacher_tokens=numbers["teacher_tokens"],
        teacher_loss=numbers["teacher_loss"],
        trained=train_teacher,
        students=students,
        logits="live" if logits == "live" else "stored",
        serve_tokens=positive(serve_tokens, "serve_tokens", zero=True),
    )
    _check_budget(made)
    return made


def _check_teacher(known: dict[str, float | None], trained: bool, students: int, logits: str) -> None:
    given = [name for name, value in known.items() if value is not None]
    if students < 1:
        raise InputError("students must be at least 1", found=students)
    if trained:
        if known["teacher_loss"] is not None:
            raise InputError("a teacher that is to be trained has no loss yet", remedy="leave the teacher's loss out")
        if known["teacher_tokens"] is not None and known["teacher"] is None:
            raise InputError(
                "the teacher's tokens are given and its params are not", remedy="give its params, or neither"
            )
        return
    if students > 1:
        raise InputError(
            "a teacher at hand costs nothing to share",
            found=f"{students} students",
            remedy="leave the number of students out, or have the teacher trained",
        )
    if not given:
        raise InputError("no teacher", expected="a teacher's params and tokens, its loss, or one to be trained")
    if known["teacher_loss"] is not None and known["teacher_tokens"] is not None:
        raise InputError("the teacher's loss and its tokens are both given", remedy="give one: the other follows")
    if known["teacher_loss"] is None and (known["teacher"] is None or known["teacher_tokens"] is None):
        raise InputError("half a teacher", found=", ".join(given), expected="params and tokens, or a loss")
    if logits == "live" and known["teacher"] is None:
        raise InputError("running the teacher costs by its params", remedy="give the teacher's params")


def _check_budget(made: Deal) -> None:
    if made.training_flops <= 0:
        raise InputError(
            "serving the student alone takes more than the budget",
            found=f"{made.serving_flops:.3g} FLOP to serve {show(made.serve_tokens)} tokens, {made.flops:.3g} in all",
            remedy=f"at least {made.flops + 2 * (made.serving_flops - made.flops):.2g} FLOP, a smaller student or fewer tokens",
        )
    if made.trained and made.teacher_params is not None and made.teacher_tokens is not None:
        share = 6 * made.teacher_params * made.teacher_tokens / made.students
        if share >= made.training_flops:
            raise InputError(
                "the student's share of the teacher's training takes the whole budget",
                found=f"{share:.3g} FLOP of {made.training_flops:.3g}",
                remedy=f"more than {round(made.students * share / made.training_flops)} students, or a smaller teacher",
            )
