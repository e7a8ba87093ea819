"""Distil or train from scratch: equation 8 itself, brute force, the paper's findings, invariances, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from kleiber.errors import InputError, Refusal
from kleiber.fit import Outcome
from kleiber.laws import find
from kleiber.laws.distillation import distillation_flops
from kleiber.plan.distil import Deal, deal, distil
from kleiber.plan.distil.crossing import gain
from kleiber.plan.distil.lesson import lesson
from kleiber.plan.distil.split import best, fixed
from kleiber.plan.surface import Surface
from tests.plan.clouds import BESIROGLU, cloud

SUPERVISED = dict(find("chinchilla-coupled").coefficients("busbridge-2025").values)
DISTILLED = dict(find("distillation").coefficients("busbridge-2025").values)
GIVEN: dict[str, Any] = {"teacher": "7B", "teacher_tokens": "2T"}


def supervised(params, tokens):
    """The paper's supervised law, written out once more."""
    v = SUPERVISED
    return v["E"] + (v["A"] / params ** v["alpha"] + v["B"] / tokens ** v["beta"]) ** v["gamma"]


def chinchilla(params, tokens):
    v = BESIROGLU
    return v["E"] + v["A"] / params ** v["alpha"] + v["B"] / tokens ** v["beta"]


def equation_8(params, tokens, teacher_loss):
    """The paper's distillation law, written out once more."""
    v, ratio = DISTILLED, teacher_loss / supervised(params, tokens)
    switch = (1 + (ratio / v["d1"]) ** (1 / v["f1"])) ** (-v["c1"] * v["f1"])
    own = (v["A"] / params ** v["alpha"] + v["B"] / tokens ** v["beta"]) ** v["gamma"]
    return teacher_loss + switch * own / teacher_loss ** v["c0"]


def joined(params, tokens, teacher_params, teacher_tokens, alone):
    """The student's loss where `alone` says what models reach without a teacher."""
    own, theirs = alone(params, tokens), supervised(params, tokens)
    return own * equation_8(params, tokens, theirs * alone(teacher_params, teacher_tokens) / own) / theirs


@pytest.mark.parametrize("logits", ["stored", "live"])
def test_with_the_papers_own_law_it_is_equation_8(logits: str) -> None:
    found = distil(None, student=1e9, flops=1e21, teacher=7e9, teacher_tokens=2e12, logits=logits)
    tokens = 1e21 / (6e9 + (14e9 if logits == "live" else 0))
    assert found.tokens.value == pytest.approx(tokens, rel=1e-12)
    assert found.teacher_loss.value == pytest.approx(supervised(7e9, 2e12), rel=1e-12)
    assert found.loss.value == pytest.approx(equation_8(1e9, tokens, supervised(7e9, 2e12)), rel=1e-12)
    assert found.scratch_loss.value == pytest.approx(supervised(1e9, 1e21 / 6e9), rel=1e-12)
    assert found.gain.value == pytest.approx(found.scratch_loss.value - found.loss.value, rel=1e-9)
    assert found.probability is None
    assert found.second_opinion is None


@pytest.mark.parametrize("logits", ["stored", "live"])
@pytest.mark.parametrize("teacher", [GIVEN, {"train_teacher": True}, {"train_teacher": True, "students": 30}])
def test_the_costs_are_the_budget_and_equation_9(teacher: dict[str, Any], logits: str) -> None:
    found = distil(cloud(), student="1B", flops=1e22, serve_tokens="100B", logits=logits, **teacher)
    assert sum(found.costs.values()) == pytest.approx(1e22, rel=1e-9)
    assert found.teacher_params is not None
    assert found.teacher_tokens is not None
    part = 1 / found.deal.students if found.deal.trained else 0.0
    spent = distillation_flops(
        1e9,
        found.tokens.value,
        found.teacher_params.value,
        found.teacher_tokens.value,
        logits=float(logits == "live"),
        pretraining=part,
    )
    assert spent + found.costs["serving"] == pytest.approx(1e22, rel=1e-9)


