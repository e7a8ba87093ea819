"""Busbridge's distillation law: its exponents, its limits, the U in the teacher, and where training from scratch wins."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.laws import find
from kleiber.laws.distillation import DISTILLATION, best_teacher_loss, distillation_flops

PUBLISHED = DISTILLATION.coefficients("busbridge-2025")
SUPERVISED = find("chinchilla-coupled").coefficients("busbridge-2025")


def alone(params: float, tokens: float) -> float:
    return float(find("chinchilla-coupled").evaluate(SUPERVISED.values, {"params": params, "tokens": tokens}))


def student(params: float, tokens: float, teacher_loss: float | np.ndarray) -> np.ndarray:
    at = {"params": params, "tokens": tokens, "supervised_loss": alone(params, tokens), "teacher_loss": teacher_loss}
    return DISTILLATION.evaluate(PUBLISHED.values, at)


@pytest.mark.parametrize(
    ("values", "printed"), [(SUPERVISED.values, (0.513, 0.486)), (PUBLISHED.values, (0.664, 0.335))]
)
def test_exponents_of_the_optimum(values, printed: tuple[float, float]) -> None:
    """Table 6 prints a = beta/(alpha+beta) and b = alpha/(alpha+beta) of both laws; three digits of each allow 1e-3."""
    total = values["alpha"] + values["beta"]
    assert (values["beta"] / total, values["alpha"] / total) == pytest.approx(printed, abs=1e-3)


def test_a_student_without_limits_is_its_teacher() -> None:
    at = {"params": 1e60, "tokens": 1e60, "supervised_loss": 2.0, "teacher_loss": np.linspace(1.3, 3.0, 9)}
    assert DISTILLATION.evaluate(PUBLISHED.values, at) == pytest.approx(at["teacher_loss"], rel=1e-9)


def test_a_student_copies_a_teacher_worse_than_itself() -> None:
    bad = 1.6 * alone(1e9, 1e11)
    assert float(student(1e9, 1e11, bad)) == pytest.approx(bad, rel=1e-6)


def test_far_below_the_switch_the_student_adds_its_own_power_law() -> None:
    v, teacher = PUBLISHED.values, 1.3
    own = (v["A"] / 1e8 ** v["alpha"] + v["B"] / 1e9 ** v["beta"]) ** v["gamma"] / teacher ** v["c0"]
    assert float(student(1e8, 1e9, teacher)) == pytest.approx(teacher + own, rel=1e-3)


@pytest.mark.parametrize("params", [3e8, 1e9, 3e9])
@pytest.mark.parametrize("tokens", [2e10, 1e11, 5e11])
def test_loss_is_u_shaped_in_the_teacher(params: float, tokens: float) -> None:
    teacher_R = np.linspace(1.25, 1.4 * alone(params, tokens), 4001)
    loss_R = student(params, tokens, teacher_R)
    bottom = int(loss_R[: np.searchsorted(teacher_R, alone(params, tokens))].argmin())
    assert 0 < bottom < 4000
    assert loss_R[0] > loss_R[bottom] < loss_R[-1]
    best = best_teacher_loss(params, tokens, alone(params, tokens), PUBLISHED)
    assert best == pytest.approx(teacher_R[loss_R.argmin()], abs=2e-3)
    assert best < alone(params, tokens)


def gain(params: float, tokens: float) -> float:
    """What the best teacher takes off the loss."""
    best = best_teacher_loss(params, tokens, alone(params, tokens), PUBLISHED)
    return alone(params, tokens) - float(student(params, tokens, best))


@pytest.mark.parametrize("params", [3e8, 1e9, 3e9, 7e9])
def test_the_best_teacher_wins_on_few_tokens_and_loses_on_many(params: float) -> None:
    """The paper's finding: distillation wins up to an amount of compute that grows with the student, and not beyond."""
    assert gain(params, 2e10) > 0 > gain(params, 1e18)


def test_the_printed_values_say_otherwise_for_the_smallest_students() -> None:
    """Misses the paper's statement: at 143M, its smallest student, the best teacher stays ahead by .006 nats."""
    assert gain(143e6, 1e18) == pytest.approx(0.0064, abs=5e-4)


def test_flops_of_the_four_settings() -> None:
    """Equation 9 with F(N) = 2N, term by term."""
    student_flops, forward, training = 6 * 1e9 * 1e11, 2 * 7e9 * 1e11, 6 * 7e9 * 2e12
    for logits in (0.0, 1.0):
        for pretraining in (0.0, 0.1, 1.0):
            found = distillation_flops(1e9, 1e11, 7e9, 2e12, logits=logits, pretraining=pretraining)
            assert found == pytest.approx(student_flops + logits * forward + pretraining * training, rel=1e-12)
