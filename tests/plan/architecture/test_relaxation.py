"""The geometric program against an exhaustive grid on random questions, its shadow prices against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.laws import Law
from kleiber.plan.architecture import plan_life
from kleiber.plan.architecture.relaxation import ROUNDS, Relaxed
from tests.plan.architecture.plain import BUDGETS, Asked, ask, searched, used
from tests.plan.clouds import cloud

QUICK, ALL = 20, 260
AGREE = 1e-4  # relative, either way
STEP = 3e-4  # in ln(bound), of the differences
PRICED = {"flops": "flops", "max_gpu_hours": "gpu_hours", "max_cost": "cost", "deadline_days": "days",
          "max_memory_gb": "memory", "max_tpot_ms": "tpot", "max_ttft_ms": "ttft"}  # fmt: skip


def disagreement(seed: int) -> float:
    """How far the program's optimum lies above the grid's, relative."""
    asked = ask(seed)
    found = asked.relaxed()
    assert found is not None, f"question {seed} is feasible as it is made"
    assert found.rounds < ROUNDS, f"question {seed} did not settle"
    assert found.residual < 1e-9
    return found.objective / searched(asked)[0] - 1


@pytest.mark.parametrize("begin", range(0, QUICK, 10))
def test_the_program_agrees_with_an_exhaustive_grid(begin: int) -> None:
    worst = max((abs(disagreement(seed)), seed) for seed in range(begin, begin + 10))
    print(f"worst of questions {begin} to {begin + 9}: {worst[0]:.1e} (question {worst[1]})")
    assert worst[0] < AGREE


@pytest.mark.slow
@pytest.mark.parametrize("begin", range(QUICK, ALL, 40))
def test_the_program_agrees_with_an_exhaustive_grid_on_many_more(begin: int) -> None:
    worst = max((abs(disagreement(seed)), seed) for seed in range(begin, begin + 40))
    print(f"worst of questions {begin} to {begin + 39}: {worst[0]:.1e} (question {worst[1]})")
    assert worst[0] < AGREE


def test_questions_cover_every_limit_objective_and_family() -> None:
    asked = [ask(seed) for seed in range(ALL)]
    for name in (*PRICED, "loss_target", "unique_tokens"):
        assert sum(getattr(each.brief, name) is not None for each in asked) >= 20, name
    assert {each.brief.objective for each in asked} == {"loss", "money", "time", "energy"}
    assert {each.option.family for each in asked} == {"dense", "experts", "ssm", "hybrid"}
    assert 0.3 < np.mean([each.brief.serve_tokens.low > 0 for each in asked]) < 0.9


@pytest.mark.parametrize("seed", range(12))
def test_the_optimum_keeps_every_limit_and_costs_what_it_says(seed: int) -> None:
    """The values of the variables, put into formulas written anew, give the objective and break no limit."""
    asked = ask(seed)
    found = asked.relaxed()
    assert found is not None
    at = used(asked, *(found.values[name] for name in ("width", "depth", "tokens")))
    for name in PRICED:
        bound = getattr(asked.brief, name)
        assert bound is None or float(at[name]) <= bound * (1 + 1e-7), name
    use = {"loss": "loss", "money": "max_cost", "time": "deadline_days", "energy": "energy"}[asked.brief.objective]
    assert found.objective == pytest.approx(float(at[use]), rel=1e-6)
    if asked.brief.loss_target is not None:
        assert float(at["loss"]) <= asked.brief.loss_target + 1e-6


def price(found: Relaxed, name: str) -> float:
    """The price of a limit of the brief: the two times of a step are limited together."""
    return sum(worth for limit, worth in found.prices.items() if limit.split(",")[0] == PRICED[name])


def slope(asked: Asked, name: str, found: Relaxed) -> tuple[float, float]:
    """d ln(objective) / d ln(bound) by differences, and how far the halves of the step disagree (where a limit lets go)."""
    bound = getattr(asked.brief, name)
    high, low = (asked.relaxed(**{name: bound * float(np.exp(h))}) for h in (STEP, -STEP))
    assert high is not None
    assert low is not None
    up, down = np.log(high.objective / found.objective), np.log(found.objective / low.objective)
    return float(up + down) / (2 * STEP), float(abs(up - down)) / STEP


def asked_memory(asked: Asked) -> bool:
    """Whether the memory asked for is less than the device has."""
    asked_gb, device = asked.brief.max_memory_gb, asked.brief.hardware
    assert device is not None
    return asked_gb is not None and asked_gb * 1e9 < 0.9 * device.memory


def priced(seeds: range) -> dict[str, list[float]]:
    """By limit: the relative errors of its prices wherever it binds."""
    errors: dict[str, list[float]] = {name: [] for name in PRICED}
    for seed in seeds:
        asked = ask(seed)
        found = asked.relaxed()
        assert found is not None
        for name in PRICED:
            if getattr(asked.brief, name) is None or (name == "max_memory_gb" and not asked_memory(asked)):
                continue
            worth = price(found, name)
            assert worth <= 1e-9, "more of anything never raises the objective"
            if worth > -1e-4:
                continue
            difference, bend = slope(asked, name, found)
            if bend > 0.02 * abs(worth):
                continue  # another limit takes over within the step
            errors[name].append(abs(worth / difference - 1))
    return errors


def test_prices_are_the_slopes_of_the_optimum() -> None:
    errors = priced(range(24))
    assert sum(map(len, errors.values())) >= 15
    assert max(max(found) for found in errors.values() if found) < 1e-4


@pytest.mark.slow
def test_the_price_of_every_kind_of_limit_is_the_slope_of_the_optimum() -> None:
    errors = priced(range(24, 160))
    for name, found in errors.items():
        assert len(found) >= 3, name
        assert max(found) < 1e-4, name


@pytest.mark.parametrize("name", BUDGETS)
def test_a_limit_far_from_binding_has_no_price(name: str) -> None:
    asked = next(each for each in map(ask, range(200)) if getattr(each.brief, name) is None)
    found = asked.relaxed(**{name: 1e40})
    assert found is not None
    assert abs(price(found, name)) < 1e-9


def test_no_program_is_made_of_a_law_that_is_no_sum_of_powers() -> None:
    """Such a law is planned by trying every shape, without a certificate."""
    law = Law("E + (A/params**alpha + B/tokens**beta)**gamma")
    values = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "gamma": 0.9}
    found = plan_life(cloud(values, law=law), flops=1e22, families="dense")
    assert found.snapping is None
    assert found.to_json()["method"] == "enumerated"
