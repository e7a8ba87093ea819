"""A fit against published figures, its search against other seeds, its draws, its refusals."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest

import kleiber
from kleiber.errors import InputError, Refusal
from kleiber.fit import Objective, Outcome, fit, load, save
from kleiber.fit.engine import minimise
from kleiber.fit.problem import build
from kleiber.fit.resample import weights
from kleiber.fit.search import search
from kleiber.laws import find
from kleiber.laws.evaluate import to_search
from kleiber.runs import RunTable, read
from tests.fit.simulated import ladder

CHINCHILLA = find("chinchilla")


@pytest.fixture(scope="module")
def epoch(shared_data: Path) -> RunTable:
    return read(shared_data / "epoch/svg_extracted_data.csv", map={"params": "Model Size", "flops": "Training FLOP"})


def test_the_optimum_on_the_digitised_chinchilla_table(epoch: RunTable) -> None:
    # Besiroglu et al. (2024), 240 rows, Huber 1e-3; the 5-parameter optimum; the printed A and B are of another.
    found = fit(epoch.where("loss < 3.44"), bootstrap=0)
    assert found.runs.count == 240
    assert found.objective_value == pytest.approx(0.00101827402, abs=1e-9)
    assert found.parameters == pytest.approx(
        {"E": 1.817218, "A": 477.825, "B": 2143.417, "alpha": 0.347310, "beta": 0.367172}, rel=3e-6
    )


def test_standard_errors_and_intervals_on_the_same_table(epoch: RunTable) -> None:
    found = fit(epoch.where("loss < 3.44"), bootstrap=4000)
    assert found.se is not None
    published = {"alpha": 0.01540, "beta": 0.02060, "E": 0.02566}
    for name, se in published.items():
        assert found.se[name] == pytest.approx(se, rel=0.05), name
    assert found.interval("alpha") == pytest.approx((0.317, 0.373), abs=0.004)
    assert found.interval("beta") == pytest.approx((0.331, 0.415), abs=0.006)


def test_five_rows_move_beta(epoch: RunTable) -> None:
    assert fit(epoch, bootstrap=0).parameters["beta"] == pytest.approx(0.453, abs=0.0005)


def test_the_mean_or_another_start_changes_nothing(epoch: RunTable) -> None:
    problem = build(CHINCHILLA, epoch.where("loss < 3.44"), Objective(), {})
    hoffmann = to_search(
        CHINCHILLA.theta({"E": 1.69337, "A": 406.401, "B": 410.723, "alpha": 0.33917, "beta": 0.28491}),
        CHINCHILLA.form.logged,
    )
    mean = np.full((1, 240), 1 / 240)
    found = minimise(problem, hoffmann[None], mean)
    assert found.value_B[0] * 240 == pytest.approx(0.00101827402, abs=1e-9)


def tables(shared_data: Path) -> dict[str, tuple[RunTable, str]]:
    """Every public table of runs with the law that suits it."""
    folder = shared_data
    losses = "loss:eval_data/c4_val/shard-{0000000..0000010}.tar"
    gadre = read(folder / "gadre/models_losses.csv", map={"loss": losses, "params": "params_no_embed"})
    return {
        "epoch": (
            read(folder / "epoch/svg_extracted_data.csv", map={"params": "Model Size", "flops": "Training FLOP"}),
            "chinchilla",
        ),
        "kyo": (read(folder / "kyo/df.csv"), "chinchilla"),
        "gadre c4": (gadre.where('dataset == "c4_original"'), "gadre"),
        "gadre redpajama": (gadre.where('dataset == "rpj"'), "gadre"),
        "gadre refinedweb": (gadre.where('dataset == "rw_original"'), "chinchilla"),
        "datablations": (read(folder / "datablations/runs.csv"), "chinchilla"),
        "steplaw": (read(folder / "steplaw/dense_lr_bs_loss.csv", map={"params": "N", "tokens": "D"}), "chinchilla"),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["epoch", "kyo", "gadre c4", "gadre redpajama", "gadre refinedweb", "datablations"])
def test_ten_seeds_of_the_search_agree(shared_data: Path, name: str) -> None:
    _seeds_agree(*tables(shared_data)[name], seeds=10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["epoch", "kyo", "gadre c4", "gadre redpajama", "gadre refinedweb", "datablations", "steplaw"]
)
def test_a_hundred_seeds_of_the_search_agree(shared_data: Path, name: str) -> None:
    _seeds_agree(*tables(shared_data)[name], seeds=100)


@pytest.mark.slow
def test_a_hundred_seeds_agree_on_the_last_step_of_every_routed_run(shared_data: Path) -> None:
    rows: dict[str, dict[str, str]] = {}
    with gzip.open(shared_data / "routing/curves.csv.gz", "rt") as stream:
        for row in csv.DictReader(stream):  # steps rise within a run, so the last row of each stays
            rows[row["hyper_id"]] = row
    columns = {"params": "dense_parameter_count", "experts": "num_experts", "loss": "loss_validation"}
    runs = RunTable.of({name: [float(row[column]) for row in rows.values()] for name, column in columns.items()})
    _seeds_agree(runs, "E + A/(params**alpha*experts**gamma)", seeds=100)


@pytest.mark.slow
def test_a_hundred_seeds_agree_on_benchmark_errors_against_compute(shared_data: Path) -> None:
    with (shared_data / "obsscaling/base_llm_benchmark_eval.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["FLOPs (1E21)"] and row["MMLU"]]
    flops = [1e21 * float(row["FLOPs (1E21)"]) for row in rows]
    runs = RunTable.of({"flops": flops, "loss": [1 - float(row["MMLU"]) for row in rows]})
    _seeds_agree(runs, "E + A/flops**alpha", seeds=100)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["m2", "m3"])
def test_a_hundred_seeds_agree_on_learning_curves(shared_data: Path, law: str) -> None:
    curves: dict[tuple[str, str], dict[tuple[float, float], None]] = {}
    with (shared_data / "revisiting_nsl/benchmark.lang.csv").open() as stream:
        for row in csv.DictReader(stream):
            point = float(row["Seen Examples"]), float(row["Loss"])
            curves.setdefault((row["Task"], row["Model"]), {})[point] = None
    for points in curves.values():
        examples, losses = zip(*points, strict=True)
        _seeds_agree(RunTable.of({"examples": examples, "loss": losses}), law, seeds=100)


def _seeds_agree(runs: RunTable, law: str, seeds: int) -> None:
    chosen = find(law)
    problem = build(chosen, runs, Objective(), {})
    values = np.array([search(chosen, problem, seed=seed).value for seed in range(seeds)])
    assert values.max() <= values.min() * (1 + 1e-9)


def test_a_cluster_bootstrap_draws_whole_clusters() -> None:
    clusters = np.repeat(np.arange(8), 5)
    table = weights(40, 300, np.random.default_rng(0), clusters)
    assert (table.reshape(300, 8, 5) == table.reshape(300, 8, 5)[:, :, :1]).all()
    assert (table.sum(axis=1) == 40).all()


def test_clusters_that_share_their_noise_widen_the_interval() -> None:
    shared = np.repeat(np.random.default_rng(3).normal(scale=0.02, size=8), 5)
    clean = ladder(noise=0.002)
    columns = {name: clean.column(name) for name in ("params", "tokens")}
    runs = RunTable.of({**columns, "loss": clean.column("loss") * np.exp(shared), "size": np.repeat(np.arange(8), 5)})
    pairs, clustered = fit(runs, bootstrap=300), fit(runs, bootstrap=300, cluster="size")
    assert pairs.se is not None
    assert clustered.se is not None
    assert clustered.resampling == "cluster:size"
    assert clustered.se["alpha"] > 1.2 * pairs.se["alpha"]


def test_the_same_seed_gives_the_same_draws_and_another_seed_others() -> None:
    runs = ladder()
    one, two, other = fit(runs, bootstrap=50, seed=1), fit(runs, bootstrap=50, seed=1), fit(runs, bootstrap=50, seed=2)
    assert (one.draws_BP == two.draws_BP).all()
    assert not (one.draws_BP == other.draws_BP).all()
    assert other.theta_P == pytest.approx(one.theta_P, rel=1e-6)


def test_a_fit_survives_its_file(tmp_path: Path) -> None:
    law = kleiber.Law("floor + A/params**alpha + B/tokens**beta")
    found = fit(ladder(), law, bootstrap=60, fixed={"alpha": 0.35})
    again = load(save(found, tmp_path / "fit.json"))
    assert (again.draws_BP == found.draws_BP).all()
    assert again.parameters == found.parameters
    assert again.law.parameters == found.law.parameters
    point = {"params": 1e11, "tokens": 1e12}
    assert again.forecast(**point) == found.forecast(**point)


@pytest.mark.parametrize("text", ["", "{", '{"schema":"kleiber/fit/1"}', '{"schema":"other/1"}', "[1,2]", "\x00\x01"])
def test_a_damaged_fit_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.json"):
        load(path)


def test_the_forecast_interval_holds_the_truth_and_names_the_extrapolation() -> None:
    forecast = fit(ladder(), bootstrap=400).forecast(params=3e10, tokens=6e12)
    assert forecast.interval is not None
    assert forecast.new_run_interval is not None
    truth = 1.8 + 480.0 / 3e10**0.35 + 2000.0 / 6e12**0.37
    assert forecast.interval[0] <= truth <= forecast.interval[1]
    assert forecast.new_run_interval[0] < forecast.interval[0] < forecast.interval[1] < forecast.new_run_interval[1]
    assert forecast.extrapolation_decades == pytest.approx(np.log10(3e10 * 6e12 / (3e9 * 3e9 * 200)))
    assert set(forecast.outside) == {"params", "tokens", "flops"}


# The ladder of 262k to 2.1M tokens that fooled three optimisers: 12k, 55k and 147k params, losses still steepening.
FIRST_LADDER = {
    "params": [12e3] * 4 + [55e3] * 4 + [147e3] * 2,
    "tokens": [262e3, 524e3, 1.05e6, 2.1e6, 262e3, 524e3, 1.05e6, 2.1e6, 262e3, 524e3],
    "loss": [2.589, 2.391, 2.149, 1.899, 2.599, 2.365, 2.131, 1.796, 2.670, 2.395],
}


def test_a_transient_is_refused() -> None:
    found = fit(RunTable.of(FIRST_LADDER), bootstrap=200)
    assert found.outcome is Outcome.TRANSIENT
    with pytest.raises(Refusal, match="ever faster"):
        found.forecast(params=1e6, tokens=1e8)


def test_an_exponent_on_its_bound_is_refused() -> None:
    runs = ladder(truth={"A": 1e-6, "alpha": 0.01}, noise=0.01, sizes=3, budgets=6)
    found = fit(runs, bootstrap=200)
    assert found.outcome in (Outcome.AT_BOUND, Outcome.UNIDENTIFIED)
    assert "alpha" in found.outcome_detail


def test_one_size_or_a_handful_of_runs_is_refused_before_it_is_tried() -> None:
    one_size = {"params": [1e8] * 9, "tokens": np.geomspace(1e9, 1e11, 9), "loss": np.linspace(4, 3, 9)}
    found = fit(RunTable.of(one_size))
    assert (found.outcome, found.starts) == (Outcome.TOO_FEW_RUNS, 0)
    assert "same params" in found.outcome_detail
    assert fit(ladder(sizes=2, budgets=3)).outcome is Outcome.TOO_FEW_RUNS


def test_clean_ladders_are_not_refused() -> None:
    outcomes = [fit(ladder(seed), bootstrap=100, seed=seed).outcome for seed in range(20)]
    assert outcomes.count(Outcome.SOLVED) == 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": {"name": "hubber_log"}}, "did you mean 'huber_log'"),
        ({"objective": {"delta": -1.0}}, "delta"),
        ({"fixed": {"gamma": 1.0}}, "no parameter 'gamma'"),
        ({"fixed": {"alpha": 9.0}}, "cannot be fixed"),
        ({"bootstrap": -1}, "bootstrap"),
        ({"cluster": "nowhere"}, "nowhere"),
    ],
)
def test_bad_settings_are_named(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit(ladder(), **{**options, "objective": Objective(**options.get("objective", {}))})


def test_memory_of_the_weights_stays_small() -> None:
    table = weights(10_000, 400, np.random.default_rng(0))
    assert table.nbytes == 400 * 10_000 * 2
    assert (table.sum(axis=1) == 10_000).all()


def test_a_fit_and_a_forecast_print_well() -> None:
    from rich.console import Console

    found = fit(ladder(), kleiber.Law("E + A/params**alpha + B/tokens**beta"), bootstrap=50)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(found)
    text = console.export_text()
    assert "E + A/params^alpha" in text
    assert "alpha" in text
    assert "<table>" in found._repr_html_()
    assert repr(found).startswith("Fit(loss = E")
    assert "decades beyond the largest run" in found.forecast(params=1e11, tokens=1e13).sentence()


def test_draws_under_absolute_deviations_do_not_stick_to_the_optimum() -> None:
    runs = ladder(noise=0.01)
    huber, absolute = (
        fit(runs, bootstrap=100, objective=Objective(name=name)).se for name in ("huber_log", "absolute")
    )
    assert huber is not None
    assert absolute is not None
    assert absolute["alpha"] == pytest.approx(huber["alpha"], rel=0.4)


def test_a_loss_that_rises_is_refused_for_rising() -> None:
    runs = ladder(noise=0.003)
    upside_down = RunTable.of(
        {name: runs.column(name) for name in ("params", "tokens", "flops")} | {"loss": 1 / runs.column("loss")}
    )
    found = fit(upside_down, bootstrap=50)
    assert found.outcome is Outcome.RISING
    assert found.outcome_detail == "the loss rises with params and with tokens"
    assert fit(upside_down, law="kaplan-compute", bootstrap=50).outcome is Outcome.RISING


def test_a_forecast_at_a_place_that_contradicts_itself_is_bad_input() -> None:
    found = fit(ladder(), bootstrap=50)
    with pytest.raises(InputError, match="contradict each other"):
        found.forecast(params=1e9, tokens=2e10, flops=1e30)
    assert found.forecast(params=1e9, tokens=2e10, flops=1.2e20).loss == found.forecast(params=1e9, tokens=2e10).loss
    with pytest.raises(InputError, match="no input 'epochs'"):
        found.forecast(params=1e9, tokens=2e10, epochs=3)
