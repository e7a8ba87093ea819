"""Briefs that no shape can keep: the error names the limits that conflict, and what it advises holds."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from kleiber.cost.families import options
from kleiber.errors import InputError
from kleiber.plan.architecture import brief, plan_life
from kleiber.plan.architecture.infeasible import BATCHES
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.relaxation import Serving, conflicts
from kleiber.plan.architecture.serving import DEVICES
from kleiber.plan.architecture.shapes import counts, shapes_of
from kleiber.quantity import read
from tests.plan.clouds import UNROUNDED, cloud

FIT = cloud(UNROUNDED)
ROOM = 1.25  # what layers and heads being whole may ask for beyond the advice
MONEY: dict[str, Any] = {"families": "dense", "hardware": "h100", "objective": "money"}
CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "compute against demand": (
        {"families": "dense", "hardware": "h100", "flops": 1e18, "serve_tokens": "2T"},
        {"--flops"},
    ),
    "money against demand": (
        {"families": "dense", "hardware": "h100", "max_cost": 20.0, "serve_tokens": "2T"},
        {"--max-cost"},
    ),
    "deadline against loss": (
        {**MONEY, "loss_target": 2.0, "deadline_days": 1.0, "devices": 64},
        {"--deadline-days", "--loss-target"},
    ),
    "hours against loss": ({**MONEY, "loss_target": 2.0, "max_gpu_hours": 100.0}, {"--max-gpu-hours", "--loss-target"}),
    "memory against loss": ({**MONEY, "loss_target": 1.9, "max_memory_gb": 0.1}, {"--max-memory-gb", "--loss-target"}),
    "memory alone": ({"families": "dense", "flops": 1e18, "max_memory_gb": 0.001}, {"--max-memory-gb"}),
    "first token against loss": (
        {**MONEY, "loss_target": 1.9, "max_ttft_ms": 0.5, "serve_tokens": "1T"},
        {"--max-ttft-ms", "--loss-target"},
    ),
    "next token against loss": ({**MONEY, "loss_target": 1.9, "max_tpot_ms": 0.01}, {"--max-tpot-ms", "--loss-target"}),
    "compute against loss": ({**MONEY, "loss_target": 1.9, "flops": 1e22}, {"--flops", "--loss-target"}),
    "devices against loss": ({**MONEY, "loss_target": 1.9, "devices": 1}, {"--devices", "--loss-target"}),
    "two families": (
        {**MONEY, "families": "experts,ssm", "loss_target": 1.9, "flops": 1e21},
        {"--flops", "--loss-target"},
    ),
}


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] if "families" in name else []) for name in CASES])
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], set[str]]:
    return CASES[request.param]


def refused(asked: dict[str, Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        plan_life(FIT, **asked)
    return caught.value


def advice(error: InputError) -> dict[str, float]:
    """Option -> the value that would do."""
    found = re.findall(r"--([a-z-]+) ([0-9.e+]+[kMBTPE]?)(?=,| \(x|$)", error.remedy or "")
    return {option.replace("-", "_"): read(value) for option, value in found}


def least_common_factor(asked: dict[str, Any]) -> float:
    """The least factor on all limits, by the program, over options and replicas; at most one where they can be kept."""
    wish, laws = brief(**asked), Laws(fits=(FIT,))
    found = []
    for option in options(wish.families, vocabulary=wish.vocabulary):
        shapes = shapes_of(option, counts(wish, "unknown"))
        for batch in BATCHES:
            devices = float(DEVICES[-1]) if wish.hardware is not None else 1.0
            known = quality(option, laws, wish, np.random.default_rng(0))
            answer = conflicts(shapes, wish, known, Serving(devices=devices, batch=batch))
            found.append(np.inf if answer is None or answer.relax is None else answer.relax)
    return min(found)


def test_the_limits_that_conflict_are_named(case) -> None:
    asked, expected = case
    error = refused(asked)
    assert set(re.findall(r"--[a-z-]+", str(error.found))) == expected
    assert {"--" + name.replace("_", "-") for name in advice(error)} <= expected
    assert error.exit_code == 2


def test_each_piece_of_advice_alone_makes_the_limits_compatible(case) -> None:
    asked, _ = case
    found = advice(refused(asked))
    assert found
    assert least_common_factor(asked) > 1
    for name, value in found.items():
        assert least_common_factor({**asked, name: needed(name, value)}) <= 1 + 1e-6, name


@pytest.mark.slow
def test_less_than_the_advice_does_not_do(case) -> None:
    """Ninety-five hundredths of it (of the loss above the floor) leave the limits in conflict."""
    asked, _ = case
    for name, value in advice(refused(asked)).items():
        less = UNROUNDED["E"] + 0.95 * (value - UNROUNDED["E"]) if name == "loss_target" else 0.95 * value
        if name != "devices" and "ssm" not in asked["families"]:
            assert least_common_factor({**asked, name: less}) > 1, name


@pytest.mark.slow
def test_a_shape_exists_a_little_beyond_the_advice(case) -> None:
    """The program knows no whole layers and heads; with some room there is a shape to build."""
    asked, _ = case
    for name, value in advice(refused(asked)).items():
        more = UNROUNDED["E"] + ROOM * (value - UNROUNDED["E"]) if name == "loss_target" else ROOM * value
        assert plan_life(FIT, **{**asked, name: needed(name, more)}).params.value > 0


def needed(name: str, value: float) -> float:
    return math.ceil(value) if name == "devices" else value


def test_a_target_below_the_floor_is_told_the_floor() -> None:
    error = refused({**MONEY, "loss_target": 1.7})
    assert f"{UNROUNDED['E']:.4g}" in str(error)
    assert "1.7" in str(error)


def test_limits_that_no_single_step_mends_are_said_to_need_all() -> None:
    """Neither money nor latency alone reaches the loss: the loss would have to give way, or everything."""
    error = refused({**MONEY, "loss_target": 1.9, "max_ttft_ms": 0.5, "max_cost": 1000.0, "serve_tokens": "1T"})
    assert set(advice(error)) <= {"loss_target"}


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"flops": 1e22, "hardware": "h1000"}, "h100"),
        ({"flops": 1e22, "families": "dens"}, "dense"),
        ({"flops": -1.0}, "flops"),
        ({"flops": 1e22, "context": 0.5}, "context"),
        ({"flops": 1e22, "max_tpot_ms": 20}, "--hardware"),
        ({"flops": 1e22, "hardware": "h100", "deadline_days": 3}, "--devices"),
        ({"hardware": "h100"}, "--flops"),
        ({"hardware": "h100", "objective": "money"}, "--loss-target"),
        ({"hardware": "tpu-v5p", "objective": "energy", "loss_target": 2.2}, "power"),
        ({"hardware": "tpu-v5p", "max_cost": 1e6}, "--price"),
        ({"flops": 1e22, "objective": "monye"}, "money"),
        ({"flops": 1e22, "serve_tokens": "4T..1T"}, "serve_tokens"),
        ({"flops": "1e22..1e23"}, "--serve-tokens"),
        ({"flops": 1e22, "output_share": 1.5}, "output_share"),
        ({"flops": 1e22, "sevre_tokens": 1}, "serve_tokens"),
    ],
)
def test_a_brief_that_makes_no_sense_is_told_what_would(asked: dict[str, Any], word: str) -> None:
    assert word in str(refused(asked))


def test_little_memory_under_a_large_budget_still_has_a_plan() -> None:
    """Even where every shape that fits would see a million tokens a param and more."""
    found = plan_life(FIT, families="ssm", hardware="h200", max_gpu_hours=8e5, max_memory_gb=0.003, vocabulary=50_000)
    assert found.tokens.value / found.params.value > 1e6
    assert found.best.costs.replica["memory_gb"] <= 0.003


@pytest.mark.parametrize("precision", ["bf16", "fp8"])
def test_a_target_that_repeated_data_never_reaches_is_told_the_floor(precision: str) -> None:
    """A billion tokens are worth 16.4 billion however often they are read."""
    floor = UNROUNDED["E"] + UNROUNDED["B"] / (1e9 * (1 + 15.387756)) ** UNROUNDED["beta"]
    error = refused({**MONEY, "unique_tokens": 1e9, "loss_target": 2.04, "precision": precision})
    assert f"{floor:.4g}" in str(error)
