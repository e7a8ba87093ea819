"""`distil` by a law of distillation fitted to students of one's own, and no verdict far from the paper's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kleiber.errors import InputError, Refusal
from kleiber.fit import Outcome
from kleiber.laws import find
from kleiber.plan.distil import distil
from tests.plan.clouds import cloud

OWN = {
    "A": 21.0,
    "B": 420.0,
    "alpha": 0.44,
    "beta": 0.56,
    "gamma": 0.84,
    "c0": 0.85,
    "c1": 500.0,
    "d1": 1.8,
    "f1": 0.16,
}
ALONE = {"E": 0.94, "A": 24.3, "B": 903.0, "alpha": 0.438, "beta": 0.5565}
RANGES = {
    "params": (1.5e3, 2.5e4),
    "tokens": (2e6, 8e6),
    "teacher_loss": (1.2, 1.5),
    "supervised_loss": (1.3, 2.1),
    "flops": (1e10, 2e12),
}
ASKED: dict[str, Any] = {"student": 6144, "flops": 6 * 6144 * 4e6, "teacher_loss": 1.25}


def students(**facts: Any):
    return cloud(OWN, law="distillation", **{"ranges": RANGES, **facts})


def by_hand(v: dict[str, float], params: float, tokens: float, teacher_loss: float, alone: float) -> float:
    switch = (1 + (teacher_loss / (v["d1"] * alone)) ** (1 / v["f1"])) ** (-v["c1"] * v["f1"])
    own = (v["A"] / params ** v["alpha"] + v["B"] / tokens ** v["beta"]) ** v["gamma"]
    return teacher_loss + switch * own / teacher_loss ** v["c0"]


def test_far_from_the_papers_runs_there_is_no_verdict_but_a_way_to_one() -> None:
    found = distil(cloud(ALONE, draws=20, spread=0.001), **ASKED)
    assert found.far
    assert found.verdict == "cannot tell"
    assert found.probability == 1.0
    assert any("--taught" in line for line in found.sentences())
    near = distil(None, student="1B", flops=1e21, teacher="7B", teacher_tokens="2T")
    assert not near.far
    assert near.verdict == "distil"


def test_own_students_are_asked_directly_in_every_draw() -> None:
    fit, taught = cloud(ALONE, draws=30, spread=0.003), students(draws=12, spread=0.003, seed=1)
    found = distil(fit, taught=taught, **ASKED)
    names, teacher = find("distillation").names, ASKED["teacher_loss"]

    def gain(own: dict[str, float], lone: dict[str, float]) -> float:
        alone = lone["E"] + lone["A"] / 6144 ** lone["alpha"] + lone["B"] / 4e6 ** lone["beta"]
        return alone - by_hand(own, 6144, 4e6, teacher, alone)

    assert found.coefficients == "own students"
    assert (found.far, found.second_opinion) == (False, None)
    assert found.gain.value == pytest.approx(gain(OWN, ALONE), rel=1e-9)
    # Draw k of the fit goes with draw k of the students; where these are fewer they come again.
    gains = [
        gain(
            dict(zip(names, taught.draws_BP[k % 12].tolist(), strict=True)),
            dict(zip(find("chinchilla").names, fit.draws_BP[k].tolist(), strict=True)),
        )
        for k in range(30)
    ]
    assert found.probability == pytest.approx(np.mean(np.array(gains) > 0))
    assert found.gain.interval is not None
    assert found.gain.interval[0] == pytest.approx(np.quantile(gains, 0.025), rel=1e-6)
    assert any("both fits" in line for line in found.sentences())


def test_a_teacher_worse_than_the_student_would_be_is_not_asked() -> None:
    asked = {"student": 24576, "flops": 6 * 24576 * 8e6, "teacher_loss": 1.5}
    found = distil(cloud(ALONE, draws=20, spread=0.001), taught=students(), **asked)
    assert found.verdict == "train from scratch"


def test_a_teacher_to_be_trained_is_split_off_by_the_own_law_too() -> None:
    found = distil(cloud(ALONE), taught=students(), student=6144, flops=1e12, train_teacher=True, students=8)
    assert found.teacher_params is not None
    assert found.teacher_tokens is not None
    lone = lambda n, d: ALONE["E"] + ALONE["A"] / n ** ALONE["alpha"] + ALONE["B"] / d ** ALONE["beta"]  # noqa: E731

    def loss(teacher_params: float, teacher_tokens: float) -> float:
        tokens = (1e12 - 6 * teacher_params * teacher_tokens / 8) / (6 * 6144)
        return (
            by_hand(OWN, 6144, tokens, lone(teacher_params, teacher_tokens), lone(6144, tokens))
            if tokens > 0
            else np.inf
        )

    grid = [loss(n, d) for n in np.geomspace(3e3, 3e6, 200) for d in np.geomspace(1e5, 1e9, 200)]
    assert found.loss.value == pytest.approx(loss(found.teacher_params.value, found.teacher_tokens.value), rel=1e-9)
    assert found.loss.value <= min(grid) + 1e-6


def test_what_is_no_fit_to_students_is_refused() -> None:
    with pytest.raises(InputError, match="not a fit to distilled students"):
        distil(cloud(ALONE), taught=cloud(ALONE), **ASKED)
    with pytest.raises(Refusal):
        distil(cloud(ALONE), taught=students(outcome=Outcome.UNIDENTIFIED), **ASKED)
    with pytest.raises(InputError, match="count loss differently"):
        distil(cloud(ALONE, conventions={"loss": "bits_per_byte"}), taught=students(), **ASKED)
