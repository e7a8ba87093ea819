import json

import numpy as np
import pytest

import kleiber
from kleiber.errors import InputError, Refusal
from kleiber.fit.backtest import backtest
from kleiber.fit.folds import automatic
from kleiber.fit.objective import Objective
from kleiber.runs import RunTable
from tests.fit.simulated import ladder


@pytest.fixture(scope="session")
def epoch(shared_data):
    path = shared_data / "epoch" / "svg_extracted_data.csv"
    return kleiber.read(path, map={"params": "Model Size", "flops": "Training FLOP"})


def test_reproduces_the_table_of_the_digitised_chinchilla_runs(epoch):
    result = backtest(epoch.where("loss < 3.44"), folds=(1e20, 3e20, 1e21, 3e21), bootstrap=50)
    assert [(fold.fit_runs, fold.test_runs) for fold in result.folds] == [(136, 104), (177, 63), (217, 23), (236, 4)]
    rmse = [fold.log_rmse.value for fold in result.folds]
    assert rmse == pytest.approx([0.0114, 0.0125, 0.0125, 0.0149], abs=5e-5)
    assert [fold.bias.value for fold in result.folds] == pytest.approx([0.0023, 0.0050, -0.0002, 0.0058], abs=6e-5)
    exponents = [fold.allocation_exponent.value for fold in result.folds if fold.allocation_exponent]
    assert exponents == pytest.approx([0.602, 0.578, 0.548, 0.513], abs=5e-4)
    assert result.drift is not None
    assert result.drift.value == pytest.approx(0.513 - 0.602, abs=1e-3)
    assert "trust the loss more than the split" in str(result)


def test_json_follows_the_contract():
    state = backtest(ladder(), bootstrap=30, starts=16).to_json()
    assert state["schema"] == "kleiber/backtest/1"
    keys = {"cut_flops", "fit_runs", "test_runs", "log_rmse", "bias", "coverage95", "allocation_exponent"}
    assert all(keys <= fold.keys() for fold in state["folds"])
    assert json.loads(json.dumps(state, allow_nan=False)) == state


def test_the_same_seed_gives_the_same_bytes():
    first, second = (json.dumps(backtest(ladder(), bootstrap=30, starts=16, seed=5).to_json()) for _ in range(2))
    assert first == second


def test_a_noise_free_law_predicts_exactly_and_does_not_drift():
    result = backtest(ladder(noise=0.0), bootstrap=0, starts=16)
    assert max(fold.log_rmse.value for fold in result.folds) < 1e-6
    exponents = [fold.allocation_exponent.value for fold in result.folds if fold.allocation_exponent]
    assert exponents == pytest.approx([0.37 / 0.72] * len(exponents), abs=1e-5)
    assert all(fold.coverage.interval is None for fold in result.folds)


def test_the_true_law_is_ranked_first_and_a_law_of_compute_alone_is_told_apart():
    result = backtest(ladder(1), ["E + A/flops**alpha", "chinchilla"], bootstrap=0, starts=16)
    assert result.best == "chinchilla"
    assert result.ranking[1].distinguishable
    assert result.ranking[0].behind.value == 0.0


def test_two_laws_that_are_the_same_cannot_be_told_apart():
    laws = ["chinchilla", "E + A*params**(-alpha) + B*tokens**(-beta)"]
    result = backtest(ladder(2), laws, bootstrap=0, starts=16)
    assert not result.ranking[1].distinguishable


def test_a_law_in_one_input_is_cut_along_it():
    examples = np.geomspace(1e3, 1e6, 30)
    runs = RunTable.of({"examples": examples, "loss": 0.5 + 30 * examples**-0.4})
    result = backtest(runs, "m2", bootstrap=0, starts=16)
    assert result.along == "examples"
    assert all(fold.to_json()["cut_flops"] is None for fold in result.folds)
    assert result.folds[-1].log_rmse.value < 1e-6


