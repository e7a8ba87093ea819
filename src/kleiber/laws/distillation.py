"""Busbridge et al. 2025: the loss of a student trained on a teacher's predictions instead of on the text alone.

L_S = L_T + L_T^-c0 (1 + (L_T / (d1 L~_S))^(1/f1))^(-c1 f1) (A/N^alpha + B/D^beta)^gamma

L_T is the teacher's loss, L~_S what a student of N params would reach on the same D tokens without a teacher, D the tokens of
distillation. The first term is what the teacher knows, the last what the student can take in; the factor between them
switches the last term off once the teacher is worse than the student would be alone: then it only copies (L_S -> L_T).
A better teacher lowers the first term and raises the rest, so the student's loss is U-shaped in the teacher's: a teacher
can be too good. Given enough tokens training from scratch wins whatever the teacher, says the paper; its printed values say
so for students from about 240M params up.

FLOPs = 3 F(N_S) D_S + F(N_T) (logits D_S + 3 pretraining D_T), with F the forward FLOPs per token, here 2 params: `logits` is 1
where the teacher runs beside the student and 0 where its predictions are stored, `pretraining` is 1 where the
teacher has to be trained for the purpose (a fraction where several students share it).

Two traps: A, B, alpha, beta and gamma share their names, not their values, with the supervised law of the same paper; and
c1's interval is degenerate: only c1 d1^(-1/f1), how fast the switch closes, is pinned down by the runs.

Source: Busbridge, Shidani, Weers, Ramapuram, Littwin & Webb 2025, "Distillation Scaling Laws", arXiv 2502.08606v2, eqs 8 and 9,
appendix F, table 6.
"""

from __future__ import annotations

from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients, Parameter
from kleiber.laws.unknowns import exponent, scale

PAPER = "Busbridge et al. 2025, arXiv 2502.08606v2"
FORWARD_FLOPS_PER_PARAM = 2.0

DISTILLATION = Law(
    "teacher_loss + (A/params**alpha + B/tokens**beta)**gamma"
    " * teacher_loss**(-c0) * (1 + (teacher_loss/(d1*supervised_loss))**(1/f1))**(-c1*f1)",
    name="distillation",
    title="Distillation: a student's loss from its size, its tokens and its teacher's loss",
    parameters=(
        scale("A", "weight of the student's size", starts=(500.0, 3000.0, 20000.0)),
        scale("B", "weight of the student's tokens", starts=(500.0, 20000.0, 1e6)),
        exponent("alpha", "inner exponent of the student's params", starts=(0.3, 0.6)),
        exponent("beta", "inner exponent of the student's tokens", starts=(0.35, 0.65)),
        exponent("gamma", "outer exponent of what the student can take in", starts=(0.4, 0.8), lower=0.05),
        exponent("c0", "how much harder a better teacher is to follow", starts=(1.0, 2.5), lower=-2.5, upper=10.0),
        scale("c1", "how fast the switch closes beyond d1", starts=(5.0, 50.0), lower=1e-3, upper=1e5),
        Parameter(
            name="d1",
            lower=0.2,
            upper=5.0,
            scale="linear",
            starts=(1.0, 1.3),
            meaning="the teacher's loss over the student's own at which the switch turns",
        ),
        Parameter(name="f1", lower=0.01, upper=2.0, scale="linear", starts=(0.1, 0.3), meaning="width of the switch"),
    ),
    source=f"{PAPER}, eq. 8",
    validity="one tokeniser and one text for teacher, student and the supervised law; pure distillation, no label in the loss",
    published=(
        Coefficients(
            name="busbridge-2025",
            values={
                "A": 2243.0,
                "B": 24181.0,
                "alpha": 0.321,
                "beta": 0.637,
                "gamma": 0.764,
                "c0": 2.549,
                "c1": 522.6,
                "d1": 1.315,
                "f1": 0.090,
            },
            source=f"{PAPER}, appendix F, table 6 (distillation)",
            domain={
                "params": (143e6, 7.75e9),
                "tokens": (4e9, 512e9),
                "teacher_loss": (1.9, 3.0),
                "supervised_loss": (1.9, 3.0),
            },
            conventions="params; tokens of distillation; nats per token on C4 for teacher, student and supervised law alike",
            tolerance=0.005,
            note="697 runs. The paper says that the coefficients do not carry over to other text, tokenisers or recipes. The "
            "interval of c1 is degenerate. The ranges of the losses are ours: what the paper's supervised law gives over these "
            "sizes and tokens. For students below 240M these values keep the best teacher ahead for ever (by .006 nats at "
            "143M), against the paper's own statement.",
        ),
    ),
)


def distillation_flops(
    params: float,
    tokens: float,
    teacher_params: float,
    teacher_tokens: float = 0.0,
    *,
    logits: float = 0.0,
    pretraining: float = 0.0,
) -> float:
    """The compute of distilling one student.

    FLOPs = 6 params tokens + 2 teacher_params (logits tokens + 3 pretraining teacher_tokens)

    `logits` is 1 where the teacher runs beside the student, 0 where its predictions lie stored. `pretraining` is the
    share of the teacher's training that this student pays: 0 for a teacher at hand, 1/n for one shared by n students.

    >>> f"{distillation_flops(1e9, 1e11, 7e9, 2e12, logits=1, pretraining=0.1):.3g}"
    '1.04e+22'

    Source: Busbridge et al. 2025, arXiv 2502.08606v2, eq. 9, with F(N) = 2N.
    """
    student = 3 * FORWARD_FLOPS_PER_PARAM * params * tokens
    return student + FORWARD_FLOPS_PER_PARAM * teacher_params * (logits * tokens + 3 * pretraining * teacher_tokens)


def best_teacher_loss(params: float, tokens: float, supervised_loss: float, coefficients: Coefficients) -> float:
    """The teacher's loss at which the student's is least: a better teacher would be too hard to follow.

    Searched between a third and one and a half of `supervised_loss`, what the student reaches on the same tokens alone.

    >>> found = DISTILLATION.coefficients("busbridge-2025")
    >>> round(best_teacher_loss(1e9, 2e10, 2.375, found), 2)
    1.72

    Source: the minimum of eq. 8 of Busbridge et al. 2025, arXiv 2502.08606v2.
    """
    import numpy as np

    low, high = supervised_loss / 3, 1.5 * supervised_loss
    while True:
        teacher_R = np.linspace(low, high, 1001)
        at = {"params": params, "tokens": tokens, "supervised_loss": supervised_loss, "teacher_loss": teacher_R}
        index = int(DISTILLATION.evaluate(coefficients.values, at).argmin())
        low, high = teacher_R[max(index - 1, 0)], teacher_R[min(index + 1, 1000)]
        if high - low < 1e-7:
            return float(teacher_R[index])