def brute(asked: Deal, alone) -> float:
    """The least loss on a grid of teacher's params by teacher's tokens, then on two finer ones around the best."""
    low = np.array([np.log(asked.student / 30), np.log(1e8)])
    high = np.array([np.log(asked.student * 300), np.log(asked.training_flops * asked.students / 6e7)])
    best_loss = np.inf
    for _ in range(3):
        x, y = np.meshgrid(*(np.linspace(a, b, 241) for a, b in zip(low, high, strict=True)), indexing="ij")
        params = np.exp(x) if asked.teacher_params is None else np.full_like(x, asked.teacher_params)
        tokens = np.exp(y)
        left = asked.training_flops - 6 * params * tokens / asked.students
        live = 2 * params if asked.logits == "live" else 0
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.where(left > 0, left, np.nan) / (6 * asked.student + live)
            loss = np.nan_to_num(joined(asked.student, own, params, tokens, alone), nan=np.inf)
        place = np.array(np.unravel_index(loss.argmin(), loss.shape))
        best_loss = min(best_loss, float(loss.min()))
        centre, width = np.array([x[tuple(place)], y[tuple(place)]]), (high - low) / 60
        low, high = centre - width, centre + width
    return best_loss


def random_deal(rng: np.random.Generator) -> Deal:
    student = 10 ** rng.uniform(8, 10)
    return deal(
        student=student,
        flops=6 * student**2 * 10 ** rng.uniform(0.8, 3.5),
        teacher=student * 10 ** rng.uniform(0, 1.5) if rng.random() < 0.3 else None,
        train_teacher=True,
        students=int(10 ** rng.uniform(0, 3)),
        logits=str(rng.choice(["stored", "live"])),
    )


def agrees_with_brute_force(seed: int) -> None:
    rng = np.random.default_rng([seed, 11])
    asked = random_deal(rng)
    law, alone = ("chinchilla", chinchilla) if seed % 2 else ("chinchilla-coupled", supervised)
    values = BESIROGLU if seed % 2 else SUPERVISED
    surface = Surface(law=find(law), theta_KP=find(law).theta(values)[None])
    ours, theirs = float(best(asked, surface, lesson()).loss[0]), brute(asked, alone)
    assert ours == pytest.approx(theirs, rel=1e-4), asked
    assert ours <= theirs * (1 + 1e-5), asked


@pytest.mark.parametrize("seed", range(16))
def test_the_split_is_the_one_that_brute_force_finds(seed: int) -> None:
    agrees_with_brute_force(seed)


@pytest.mark.slow
def test_the_split_is_the_one_that_brute_force_finds_200_times() -> None:
    for seed in range(200):
        agrees_with_brute_force(seed)


def test_every_row_has_its_own_optimum() -> None:
    fit = cloud(draws=6, spread=0.02)
    surface = Surface(law=fit.law, theta_KP=np.vstack([fit.theta_P, fit.draws_BP]))
    asked = deal(student="1B", flops=1e22, train_teacher=True, students=10)
    together = best(asked, surface, lesson())
    alone = [best(asked, surface.rows(slice(row, row + 1)), lesson()) for row in range(7)]
    assert together.loss == pytest.approx([float(each.loss[0]) for each in alone], rel=1e-9)
    decided = fixed(asked, surface, lesson(), together).loss
    assert (decided >= together.loss - 1e-9).all()
    assert decided[0] == pytest.approx(together.loss[0], rel=1e-9)


def takes_off(law: str = "chinchilla", **asked: Any) -> float:
    """What distilling takes off the loss of training from scratch."""
    values = BESIROGLU if law == "chinchilla" else SUPERVISED
    surface = Surface(law=find(law), theta_KP=find(law).theta(values)[None])
    return float(gain(deal(**{"student": 1e9, "flops": 1e21, **asked}), surface, lesson())[0])


