"""The choice among shapes: pruning loses nothing, and the decision obeys what any decision must."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.cost import FAMILIES
from kleiber.cost.families import options
from kleiber.laws import Law
from kleiber.plan.architecture import Spread, brief, candidates, choose, plan_life
from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.budgets import budgets, uses
from kleiber.plan.architecture.candidates import Candidates
from kleiber.plan.architecture.choose import Decision, decide
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.planning import candidates_of, demand_of
from kleiber.plan.architecture.serving import serve
from kleiber.plan.architecture.shapes import counts, shapes_of
from tests.plan.clouds import UNROUNDED, cloud

DRAWS, SEED = 50, 3
FIT = cloud(UNROUNDED, draws=DRAWS, spread=0.03)
LAWS = Laws(fits=(FIT,))
EXAMPLES = 3  # of each property: one takes a second


def whole(wish: Brief, laws: Laws = LAWS, seed: int = SEED) -> list[Candidates]:
    """Every shape of every option that can be served, none left out."""
    found = []
    for option in options(wish.families, vocabulary=wish.vocabulary):
        shapes = serve(shapes_of(option, counts(wish, "unknown")), wish)
        shapes = shapes.take(np.isfinite(shapes["decode_s"]))
        generator = np.random.default_rng([seed, FAMILIES.index(option.family)])
        used = uses(shapes, wish)
        found.append(
            Candidates(
                shapes=shapes,
                used=used,
                limits=budgets(used, wish),
                quality=quality(option, laws, wish, generator),
                demand=demand_of(wish, laws.draws + 1, seed),
                brief=wish,
            )
        )
    return found


@st.composite
def briefs(draw: st.DrawFn) -> Brief:
    """A brief of one or two families with one to three limits, demand and price sometimes as ranges."""
    families = draw(st.lists(st.sampled_from(["dense", "ssm", "hybrid"]), min_size=1, max_size=2, unique=True))
    scale = 10 ** draw(st.floats(-2.5, 1.0))
    asked: dict[str, Any] = {
        "families": families,
        "hardware": "h200",
        "devices": 4096,
        "context": draw(st.sampled_from([2048, 65_536])),
    }
    served = draw(st.sampled_from([None, "2e11", "1e11..1e12"]))
    asked |= {"serve_tokens": served, "price": draw(st.sampled_from(["2.5", "2..4"]))}
    limits = {
        "flops": 3e24 * scale,
        "max_cost": 4e6 * scale,
        "max_gpu_hours": 2e6 * scale,
        "deadline_days": 30.0 * scale,
    }
    objective = draw(st.sampled_from(["loss", "loss", "money", "energy", "time"]))
    names = draw(st.lists(st.sampled_from(sorted(limits)), min_size=objective == "loss", max_size=2, unique=True))
    if objective != "loss":
        asked |= {"objective": objective, "loss_target": draw(st.floats(2.0, 2.4))}
    return brief(**asked, **{name: limits[name] for name in names})


@given(briefs())
@settings(max_examples=EXAMPLES, deadline=None)
def test_leaving_out_what_is_beaten_changes_nothing(wish: Brief) -> None:
    same_decision(wish)


def same_decision(wish: Brief) -> None:
    """Of every draw the best, of the decision its mean, are those of all shapes tried in full."""
    kept, everything = candidates_of(wish, LAWS, SEED), whole(wish)
    one, other = decide(kept), decide(everything)
    if other is None or one is None:
        assert one is other
        return
    # A shape that is beaten in everything is beaten at what it costs to twelve digits.
    np.testing.assert_allclose(one.best_K, other.best_K, rtol=1e-9)
    assert least(one) == pytest.approx(least(other), rel=1e-9)
    assert one.winner.regret_K[1:].mean() == pytest.approx(other.winner.regret_K[1:].mean(), rel=1e-6, abs=1e-9)
    assert sum(map(len, kept)) < sum(map(len, everything))


@pytest.mark.slow
@given(briefs())
@settings(max_examples=60, deadline=None)
def test_leaving_out_what_is_beaten_changes_nothing_of_many_briefs(wish: Brief) -> None:
    same_decision(wish)


def least(found: Decision) -> float:
    """The least mean objective."""
    return min(float(mean.min()) for mean in found.mean if mean.size)


@given(briefs())
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_winner_has_the_least_mean_and_regret_is_what_knowing_would_save(wish: Brief) -> None:
    found = candidates_of(wish, LAWS, SEED)
    decision = decide(found)
    if decision is None:
        return
    mean = decision.mean[decision.winner.option]
    assert mean[decision.winner.index] == least(decision)
    assert sum(choice.probability_best for choice in decision.choices) == pytest.approx(1.0) or len(
        wish.families
    ) > len(decision.choices)
    regrets = [float(choice.regret_K[1:].mean()) for choice in decision.choices]
    assert regrets == sorted(regrets)
    assert all(np.all(choice.regret_K >= 0) for choice in decision.choices)
    ceiling = choose.MISSED * np.median(decision.best_K[np.isfinite(decision.best_K)])
    saved = np.minimum(decision.winner.objective_K, ceiling) - np.minimum(decision.best_K, ceiling)
    np.testing.assert_allclose(decision.winner.regret_K, saved, rtol=1e-9, atol=1e-9 * ceiling)


@given(briefs(), st.integers(1, 40_000))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_size_of_a_block_does_not_matter(wish: Brief, cells: int) -> None:
    found = candidates_of(wish, LAWS, SEED)
    before, size = decide(found), candidates.BLOCK
    try:
        candidates.BLOCK = cells
        after = decide(found)
    finally:
        candidates.BLOCK = size
    if before is None or after is None:
        assert before is after
        return
    assert (before.winner.option, before.winner.index) == (after.winner.option, after.winner.index)
    np.testing.assert_array_equal(before.best_K, after.best_K)
    np.testing.assert_allclose(least(before), least(after), rtol=1e-13)


@pytest.mark.parametrize("objective", ["loss", "money"])
def test_the_order_of_the_draws_does_not_matter(objective: str) -> None:
    wish = brief(hardware="h100", families="dense", serve_tokens="1e12", **GOALS[objective])
    turned = Laws(fits=(replace(FIT, draws_BP=FIT.draws_BP[::-1]),))
    one, other = (decide(candidates_of(wish, laws, SEED)) for laws in (LAWS, turned))
    assert one is not None
    assert other is not None
    assert (one.winner.option, one.winner.index) == (other.winner.option, other.winner.index)
    assert least(one) == pytest.approx(least(other), rel=1e-12)


GOALS: dict[str, dict[str, Any]] = {"loss": {"flops": 1e23}, "money": {"objective": "money", "loss_target": 2.1}}


@given(briefs(), st.sampled_from(["flops", "max_cost", "max_gpu_hours", "deadline_days"]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_twice_a_budget_is_never_worse_and_a_new_one_never_helps(wish: Brief, name: str) -> None:
    bound = getattr(wish, name)
    bounds = {"flops": 1e24, "max_cost": 1e6, "max_gpu_hours": 5e5, "deadline_days": 5.0}
    tight = wish if bound is not None else replace(wish, **{name: bounds[name]})
    loose = replace(wish, **{name: 2 * bound}) if bound is not None else wish
    few, many = (decide(candidates_of(each, LAWS, SEED)) for each in (tight, loose))
    if few is None:
        return
    assert many is not None
    assert np.all(many.best_K <= few.best_K * (1 + 1e-9))
    if wish.objective == "loss":  # elsewhere a draw that is missed counts for a multiple of a median that moves
        assert least(many) <= least(few) * (1 + 1e-9)


@pytest.mark.parametrize("limit", [{"max_memory_gb": 1.0}, {"max_tpot_ms": 0.3}, {"max_ttft_ms": 3.0}])
def test_a_limit_on_serving_never_helps(limit: dict[str, float]) -> None:
    asked: dict[str, Any] = {"families": "dense,hybrid", "hardware": "h100", "flops": 1e24, "serve_tokens": "1e12"}
    free, held = (decide(candidates_of(brief(**asked, **more), LAWS, SEED)) for more in ({}, limit))
    assert free is not None
    assert held is not None
    assert np.all(held.best_K >= free.best_K * (1 - 1e-9))
    assert least(held) > least(free), "the limit binds"


def test_a_family_more_never_hurts_any_draw() -> None:
    asked: dict[str, Any] = {"hardware": "h200", "flops": 3e23, "serve_tokens": "1e12", "context": 32_768}
    sets = (("ssm",), ("dense", "ssm"), ("dense", "experts", "ssm"), FAMILIES)
    best = [decide(candidates_of(brief(families=families, **asked), LAWS, SEED)) for families in sets]
    for few, many in itertools.pairwise(best):
        assert few is not None
        assert many is not None
        assert np.all(many.best_K <= few.best_K)


def test_the_order_in_which_families_are_named_does_not_matter() -> None:
    asked: dict[str, Any] = {"hardware": "h200", "flops": 3e23, "serve_tokens": "1e12", "seed": 1}
    one, other = (plan_life(FIT, families=families, **asked) for families in ("dense,ssm,hybrid", "hybrid,dense,ssm"))
    assert one.shape == other.shape
    assert one.best.probability_best == other.best.probability_best
    assert one.best.expected_regret == other.best.expected_regret


def test_the_units_of_params_and_tokens_in_the_law_do_not_matter() -> None:
    """The same law with params and tokens counted in billions: its weights change, the plan does not."""
    billions = Law("E + A/(params/1000000000)**alpha + B/(tokens/1000000000)**beta", target="loss")
    draws = [dict(zip(FIT.law.names, row, strict=True)) for row in FIT.draws_BP]
    other = replace(
        cloud(in_billions(UNROUNDED), law=billions),
        draws_BP=np.array([billions.theta(in_billions(draw)) for draw in draws]),
    )
    one, two = (plan_life(fit, families="dense,ssm", flops=1e23, seed=0) for fit in (FIT, other))
    assert one.shape == two.shape
    assert one.tokens.value == pytest.approx(two.tokens.value, rel=1e-9)
    assert one.loss.value == pytest.approx(two.loss.value, rel=1e-9)
    assert one.best.expected_regret == pytest.approx(two.best.expected_regret, rel=1e-6)


def in_billions(law: Any) -> dict[str, float]:
    return {**law, "A": law["A"] / 1e9 ** law["alpha"], "B": law["B"] / 1e9 ** law["beta"]}


def test_uncertain_demand_and_price_go_through_the_draws() -> None:
    asked: dict[str, Any] = {"families": "dense", "hardware": "h100", "max_cost": 2e6}
    known = cloud(UNROUNDED, draws=DRAWS, spread=0.001)
    sure = plan_life(known, serve_tokens="2e11", price=3, **asked)
    unsure = plan_life(known, serve_tokens="5e10..8e11", price="1.5..6", **asked)
    assert spread(unsure.tokens.interval) > 2 * spread(sure.tokens.interval)
    assert spread(unsure.loss.interval) > 2 * spread(sure.loss.interval)


def spread(interval: tuple[float, float] | None) -> float:
    assert interval is not None
    return float(np.log(interval[1] / interval[0]))


def test_the_deciles_of_a_range_are_its_ends() -> None:
    rows = Spread.of("1T..4T", "serve_tokens").rows(200_001, np.random.default_rng(0))
    assert rows[0] == pytest.approx(2e12)
    assert np.quantile(rows[1:], [0.1, 0.5, 0.9]) == pytest.approx([1e12, 2e12, 4e12], rel=0.01)
    assert np.mean((rows[1:] >= 1e12) & (rows[1:] <= 4e12)) == pytest.approx(0.8, abs=0.005)
