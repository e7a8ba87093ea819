"""The next runs: closed forms, an independent estimate, exhaustive choice, invariances, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations_with_replacement, pairwise
from typing import Any

import numpy as np
import pytest

import kleiber
from kleiber.errors import InputError, Refusal
from kleiber.fit import Fit, Outcome
from kleiber.laws import Law
from kleiber.plan.boundary import boundary
from kleiber.plan.next.candidates import Candidates, grid
from kleiber.plan.next.choice import MOST_OF_A_KIND, Purse, choose
from kleiber.plan.next.knowledge import Knowledge, knowledge
from kleiber.plan.question import flops_limit
from kleiber.plan.surface import Surface
from tests.plan.clouds import cloud

TARGET, BUDGET, NOISE = 5.76e23, 2e21, 0.005


def uncertain(draws: int = 400, noise: float = NOISE, seed: int = 0, **facts: Any) -> Fit:
    """A fit as 20 runs of scatter `noise` leave it: draws from the inverse information of those runs, scales in logs."""
    fit = cloud(draws=2, seed=seed, **facts)
    params_R, ratio_R = (part.ravel() for part in np.meshgrid(np.geomspace(1e8, 3e9, 5), (5.0, 15.0, 45.0, 135.0)))
    at = {"params": params_R, "tokens": params_R * ratio_R}
    scale_P = np.array([fit.theta_P[i] if name in ("A", "B") else 1.0 for i, name in enumerate(fit.law.names)])
    slope_RP = fit.law.gradient(fit.theta_P, at) * scale_P / fit.predict(at)[:, None]
    covariance_PP = noise**2 * np.linalg.inv(slope_RP.T @ slope_RP)
    off_BP = np.random.default_rng(seed).multivariate_normal(np.zeros(5), covariance_PP, size=draws)
    draws_BP = np.where(scale_P != 1.0, fit.theta_P * np.exp(off_BP), fit.theta_P + off_BP)
    return replace(fit, draws_BP=draws_BP, residuals_R=np.full(60, NOISE))


def ask(fit: Fit | None = None, **options: Any) -> kleiber.NextRuns:
    return kleiber.next_runs(fit or uncertain(), **{"target": TARGET, "budget": BUDGET, **options})


def known_of(fit: Fit, candidates: Candidates, noise: float = NOISE, target: float = TARGET) -> Knowledge:
    limits = boundary((flops_limit(target),))
    assert limits is not None
    return knowledge(Surface(law=fit.law, theta_KP=fit.draws_BP), limits, candidates, noise=noise, on_log=True)


def runs_at(*points: tuple[float, float]) -> Candidates:
    params_C, tokens_C = np.array(points).T
    return Candidates(params_C=params_C, tokens_C=tokens_C, flops_C=6 * params_C * tokens_C)


# One unknown: A is lognormal with spread tau. Then x* = ln A + const, a run reads j = dlnL / dlnA = A N^-1/2 / L, and
# expected regret = w/2 Var(x*), w = sqrt(A B) (C/6)^(-1/4) / 2, with Var(x* | n runs) = 1 / (1 / tau^2 + n j^2 / noise^2).
ONE = Law("E + A/params**0.5 + B/tokens**0.5", name="one-unknown")
A, B, TAU = 2000.0, 9000.0, 0.02


def one_unknown(draws: int = 20_000) -> tuple[Fit, float]:
    fit = cloud({"E": 1.8, "A": A, "B": B}, law=ONE, draws=2)
    off_B = np.random.default_rng(0).normal(0, TAU, draws)
    draws_BP = np.tile(fit.theta_P, (draws, 1))
    draws_BP[:, fit.law.names.index("A")] *= np.exp(off_B)
    return replace(fit, draws_BP=draws_BP), float(off_B.std())


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_one_unknown_in_closed_form(count: int) -> None:
    fit, tau = one_unknown()
    known = known_of(fit, runs_at((1e8, 1e10)))
    loss = 1.8 + A / 1e8**0.5 + B / 1e10**0.5
    slope = A / 1e8**0.5 / loss
    bend = 0.5 * np.sqrt(A * B) * (TARGET / 6) ** -0.25
    left = 1 / (1 / tau**2 + count * slope**2 / NOISE**2)
    assert known.after([0] * count) == pytest.approx(bend / 2 * left, rel=0.005)


def test_a_run_that_cannot_teach_the_decision_is_worth_nothing() -> None:
    """The floor E is unknown and nothing else: every run reads it, and the decision does not depend on it."""
    fit, _ = one_unknown(200)
    draws_BP = np.tile(fit.theta_P, (200, 1))
    draws_BP[:, fit.law.names.index("E")] += np.random.default_rng(0).normal(0, 0.1, 200)
    found = ask(replace(fit, draws_BP=draws_BP), noise=0.001)
    assert found.runs == ()
    assert found.stop == "supported"
    assert found.before == pytest.approx(0.0, abs=1e-12)


def by_importance(known: Knowledge, index: int, rng: np.random.Generator, readings: int = 400) -> float:
    """Expected regret after one run by reweighting the draws, nested Monte Carlo; every decision is searched."""
    noise, reading_B = known.moments.noise, known.reading_BC[:, index]
    x_G = np.linspace(known.optimum_B.min(), known.optimum_B.max(), 200)
    regret_BG = known.surface.along(x_G, known.limits) - known.least_B[:, None]
    truth_R = rng.integers(0, reading_B.size, readings)
    total = 0.0
    for y in reading_B[truth_R] + rng.normal(0, noise, readings):
        weight_B = np.exp(-0.5 * ((y - reading_B) / noise) ** 2)
        total += float((weight_B @ regret_BG / weight_B.sum()).min())
    return total / readings


@pytest.mark.parametrize("point", [(5e8, 5e8), (6e7, 6e9), (3e9, 1e10)])
def test_reweighting_the_draws_says_the_same_of_one_run(point: tuple[float, float]) -> None:
    """Two estimates that share only the draws; the tolerance is the Monte Carlo error of 400 readings (about 4 %)."""
    known = known_of(uncertain(4000), runs_at(point))
    nested = by_importance(known, 0, np.random.default_rng(1))
    assert known.after([0]) == pytest.approx(nested, rel=0.12)


def by_refits(fit: Fit, runs: Candidates, count: int) -> tuple[float, float]:
    """Mean regret, and its error, of the decisions of `count` refits: truths drawn from the cloud, readings simulated on
    each, the most likely parameters found by Gauss-Newton with the cloud as a Gaussian prior, their optimum charged."""
    names = fit.law.names
    logged_P = np.array([name in ("A", "B") for name in names])
    draws_BP = np.where(logged_P, np.log(np.where(logged_P, fit.draws_BP, 1.0)), fit.draws_BP)
    mean_P, prior_PP = draws_BP.mean(axis=0), np.linalg.inv(np.cov(draws_BP, rowvar=False))
    at = {"params": runs.params_C, "tokens": runs.tokens_C}
    rng = np.random.default_rng(2)

    def natural(u_P: np.ndarray) -> np.ndarray:
        return np.where(logged_P, np.exp(np.where(logged_P, u_P, 0.0)), u_P)

    def refit(y_C: np.ndarray) -> np.ndarray:
        u_P = mean_P
        for _ in range(6):
            theta_P = natural(u_P)
            loss_C = fit.law.evaluate(theta_P, at)
            slope_CP = fit.law.gradient(theta_P, at) * np.where(logged_P, theta_P, 1.0) / loss_C[:, None]
            right_P = slope_CP.T @ (y_C - np.log(loss_C)) / NOISE**2 - prior_PP @ (u_P - mean_P)
            u_P = u_P + np.linalg.solve(slope_CP.T @ slope_CP / NOISE**2 + prior_PP, right_P)
        return natural(u_P)

    limits = boundary((flops_limit(TARGET),))
    assert limits is not None
    regret = []
    for truth_P in draws_BP[:count]:
        real = Surface(law=fit.law, theta_KP=natural(truth_P)[None])
        y_C = np.log(real.loss(runs.params_C, runs.tokens_C)[0]) + rng.normal(0, NOISE, len(runs))
        chosen = Surface(law=fit.law, theta_KP=refit(y_C)[None]).best(limits)
        regret.append(float(real.along(chosen, limits)[0, 0] - real.along(real.best(limits), limits)[0, 0]))
    return float(np.mean(regret)), float(np.std(regret) / count**0.5)


@pytest.mark.parametrize("runs", [2, 8])
def test_refitting_after_the_runs_leaves_the_regret_that_was_foreseen(runs: int) -> None:
    """What is foreseen without a refit against 200 refits, within three of their standard errors and 10 %."""
    fit = uncertain(4000, noise=0.004)
    found = ask(fit, runs=runs)
    assert len(found.runs) == runs
    left, error = by_refits(fit, runs_at(*((run.params, run.tokens) for run in found.runs)), 200)
    assert abs(found.after - left) < 3 * error + 0.1 * left


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_choice_is_as_good_as_trying_every_set(seed: int, most: int) -> None:
    every = grid(flops=(1e19, BUDGET), params=(1e8, 1e10), ratios=(1, 300))
    rows = np.random.default_rng(seed).choice(len(every), 16, replace=False)
    few = Candidates(params_C=every.params_C[rows], tokens_C=every.tokens_C[rows], flops_C=every.flops_C[rows])
    known = known_of(uncertain(seed=seed), few)
    purse = Purse(knowledge=known, flops_C=few.flops_C, budget=BUDGET, most=most, price=5e-26)
    sets = [
        list(chosen)
        for count in range(most + 1)
        for chosen in combinations_with_replacement(range(16), count)
        if purse.spent(list(chosen)) <= BUDGET and max(map(chosen.count, chosen), default=0) <= MOST_OF_A_KIND
    ]
    best = min(purse.total(chosen) for chosen in sets)
    assert purse.total(list(choose(purse).order)) <= 1.05 * best  # runs that take off less than 5 % are left out


def test_limits_are_kept() -> None:
    found = ask(runs=5, max_run="3e20", max_params="2B", tokens_per_param=(5, 80))
    assert 1 <= len(found.runs) <= 5
    assert found.flops <= BUDGET
    for run in found.runs:
        assert run.flops == pytest.approx(6 * run.params * run.tokens)
        assert run.flops <= 3e20 * (1 + 1e-9)
        assert run.params <= 2e9
        assert 4.5 < run.tokens_per_param < 88  # two digits of params and tokens


def test_the_list_can_be_cut_anywhere() -> None:
    found = ask()
    assert found.before == found.runs[0].before
    assert found.after == found.runs[-1].after < found.before
    for first, second in pairwise(found.runs):
        assert first.after == second.before
        assert second.so_far == pytest.approx(first.so_far + second.flops)
    assert all(run.after <= run.before for run in found.runs)
    assert found.runs[-1].so_far == pytest.approx(found.flops)
    assert found.worth == pytest.approx(sum(run.worth for run in found.runs))


def test_more_budget_never_leaves_more_regret_plus_cost() -> None:
    totals = [found.after + found.price * found.flops for found in (ask(budget=b) for b in (1e19, 1e20, 1e21, 1e22))]
    assert all(later <= earlier * 1.05 for earlier, later in pairwise(totals))


def test_the_unit_of_loss_changes_nothing() -> None:
    fit = uncertain()
    scale_P = np.where([name in "EAB" for name in fit.law.names], 1 / np.log(2), 1.0)
    in_bits = replace(fit, theta_P=fit.theta_P * scale_P, draws_BP=fit.draws_BP * scale_P)
    nats, bits = ask(fit), ask(in_bits)
    assert [(run.params, run.tokens) for run in bits.runs] == [(run.params, run.tokens) for run in nats.runs]
    assert bits.after == pytest.approx(nats.after / np.log(2), rel=1e-9)
    assert bits.worth == pytest.approx(nats.worth, rel=1e-9)


def test_the_order_of_the_draws_changes_nothing() -> None:
    fit = uncertain()
    shuffled = replace(fit, draws_BP=fit.draws_BP[np.random.default_rng(5).permutation(400)])
    assert [run.params for run in ask(shuffled).runs] == [run.params for run in ask(fit).runs]
    assert ask(shuffled).after == pytest.approx(ask(fit).after, rel=1e-9)


def test_a_fit_of_losses_themselves_reads_losses() -> None:
    fit = uncertain()
    plain = replace(fit, objective=kleiber.Objective(name="squared"), residuals_R=np.full(60, NOISE * 2.5))
    found = ask(plain)
    assert found.runs
    assert found.to_json()["noise"]["of"] == "loss"


def test_it_stops_where_runs_cost_more_than_they_buy() -> None:
    sure = ask(uncertain(noise=1e-5), target=1e22)
    assert sure.runs == ()
    assert sure.stop == "supported"
    assert "already support the decision" in sure.sentences()[0]
    rich = ask(uncertain(noise=0.003), budget=1e23, runs=50)
    assert rich.stop in ("cost", "little")
    assert rich.flops < 1e23
    assert rich.worth > rich.flops


def test_noise_makes_runs_worth_less() -> None:
    left = [ask(noise=noise, runs=3).after for noise in (0.001, 0.005, 0.025)]
    assert left[0] < left[1] < left[2]


def test_it_says_when_the_count_is_what_stops() -> None:
    found = ask(runs=1)
    assert len(found.runs) == 1
    assert found.stop == "count"
    assert found.sentences()[0].startswith("One more run cuts")


@pytest.mark.parametrize("outcome", [Outcome.TRANSIENT, Outcome.TOO_FEW_RUNS, Outcome.NOT_CONVERGED])
def test_a_fit_that_other_runs_would_not_cure_is_refused(outcome: Outcome) -> None:
    with pytest.raises(Refusal):
        ask(uncertain(outcome=outcome))


@pytest.mark.parametrize("outcome", [Outcome.UNIDENTIFIED, Outcome.AT_BOUND])
def test_a_fit_that_wants_other_runs_gets_them(outcome: Outcome) -> None:
    found = ask(uncertain(outcome=outcome))
    assert found.runs
    assert "The fit is refused as it stands" in found.caveats[0]


def test_refusals() -> None:
    with pytest.raises(Refusal, match="too few"):
        ask(cloud())
    with pytest.raises(Refusal, match="cannot tell the noise"):
        ask(replace(uncertain(), residuals_R=np.zeros(4)))
    with pytest.raises(Refusal, match="smallest run"):
        ask(budget=1e15)


@pytest.mark.parametrize(
    "options",
    [{"target": "0"}, {"budget": "-1"}, {"runs": 0}, {"noise": 0.0}, {"tokens_per_param": (80, 5)}, {"max_run": "x"}],
)
def test_bad_input(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ask(**options)


def test_json_is_json_and_the_same_twice() -> None:
    first, second = (json.dumps(ask().to_json(), allow_nan=False) for _ in range(2))
    assert first == second
    assert json.loads(first)["schema"] == "kleiber/next/1"


def test_a_saved_fit_gives_the_same_answer(tmp_path) -> None:
    fit = uncertain()
    path = fit.save(tmp_path / "fit.json")
    assert json.dumps(ask(kleiber.load(path)).to_json()) == json.dumps(ask(fit).to_json())


def test_in_a_notebook_and_a_terminal() -> None:
    found = ask()
    assert "<ul>" in found._repr_html_()
    assert str(found).splitlines()[0] == found.sentences()[0]
    assert found.__rich__() is not None