@pytest.mark.parametrize("student", [3e8, 1e9, 3e9, 7e9])
def test_one_student_does_not_pay_for_a_teacher(student: float) -> None:
    """The paper's finding: if one student is to be distilled and the teacher needs training, train the student instead."""
    for flops in (6 * student**2 * ratio for ratio in (20, 100, 500)):
        assert takes_off("chinchilla-coupled", student=student, flops=flops, train_teacher=True) < 0


def test_a_teacher_at_hand_wins_up_to_a_budget_that_grows_with_the_student() -> None:
    """The paper's finding, for a 7B teacher and its own supervised law."""
    up_to = []
    for student in (3e8, 1e9, 3e9):
        found = distil(None, student=student, flops=6 * student**2 * 100, **GIVEN)
        assert found.verdict == "distil"
        assert found.wins_up_to is not None
        up_to.append(found.wins_up_to.value)
    assert up_to == sorted(up_to)


def test_the_verdict_turns_where_it_says() -> None:
    found = distil(None, student="1B", flops=1e21, **GIVEN)
    assert found.wins_up_to is not None
    for factor, wins in ((0.97, True), (1.03, False)):
        near = distil(None, student="1B", flops=factor * found.wins_up_to.value, **GIVEN)
        assert (near.gain.value > 0) is wins


def test_the_fewest_students_are_the_fewest() -> None:
    found = distil(cloud(), student="1B", flops=1e21, train_teacher=True)
    fewest = found.students_to_pay
    assert fewest is not None
    assert fewest > 1
    assert takes_off(train_teacher=True, students=fewest - 1) <= 0 < takes_off(train_teacher=True, students=fewest)


def test_sharing_helps_and_running_the_teacher_costs() -> None:
    shared = [takes_off(train_teacher=True, students=n) for n in (1, 3, 10, 100)]
    assert shared == sorted(shared)
    assert takes_off(train_teacher=True, students=10, logits="live") < shared[2]
    assert takes_off(**GIVEN, logits="live") < takes_off(**GIVEN)


@pytest.mark.parametrize("scale", [1.4427, 0.25])
def test_the_unit_of_the_loss_changes_nothing(scale: float) -> None:
    """Bits for nats, or bytes for tokens: every loss is `scale` times as large and the decision is the same."""
    rescaled = {name: value * (scale if name in "EAB" else 1.0) for name, value in BESIROGLU.items()}
    asked: dict[str, Any] = {"student": "1B", "flops": 1e21, "train_teacher": True, "students": 20}
    one, other = distil(cloud(), **asked), distil(cloud(rescaled), **asked)
    assert other.verdict == one.verdict
    assert other.students_to_pay == one.students_to_pay
    assert other.tokens.value == pytest.approx(one.tokens.value, rel=1e-3)
    assert other.loss.value == pytest.approx(scale * one.loss.value, rel=1e-7)
    assert other.best_teacher_loss == pytest.approx(scale * one.best_teacher_loss, rel=1e-6)


def test_a_teacher_by_its_loss_is_the_teacher_by_its_tokens() -> None:
    one = distil(cloud(), student="1B", flops=1e21, **GIVEN)
    other = distil(cloud(), student="1B", flops=1e21, teacher="7B", teacher_loss=float(chinchilla(7e9, 2e12)))
    assert other.loss.value == pytest.approx(one.loss.value, rel=1e-9)
    assert other.teacher_tokens is None
    assert other.second_opinion is None


def test_the_draws_carry_the_doubt() -> None:
    fit = cloud(draws=300, spread=0.01)
    found = distil(fit, student="1B", flops=1e21, train_teacher=True, students=12)
    assert found.probability is not None
    tokens, teacher = found.tokens.value, (found.teacher_params, found.teacher_tokens)
    assert teacher[0] is not None
    assert teacher[1] is not None
    wins = []
    for draw in fit.draws_BP:
        alone = lambda n, d, v=draw: v[0] + v[1] / n ** v[3] + v[2] / d ** v[4]  # noqa: E731
        taught = joined(1e9, tokens, teacher[0].value, teacher[1].value, alone)
        wins.append(taught < alone(1e9, 1e21 / 6e9))
    assert found.probability == pytest.approx(np.mean(wins), abs=1e-9)
    assert found.regret is not None
    assert 0 <= found.regret < 0.01
    for value in (found.loss, found.gain, found.scratch_loss, found.teacher_params):
        assert value is not None
        assert value.interval is not None
        assert value.interval[0] <= value.value <= value.interval[1]


