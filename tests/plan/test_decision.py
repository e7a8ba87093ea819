"""The decision: published figures, definitions that must hold, invariances, and what is refused."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import InputError, Refusal
from kleiber.fit import Outcome
from kleiber.laws import Law, Posynomial, find
from kleiber.plan import Limit, plan
from kleiber.plan.boundary import boundary
from kleiber.plan.question import flops_limit, min_params
from tests.plan.clouds import BESIROGLU, UNROUNDED, cloud

GOPHER = 5.76e23


def published_values(name: str) -> dict[str, float]:
    return dict(find(name).published[0].values)


def test_besiroglu_at_gophers_budget() -> None:
    """planner.md, section 1: 72.25B params, 1.329T tokens, loss 1.9744; and the other two budgets computed there."""
    found = plan(cloud(), flops="5.76e23")
    assert found.params.value == pytest.approx(72.25e9, rel=1e-4)
    assert found.tokens.value == pytest.approx(1.329e12, rel=4e-4)
    assert found.loss.value == pytest.approx(1.9744, abs=5e-5)
    small, large = plan(cloud(), flops=1e20), plan(cloud(), flops=3.8e25)
    assert (small.params.value, small.loss.value) == (pytest.approx(853.5e6, rel=1e-4), pytest.approx(2.5534, abs=5e-5))
    assert (large.params.value, large.loss.value) == (pytest.approx(618.7e9, rel=1e-4), pytest.approx(1.8917, abs=5e-5))


def test_the_unrounded_optimum_moves_the_size() -> None:
    assert plan(cloud(UNROUNDED), flops=GOPHER).params.value == pytest.approx(73.2e9, rel=1e-3)


def test_budgets_beyond_the_runs_are_counted_in_decades() -> None:
    found = plan(cloud(), flops=1.3e24)
    assert found.extrapolation_decades == pytest.approx(2.0, abs=1e-9)
    assert plan(cloud(), flops=1e21).extrapolation_decades == 0
    assert plan(cloud(ranges={}), flops=1e21).extrapolation_decades is None


@pytest.mark.parametrize(
    "limits",
    [{}, {"serve_tokens": 1e13}, {"max_tokens": 5e11}, {"max_params": 2e10}, {"max_params": 2e10, "max_tokens": 1e12}],
    ids=str,
)
def test_shadow_prices_are_the_slopes_of_the_optimum(limits: dict[str, float]) -> None:
    found = plan(cloud(), flops=GOPHER, **limits)
    step = 1e-4
    for constraint in found.constraints:
        bounds = {"flops": GOPHER, **limits}
        low, high = (
            np.log(plan(cloud(), **{**bounds, constraint.name: bounds[constraint.name] * np.exp(h)}).loss.value)
            for h in (-step, step)
        )
        assert constraint.shadow_price == pytest.approx((high - low) / (2 * step), rel=2e-3, abs=1e-9)
        assert constraint.binding == (constraint.shadow_price < -1e-6)
    assert any(constraint.binding for constraint in found.constraints)


def test_too_little_data_leaves_a_corner_with_its_price() -> None:
    found = plan(cloud(), flops=GOPHER, max_tokens="100B")
    assert found.tokens.value == pytest.approx(100e9, rel=1e-9)
    assert found.params.value == pytest.approx(GOPHER / (6 * 100e9), rel=1e-9)
    prices = {one.name: one for one in found.constraints}
    assert prices["max_tokens"].binding
    assert prices["max_tokens"].shadow_price < prices["flops"].shadow_price < 0


@pytest.mark.parametrize("limits", [{}, {"serve_tokens": 1e13}, {"max_tokens": 5e11}, {"max_params": 6e10}], ids=str)
def test_near_optimal_is_what_it_says(limits: dict[str, float]) -> None:
    fit = cloud()
    found = plan(fit, flops=GOPHER, near=1e-3, **limits)
    low, high = found.near_optimal
    assert low <= found.params.value <= high

    def loss(params: float) -> float:
        tokens = (GOPHER - 2 * params * limits.get("serve_tokens", 0.0)) / (6 * params)
        tokens = min(tokens, limits.get("max_tokens", np.inf))
        return float(fit.predict({"params": params, "tokens": tokens}))

    target = found.loss.value * 1.001
    for end in (low, high):
        at_the_cap = end == pytest.approx(limits.get("max_params", np.inf))
        assert loss(end) <= target if at_the_cap else loss(end) == pytest.approx(target, rel=1e-12)
    inside = np.geomspace(low, high, 50)[1:-1]
    assert max(loss(params) for params in inside) < target


def test_every_draw_is_optimised_and_regret_is_what_it_loses() -> None:
    fit = cloud(draws=100, spread=0.02)
    found = plan(fit, flops=GOPHER)
    assert found.regret is not None
    assert found.params.interval is not None
    grid_R = np.geomspace(1e9, 3e12, 20_001)
    losses_BR = fit.predict_draws({"params": grid_R, "tokens": GOPHER / (6 * grid_R)})
    own_B = losses_BR.min(axis=1)
    here_B = fit.predict_draws({"params": found.params.value, "tokens": found.tokens.value})[:, 0]
    assert found.cloud_B3[:, 2] == pytest.approx(own_B, rel=1e-9)
    assert found.regret.expected == pytest.approx(float((here_B - own_B).mean()), rel=1e-5)
    assert found.params.interval == pytest.approx(
        np.quantile(grid_R[losses_BR.argmin(axis=1)], [0.025, 0.975]), rel=1e-3
    )
    mean_R = losses_BR.mean(axis=0)
    assert found.regret.least_params == pytest.approx(grid_R[mean_R.argmin()], rel=2e-3)
    assert found.regret.least_expected == pytest.approx(float(mean_R.min() - own_B.mean()), rel=1e-5)
    assert found.regret.least_expected <= found.regret.expected


@given(st.integers(0, 10_000), st.floats(17, 27), st.sampled_from([{}, {"serve_tokens": 1e12}, {"max_tokens": 1e11}]))
@settings(deadline=None, max_examples=15)
def test_regret_is_never_negative_and_more_compute_never_hurts(
    seed: int, decades: float, limits: dict[str, float]
) -> None:
    found = plan(cloud(draws=20, spread=0.05, seed=seed), flops=10**decades, **limits)
    assert found.regret is not None
    assert found.regret.expected >= found.regret.least_expected >= 0
    assert found.regret.interval[0] >= 0
    one, two, ten = (found.buys[name].value for name in ("one_percent", "doubling", "tenfold"))
    assert 0 <= one <= two <= ten


def test_units_change_nothing() -> None:
    """Params and tokens in units of 1e9, compute in 1e18: the same plan."""
    giga = {
        **BESIROGLU,
        "A": BESIROGLU["A"] / 1e9 ** BESIROGLU["alpha"],
        "B": BESIROGLU["B"] / 1e9 ** BESIROGLU["beta"],
    }
    ranges = {"params": (57e-3, 16.0), "tokens": (0.8, 318.0), "flops": (1.4, 1.3e4)}
    one, other = (
        plan(cloud(), flops=GOPHER, serve_tokens=1e12),
        plan(cloud(giga, ranges=ranges), flops=GOPHER / 1e18, serve_tokens=1e3),
    )
    assert other.params.value * 1e9 == pytest.approx(one.params.value, rel=1e-10)
    assert other.tokens.value * 1e9 == pytest.approx(one.tokens.value, rel=1e-10)
    assert other.loss.value == pytest.approx(one.loss.value, rel=1e-12)
    assert other.constraints[0].shadow_price == pytest.approx(one.constraints[0].shadow_price, rel=1e-9)
    assert other.near_optimal == pytest.approx([end / 1e9 for end in one.near_optimal], rel=1e-9)


def test_what_more_compute_buys() -> None:
    """d ln L / d ln C along the optimum is -(share of the reducible loss) alpha beta / (alpha + beta)."""
    found = plan(cloud(), flops=GOPHER)
    alpha, beta = BESIROGLU["alpha"], BESIROGLU["beta"]
    both = alpha * beta / (alpha + beta)
    reducible = found.loss.value - BESIROGLU["E"]
    assert found.constraints[0].shadow_price == pytest.approx(-reducible / found.loss.value * both, rel=1e-9)
    assert found.buys["tenfold"].value == pytest.approx(reducible * (1 - 10**-both), rel=1e-9)
    assert found.buys["doubling"].value == pytest.approx(reducible * (1 - 2**-both), rel=1e-9)


def test_named_rules() -> None:
    found = {rule.name: rule for rule in plan(cloud(draws=200), flops=GOPHER).rules}
    anchor = plan(cloud(), flops=1.3e22).params.value
    assert found["kaplan"].params == pytest.approx(anchor * (GOPHER / 1.3e22) ** 0.73, rel=1e-9)
    assert found["popular_0.28"].params == pytest.approx(anchor * (GOPHER / 1.3e22) ** (1 / 1.28), rel=1e-9)
    assert found["chinchilla"].tokens / found["chinchilla"].params == pytest.approx(20, rel=1e-9)
    for rule in found.values():
        assert 6 * rule.params * rule.tokens == pytest.approx(GOPHER, rel=1e-9)
        assert rule.excess.value > 0
        assert rule.loss.value == pytest.approx(plan(cloud(), flops=GOPHER).loss.value + rule.excess.value, rel=1e-9)
    assert found["popular_0.28"].excess.value > found["kaplan"].excess.value > found["chinchilla"].excess.value


def test_a_searched_law_finds_what_the_certified_one_finds() -> None:
    """The same function written so that no posynomial can be seen in it."""
    law = Law("(E**2 + 2*E*(A/params**alpha + B/tokens**beta) + (A/params**alpha + B/tokens**beta)**2)**0.5")
    certified = plan(cloud(draws=50), flops=GOPHER, serve_tokens=1e12)
    searched = plan(cloud(law=law, draws=50, values=BESIROGLU), flops=GOPHER, serve_tokens=1e12)
    assert (certified.method, searched.method) == ("certified", "searched")
    assert any("not certified" in note for note in searched.caveats)
    assert searched.params.value == pytest.approx(certified.params.value, rel=1e-5)
    assert searched.loss.value == pytest.approx(certified.loss.value, rel=1e-10)
    assert searched.constraints[0].shadow_price == pytest.approx(certified.constraints[0].shadow_price, rel=1e-4)


def test_kaplans_joint_law_is_planned_by_search() -> None:
    fit = cloud(published_values("kaplan"), law="kaplan", draws=20, spread=0.01)
    found = plan(fit, flops=1e23)
    grid_R = np.geomspace(1e8, 1e14, 200_001)
    losses_R = fit.predict({"params": grid_R, "tokens": 1e23 / (6 * grid_R)})
    assert float(losses_R.min()) * (1 - 1e-9) <= found.loss.value <= float(losses_R.min())
    assert found.params.value == pytest.approx(float(grid_R[losses_R.argmin()]), rel=2e-4)


def test_repeated_data_needs_the_amount_there_is() -> None:
    fit = cloud(published_values("data-constrained"), law="data-constrained")
    with pytest.raises(InputError, match="unique_tokens"):
        plan(fit, flops=1e23)
    plenty = plan(fit, flops=1e22, at={"unique_tokens": "10T"})
    scarce = plan(fit, flops=1e22, at={"unique_tokens": "25B"})
    assert scarce.loss.value > plenty.loss.value
    assert scarce.tokens.value > 25e9, "repeating beats stopping after one epoch"


def test_a_limit_of_ones_own_joins_without_touching_anything() -> None:
    usage = Posynomial(inputs=("params",), coefficients_T=np.array([2.0]), exponents_TI=np.array([[1.0]]))
    memory = Limit(name="memory", usage=usage, bound=80e9, unit="bytes", words="memory of one device")
    found = plan(cloud(draws=50), flops=GOPHER, limits=(memory,))
    assert found.params.value == pytest.approx(40e9, rel=1e-12)
    assert [one.name for one in found.constraints if one.binding] == ["flops", "memory"]
    assert "memory of one device is limited" in str(found)


def test_limits_that_cannot_hold_together_are_named() -> None:
    with pytest.raises(InputError, match=r"cannot hold together.*max_params, min_params.*2\.65"):
        plan(cloud(), flops=GOPHER, max_params=1e10, limits=(min_params(7e10),))


@pytest.mark.parametrize("flops", [0, -1.0, float("nan"), float("inf"), "lots"])
def test_a_budget_that_is_no_positive_number(flops: float | str) -> None:
    with pytest.raises(InputError):
        plan(cloud(), flops=flops)


@pytest.mark.parametrize("options", [{"level": 1.0}, {"level": 0}, {"near": 0}, {"near": 2}, {"at": {"lr": -1}}])
def test_options_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(InputError):
        plan(cloud(), flops=GOPHER, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["kaplan-params", "kaplan-tokens", "kaplan-compute"])
def test_a_law_without_params_and_tokens(name: str) -> None:
    with pytest.raises(InputError, match="cannot say how to split"):
        plan(cloud(published_values(name), law=name), flops=GOPHER)


def test_a_law_of_something_else_than_loss() -> None:
    with pytest.raises(InputError, match="predicts lr"):
        plan(cloud(published_values("step-lr"), law="step-lr"), flops=GOPHER)


def test_a_refused_fit() -> None:
    with pytest.raises(Refusal, match="runs at 3 or more sizes"):
        plan(cloud(outcome=Outcome.AT_BOUND), flops=GOPHER)


@pytest.mark.parametrize("term", ["A", "B"])
def test_a_law_that_ran_out_of_one_term(term: str) -> None:
    with pytest.raises(Refusal, match="no compute-optimal size"):
        plan(cloud({**BESIROGLU, term: 1e-200}), flops=GOPHER)


def test_draws_without_an_optimum_are_counted() -> None:
    fit = cloud(draws=100)
    fit.draws_BP[:7, list(fit.law.names).index("A")] = 1e-200
    found = plan(fit, flops=GOPHER)
    assert any("7 of 100 draws have no interior optimum" in note for note in found.caveats)


def test_without_draws_there_are_no_intervals_but_a_caveat() -> None:
    found = plan(cloud(), flops=GOPHER)
    assert found.params.interval is None
    assert found.regret is None
    assert any("no draws" in note for note in found.caveats)
    assert found.to_json()["params"] == {"value": found.params.value, "ci95": None}


def test_json_keeps_its_contract() -> None:
    found = plan(cloud(draws=300), flops=GOPHER, max_params="1T")
    state = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert state["schema"] == "kleiber/plan/1"
    for name in ("params", "tokens", "loss", "tokens_per_param"):
        low, high = state[name]["ci95"]
        assert low <= state[name]["value"] <= high
    assert len(state["near_optimal"]["params"]) == 2
    assert [set(one) >= {"name", "binding", "shadow_price"} for one in state["constraints"]] == [True, True]
    assert state["regret"]["ci95"][0] >= 0
    assert {"one_percent", "doubling", "tenfold"} == set(state["next"])
    assert {"kaplan", "chinchilla", "popular_0.28"} == {rule["name"] for rule in state["rules"]}
    assert state["fit"]["runs"]["hash"] == "sha256:0"
    assert state["fit"]["seed"] == 0
    assert "ci90" in plan(cloud(draws=300), flops=GOPHER, level=0.9).to_json()["params"]


def test_the_same_question_gets_the_same_bytes() -> None:
    first, second = (json.dumps(plan(cloud(draws=100), flops=GOPHER).to_json()) for _ in range(2))
    assert first == second


def test_sentences_name_the_decision_and_its_doubt() -> None:
    from rich.console import Console

    found = plan(cloud(draws=300), flops=GOPHER, max_tokens="1T")
    lines = found.sentences()
    loss = 1.8172 + 482.01 / 96e9**0.3478 + 2085.43 / 1e12**0.3658
    assert lines[0].startswith(f"Train 96B params on 1T tokens: loss {loss:.3f} (")
    assert any("data is limited to 1T" in line for line in lines)
    assert any("extrapolates 1.6 decades" in line for line in lines)
    console = Console(width=300, file=io.StringIO(), record=True)
    console.print(found)
    assert lines[0] in console.export_text()
    assert "<b>Train 96B" in found._repr_html_()


def test_serving_makes_the_model_smaller_and_trains_it_longer() -> None:
    alone, served = plan(cloud(), flops=GOPHER), plan(cloud(), flops=GOPHER, serve_tokens="10T")
    assert served.params.value < alone.params.value
    assert served.tokens_per_param.value > alone.tokens_per_param.value
    spent = 6 * served.params.value * served.tokens.value + 2 * served.params.value * 1e13
    assert spent == pytest.approx(GOPHER, rel=1e-9)


def test_the_boundary_leaves_what_the_budget_leaves() -> None:
    edge = boundary((flops_limit(1e24, 1e12),))
    assert edge is not None
    assert edge.tokens(np.array([1e10]))[0] == pytest.approx((1e24 - 2e22) / 6e10, rel=1e-12)


def test_draws_that_are_no_numbers_are_left_out_and_said() -> None:
    fit = cloud(draws=250, spread=0.02)
    fit.draws_BP[[3, 8]] = np.nan
    found = plan(fit, flops=GOPHER)
    assert len(found.cloud_B3) == 248
    assert any("2 draws hold no numbers" in note for note in found.caveats)


def test_data_constrained_optimum_matches_a_grid() -> None:
    law = find("data-constrained")
    fit = cloud(published_values("data-constrained"), law=law)
    found = plan(fit, flops=1e23, at={"unique_tokens": 5e10})
    grid_R = np.geomspace(1e8, 1e13, 100_001)
    inputs = {"params": grid_R, "tokens": 1e23 / (6 * grid_R), "unique_tokens": np.full(grid_R.size, 5e10)}
    assert found.loss.value <= float(fit.predict(inputs).min()) * (1 + 1e-12)


def test_a_plan_outside_the_runs_says_so_whatever_its_compute() -> None:
    inside = plan(cloud(), flops=1e21)
    assert inside.outside == ()
    assert "inside the compute of the runs" in inside.sentences()
    below = plan(cloud(), flops=1e12)
    assert set(below.outside) == {"params", "tokens", "flops"}
    assert any("less compute than any of the runs" in line for line in below.sentences())
    starved = plan(cloud(), flops=1e21, max_tokens=1e6)
    assert starved.to_json()["outside"] == ["params", "tokens"]
    assert any("but outside their params and tokens" in line for line in starved.sentences())


@pytest.mark.parametrize("asked", [{"flops": 1e-5}, {"flops": 1e22, "serve_tokens": 1e30}], ids=str)
def test_a_budget_for_less_than_a_param_is_no_plan(asked: dict[str, float]) -> None:
    with pytest.raises(InputError, match="less than one param"):
        plan(cloud(draws=50), **asked)


def test_flops_that_the_runs_count_otherwise_are_a_caveat() -> None:
    assert not any("times 6 params tokens" in line for line in plan(cloud(), flops=1e22).caveats)
    found = plan(cloud(flops_over_6nd=(0.333, 0.333)), flops=1e22)
    assert any("0.333 times 6 params tokens" in line for line in found.caveats)
