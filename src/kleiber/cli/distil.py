"""`kleiber distil FIT --student 1B --flops 1e22 --teacher 7B --teacher-tokens 2T`: distil, or train from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import failure, screen
from kleiber.cli.command import Command
from kleiber.cli.forecast import At, Level, Quantity
from kleiber.cli.options import Fitting, Output, Reading, amount, budget, fit_of, numbers
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.fit import Fit

SCHEMA = "kleiber/distil/1"
Source = Annotated[
    str | None,
    typer.Argument(metavar="[FIT]", help="A fit file (kleiber fit -o), or a run table, which is fitted first."),
]
Student = Annotated[str, typer.Option(metavar="QUANTITY", help="The student's params.")]
Flops = Annotated[
    str, typer.Option(metavar="QUANTITY", help="The budget of one student, its share of the teacher included.")
]
Teacher = Annotated[str | None, typer.Option(metavar="QUANTITY", help="The teacher's params.")]
TeacherTokens = Annotated[str | None, typer.Option(metavar="QUANTITY", help="What it was trained on, or is to be.")]
TeacherLoss = Annotated[str | None, typer.Option(metavar="NUMBER", help="Its measured loss, instead of its tokens.")]
Train = Annotated[
    bool, typer.Option("--train-teacher", help="The teacher has to be trained; what is not given is chosen.")
]
Students = Annotated[int, typer.Option(min=1, help="How many students share the teacher's training.")]
Logits = Annotated[
    str, typer.Option(metavar="stored|live", help="The teacher's predictions: stored, or made alongside.")
]
Taught = Annotated[
    str | None,
    typer.Option(
        metavar="FIT.json", help="Your own students, fitted with --law distillation, in place of the paper's."
    ),
]
Published = Annotated[bool, typer.Option("--published", help="The paper's own supervised law, in place of a fit.")]


def distil(
    student: Student,
    flops: Flops,
    reading: Reading,
    fitting: Fitting,
    output: Output,
    fit: Source = None,
    teacher: Teacher = None,
    teacher_tokens: TeacherTokens = None,
    teacher_loss: TeacherLoss = None,
    train_teacher: Train = False,
    students: Students = 1,
    logits: Logits = "stored",
    serve_tokens: Quantity = None,
    published: Published = False,
    taught: Taught = None,
    at: At = None,
    level: Level = 0.95,
) -> int:
    """Distil a student from a teacher, or train it from scratch: which is better for the same compute, and up to which budget.

    The teacher is given (its params and tokens, or its loss) or has to be trained; many students may share its training.
    """
    named = {"--teacher": teacher, "--teacher-tokens": teacher_tokens, "--teacher-loss": teacher_loss}
    quantities = {option: amount(text, option) for option, text in named.items() if text is not None}
    known: dict[str, Any] = {option.lstrip("-").replace("-", "_"): value for option, value in quantities.items()}
    served = amount(serve_tokens, "--serve-tokens") if serve_tokens is not None else 0.0
    inputs, size = numbers(at, "--at"), amount(student, "--student")
    found = _fit(fit, published, reading, fitting)
    compute = amount(flops, "--flops") if found is None else budget(flops, "--flops", found)
    if found is not None and found.outcome.refused:
        return failure.refuse_fit(found, schema=SCHEMA if output.as_json else None)
    from kleiber.fit.store import load
    from kleiber.plan.distil import distil as decide

    students_fit = load(taught) if taught is not None else None
    if students_fit is not None and students_fit.outcome.refused:
        return failure.refuse_fit(students_fit, schema=SCHEMA if output.as_json else None)
    with screen.working("planning"):
        answer = decide(
            found,
            student=size,
            flops=compute,
            train_teacher=train_teacher,
            students=students,
            logits=logits,
            serve_tokens=served,
            at=inputs,
            level=level,
            taught=students_fit,
            **known,
        )
    if output.as_json:
        from kleiber.cli.provenance import of_fit, stamped, versions

        behind = of_fit(found) if found is not None else {"seed": 0, "versions": versions()}
        screen.emit_json(stamped(answer.to_json(), behind))
        return 0
    first, *rest = answer.sentences()
    screen.say((first, "bold"))
    for line in rest:
        screen.hang(" ", line, at=2)
    return 0


def _fit(source: str | None, published: bool, reading: Reading, fitting: Fitting) -> Fit | None:
    """The fit, or None where the paper's own law is asked for."""
    if published:
        surplus = [source] if source is not None else [*reading.given, *fitting.given]
        if surplus:
            raise InputError(
                "--published takes the place of a fit", found=surplus[0], remedy="leave one of the two out"
            )
        return None
    if source is None:
        raise InputError("no fit", expected="a fit file, a run table, or --published")
    return fit_of(source, reading, fitting)


COMMAND = Command(name="distil", title="A student: distilled, or from scratch.", run=distil, schema=SCHEMA)