def test_where_the_papers_own_law_says_the_opposite_one_cannot_tell() -> None:
    """Between the budget at which the paper's law turns (4e21) and that at which this fit does (2e22)."""
    found = distil(cloud(draws=50, spread=0.003), student="1B", flops=8e21, **GIVEN)
    assert found.second_opinion is not None
    assert found.gain.value > 0 > found.second_opinion.gain
    assert found.verdict == "cannot tell"
    assert any("says the opposite" in line for line in found.sentences())


def test_outside_the_fitted_range_there_is_a_badge() -> None:
    inside = distil(None, student="1B", flops=1e21, teacher="3B", teacher_tokens="100B")
    assert not inside.extrapolation
    outside = distil(None, student="1B", flops=1e23, **GIVEN)
    assert outside.extrapolation["tokens"] == pytest.approx(1e23 / 6e9 / 512e9)
    assert any("33 in tokens" in line for line in outside.sentences())


def test_json_is_json_and_the_same_twice() -> None:
    asked: dict[str, Any] = {"student": "1B", "flops": 1e21, "teacher_loss": 2.1}
    texts = [json.dumps(distil(cloud(draws=20), **asked).to_json(), allow_nan=False) for _ in range(2)]
    assert texts[0] == texts[1]
    told = json.loads(texts[0])
    assert told["schema"] == "kleiber/distil/1"
    assert told["teacher"]["params"] is None
    assert told["sentences"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "no teacher"),
        ({"teacher": "7B"}, "half a teacher"),
        ({"teacher_tokens": "2T"}, "half a teacher"),
        ({**GIVEN, "teacher_loss": 2.0}, "both given"),
        ({**GIVEN, "students": 3}, "costs nothing to share"),
        ({"train_teacher": True, "teacher_loss": 2.0}, "has no loss yet"),
        ({"train_teacher": True, "teacher_tokens": "2T"}, "its params are not"),
        ({"train_teacher": True, "students": 0}, "at least 1"),
        ({"train_teacher": True, **GIVEN}, "more than 84 students"),
        ({"teacher_loss": 2.0, "logits": "live"}, "give the teacher's params"),
        ({**GIVEN, "logits": "lve"}, "did you mean 'live'"),
        ({**GIVEN, "student": 0}, "student must be a positive number"),
        ({**GIVEN, "teacher": -1}, "teacher must be a positive number"),
        ({**GIVEN, "flops": "nan"}, "not a quantity"),
        ({**GIVEN, "level": 1.0}, "level"),
        ({**GIVEN, "serve_tokens": "10T"}, "serving the student alone"),
    ],
)
def test_a_deal_must_be_one(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        distil(cloud(), **{"student": "1B", "flops": 1e21, **asked})


def test_the_remedies_help() -> None:
    """What the messages ask for makes the deal possible."""
    assert distil(cloud(), student="1B", flops=1e21, train_teacher=True, **GIVEN, students=85).verdict
    assert distil(cloud(), student="1B", flops=2.1e22, serve_tokens="10T", **GIVEN).verdict


def test_a_refused_fit_and_a_law_of_something_else_are_refused() -> None:
    with pytest.raises(Refusal):
        distil(cloud(outcome=Outcome.TOO_FEW_RUNS), student="1B", flops=1e21, **GIVEN)
    with pytest.raises(InputError, match="params and tokens"):
        distil(cloud({"alpha_N": 0.076, "Nc": 8.8e13}, law="kaplan-params"), student="1B", flops=1e21, **GIVEN)