@pytest.mark.parametrize("unit", [1e-3, 1e9])
def test_units_of_params_and_tokens_change_neither_error_nor_exponent(unit):
    runs = ladder(3)
    columns = {name: runs.column(name) for name in ("params", "tokens", "flops", "loss")}
    moved = {**columns, "params": columns["params"] * unit, "flops": columns["flops"] * unit}
    one, other = (backtest(RunTable.of(each), bootstrap=0, starts=16) for each in (columns, moved))
    for first, second in zip(one.folds, other.folds, strict=True):
        assert second.log_rmse.value == pytest.approx(first.log_rmse.value, rel=1e-5)
        assert first.allocation_exponent is not None
        assert second.allocation_exponent is not None
        assert second.allocation_exponent.value == pytest.approx(first.allocation_exponent.value, rel=1e-5)


def test_cuts_lie_in_gaps_and_leave_enough_on_both_sides():
    values = np.repeat(np.geomspace(1e18, 1e21, 7), 4)
    cuts = automatic(values, fewest=8)
    for cut in cuts:
        assert not np.isclose(values, cut).any()
        assert (values <= cut).sum() >= 8
        assert (values > cut).sum() >= 3


def test_a_short_ladder_is_refused_and_an_impossible_cut_is_named():
    few = ladder(sizes=2, budgets=4)
    with pytest.raises(Refusal, match="Not enough runs to hide"):
        backtest(few)
    with pytest.raises(InputError, match="leaves 0 runs to fit"):
        backtest(ladder(), folds=(1e10,))
    with pytest.raises(InputError, match="different targets"):
        backtest(ladder(), ["chinchilla", "optimal-params"])


def test_runs_of_a_trunk_are_resampled_together():
    sizes, budgets = 8, 5
    table = ladder(3, sizes=sizes, budgets=budgets, trunk=np.repeat([f"w{size}" for size in range(sizes)], budgets))
    alone, together = (backtest(table, bootstrap=40, starts=16, cluster=column) for column in (None, "trunk"))
    assert together.to_json()["cluster"] == "trunk"
    assert [fold.bias.value for fold in together.folds] == [fold.bias.value for fold in alone.folds]
    widths = [
        [np.ptp(fold.allocation_exponent.interval) for fold in each.folds if fold.allocation_exponent]
        for each in (alone, together)
    ]
    assert widths[0] != widths[1]
    with pytest.raises(InputError, match="no column"):
        backtest(table, bootstrap=40, starts=16, cluster="branch")


def test_a_fold_of_fewer_than_three_clusters_says_nothing_of_intervals():
    table = ladder(3)
    labs = np.where(table.column("flops") <= 2e19, "first", np.where(table.column("flops") <= 1e20, "second", "third"))
    table = ladder(3, lab=np.where(np.arange(len(table)) == 0, "fourth", labs))
    result = backtest(table, folds=(2e19, 1e21), bootstrap=40, starts=16, cluster="lab")
    assert [np.isnan(fold.coverage.value) for fold in result.folds] == [True, False]
    assert result.coverage.value == result.folds[1].coverage.value
    assert "intervals hold" in str(result)


@pytest.mark.parametrize(("objective", "widest"), [("squared_log", 1.08), ("huber_log", 1.25)])
def test_a_new_run_scatters_as_the_runs_did_before_the_fit_followed_them(objective, widest):
    noise, found = 0.01, []
    for seed in range(60):
        runs = ladder(seed, noise=noise, sizes=4, budgets=3)
        fit = kleiber.fit(runs, objective=Objective(name=objective), bootstrap=0, starts=8, seed=seed)
        found.append([np.mean(fit.residuals_R**2), np.mean(fit.scatter_R**2)])
    residual, scatter = np.sqrt(np.mean(found, axis=0)) / noise
    assert 0.92 < scatter < widest  # 60 ladders of 12 - 5 degrees of freedom: 3.5 % is one standard error
    assert residual < 0.95


@pytest.mark.slow
def test_new_run_intervals_hold_what_they_state():
    inside = trials = 0
    for seed in range(200):
        result = backtest(ladder(seed, noise=0.01), folds=(3e19,), bootstrap=100, starts=8, seed=seed)
        fold = result.folds[0]
        inside += round(fold.coverage.value * fold.test_runs)
        trials += fold.test_runs
    assert 0.93 < inside / trials < 0.97
