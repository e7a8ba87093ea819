"""The JSON that other programs rely on: keys, provenance, and nothing else on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kleiber
from tests.cli.conftest import TRUTH


def test_fit(as_json, ladder: Path) -> None:
    found = as_json("fit", ladder, "--bootstrap", 60, "--seed", 3)
    assert found["schema"] == "kleiber/fit/1"
    assert found["law"] == "chinchilla"
    assert found["formula"] == "E + A/params**alpha + B/tokens**beta"
    assert set(found["parameters"]) == {"E", "A", "B", "alpha", "beta"}
    for name, parameter in found["parameters"].items():
        low, high = parameter["ci95"]
        assert low < parameter["value"] < high, name
        assert parameter["se"] > 0
    assert found["parameters"]["alpha"]["value"] == pytest.approx(TRUTH["alpha"], abs=0.05)
    assert found["objective"].keys() >= {"name", "delta", "value"}
    assert found["objective"]["delta"] == 1e-3
    assert found["search"].keys() >= {"starts", "agreeing"}
    assert found["runs"]["count"] == 40
    assert found["runs"]["hash"].startswith("sha256:")
    assert found["outcome"] == "solved"
    assert {finding["name"] for finding in found["findings"]} >= {"search_agreement"}
    assert found["seed"] == 3
    assert found["versions"].keys() == {"kleiber", "numpy", "scipy"}
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["kleiber"] == kleiber.__version__
    assert found["allocation"]["power"]["ci95"][0] < found["allocation"]["power"]["value"]
    assert found["backtest"]["folds"][0]["fit_runs"] + found["backtest"]["folds"][0]["test_runs"] == 40


def test_fit_without_draws_asks_for_nothing_more(as_json, ladder: Path) -> None:
    found = as_json("fit", ladder, "--bootstrap", 0)
    assert found["parameters"]["alpha"]["ci95"] is None
    assert "backtest" not in found
    assert "allocation" not in found


def test_fit_options_reach_the_fit(as_json, ladder: Path) -> None:
    options = ("--delta", 1e-2, "--fix", "alpha=0.34", "--cluster", "params", "--starts", 16, "--no-backtest")
    found = as_json("fit", ladder, "--bootstrap", 20, "--law", "E + A/params**alpha + B/tokens**beta", *options)
    assert found["law"] == "custom"
    assert found["fixed"] == {"alpha": 0.34}
    assert found["parameters"]["alpha"]["value"] == 0.34
    assert found["objective"]["delta"] == 1e-2
    assert found["bootstrap"] == {"draws": 20, "resampling": "cluster:params"}
    assert found["search"]["starts"] == 16


def test_where_and_map_are_recorded(as_json, tmp_path: Path, ladder: Path) -> None:
    renamed = tmp_path / "renamed.csv"
    renamed.write_text(ladder.read_text().replace("params,tokens,loss", "Model Size,seen by it,val", 1))
    naming = ("--map", 'params="Model Size",tokens="seen by it"', "--map", "loss=val")
    found = as_json("fit", renamed, *naming, "--where", "params < 5B", "--where", "tokens > 1e8", "--bootstrap", 0)
    assert found["runs"]["filters"] == ["where (params < 5B) and (tokens > 1e8)"]
    assert found["runs"]["count"] < 40
    untouched = as_json("fit", ladder, "--bootstrap", 0)
    assert found["runs"]["hash"] != untouched["runs"]["hash"]


def test_carry(as_json, ladder: Path, fit_file: Path) -> None:
    found = as_json("carry", fit_file, ladder, "--where", "params < 2B")
    assert found["schema"] == "kleiber/carry/1"
    assert found["verdict"] == "holds"
    low, high = found["shift"]["ci95"]
    assert low < 0 < high
    assert found["params_factor"]["ci95"][0] < 1 < found["params_factor"]["ci95"][1]
    assert found["visible_shift"] > found["shift"]["ci95"][1]
    assert found["runs"]["count"] == 40
    assert found["tweaked"]["count"] == found["count"] < 40


@pytest.mark.parametrize("source", ["fit", "runs"])
def test_forecast(as_json, ladder: Path, fit_file: Path, source: str) -> None:
    at = fit_file if source == "fit" else ladder
    options = () if source == "fit" else ("--bootstrap", 40)
    found = as_json("forecast", at, "--params", "70B", "--tokens", "1.4T", *options)
    assert found["schema"] == "kleiber/forecast/1"
    assert found["at"] == {"params": 70e9, "tokens": 1.4e12, "flops": 5.88e23}
    truth = TRUTH["E"] + TRUTH["A"] / 70e9 ** TRUTH["alpha"] + TRUTH["B"] / 1.4e12 ** TRUTH["beta"]
    assert found["loss"]["value"] == pytest.approx(truth, rel=0.02)
    low, high = found["loss"]["ci95"]
    assert low < found["loss"]["value"] < high
    largest = 6 * 6e9 * 150 * 6e9
    assert found["extrapolation_decades"] == pytest.approx(np.log10(5.88e23 / largest), abs=1e-3)
    assert found["runs"]["hash"].startswith("sha256:")
    assert found.keys() >= {"versions", "objective", "seed", "law", "formula"}


def test_forecast_from_flops(as_json, fit_file: Path) -> None:
    found = as_json("forecast", fit_file, "--params", "1B", "--flops", "6e20")
    assert found["at"]["tokens"] == pytest.approx(1e11)


def test_plan(as_json, fit_file: Path) -> None:
    found = as_json("plan", fit_file, "--flops", "5.76e23")
    assert found["schema"] == "kleiber/plan/1"
    for name in ("params", "tokens", "loss", "tokens_per_param"):
        low, high = found[name]["ci95"]
        assert low < found[name]["value"] < high
    assert 6 * found["params"]["value"] * found["tokens"]["value"] == pytest.approx(5.76e23, rel=1e-9)
    low, high = found["near_optimal"]["params"]
    assert low < found["params"]["value"] < high
    (budget,) = found["constraints"]
    assert budget["name"] == "flops"
    assert budget["binding"] is True
    assert budget["shadow_price"] < 0
    assert found["seed"] == 0
    assert found["runs"]["count"] == 40


def test_plan_by_multiples_of_the_largest_run(as_json, fit_file: Path) -> None:
    found = as_json("plan", fit_file, "--flops", "1000x")
    assert 6 * found["params"]["value"] * found["tokens"]["value"] == pytest.approx(1000 * 6 * 6e9 * 9e11, rel=1e-9)


def test_plan_under_limits(as_json, fit_file: Path) -> None:
    free = as_json("plan", fit_file, "--flops", "1e23")
    held = as_json("plan", fit_file, "--flops", "1e23", "--max-params", "7B", "--serve-tokens", "1T")
    assert held["params"]["value"] == pytest.approx(7e9)
    assert held["loss"]["value"] > free["loss"]["value"]
    prices = {constraint["name"]: constraint for constraint in held["constraints"]}
    assert prices["max_params"]["binding"] is True


def test_compare(as_json, shell, ladder: Path, better: Path) -> None:
    found = as_json("compare", ladder, better, "--bootstrap", 100)
    assert found["schema"] == "kleiber/compare/1"
    assert found["better"] == "B"
    low, high = found["multipliers"][-1]["ci95"]
    assert low < 2.0 < high
    assert low > 1.5
    assert found["floor"]["mode"] == "shared"
    assert found["recipes"]["a"]["hash"] != found["recipes"]["b"]["hash"]
    assert found.keys() >= {"crossing", "versions", "seed", "law", "outcome"}
    pinned = as_json("compare", better, ladder, "--floor", TRUTH["E"], "--bootstrap", 40, "--flops", "1e21")
    assert pinned["floor"] == {"mode": "pinned", "value": [TRUTH["E"]]}
    assert pinned["better"] == "A"
    screen = shell("compare", ladder, better, "--bootstrap", 40).stdout
    assert "x (" in screen.splitlines()[0]
    assert "with one floor for both" in screen
    assert "budget          multiplier" in screen


def test_backtest(as_json, ladder: Path) -> None:
    found = as_json("backtest", ladder, "--law", "chinchilla", "--law", "kaplan", "--bootstrap", 40, "--folds", 2)
    assert found["schema"] == "kleiber/backtest/1"
    assert {fold["law"] for fold in found["folds"]} == {"chinchilla", "kaplan"}
    for fold in found["folds"]:
        assert fold.keys() >= {
            "cut_flops", "fit_runs", "test_runs", "log_rmse", "bias", "coverage95", "allocation_exponent",
        }  # fmt: skip
        assert fold["fit_runs"] + fold["test_runs"] == 40
    assert found["ranking"][0]["law"] == "chinchilla"
    assert found["runs"]["count"] == 40
    assert found["versions"]["scipy"]


def test_backtest_of_all_laws_takes_those_that_suit(as_json, ladder: Path) -> None:
    found = as_json("backtest", ladder, "--law", "all", "--bootstrap", 0, "--folds", 1, "--starts", 8)
    judged = {score["law"] for score in found["ranking"]}
    assert judged >= {"chinchilla", "kaplan", "gadre"}
    assert "downstream-error" not in judged


def test_check(as_json, tmp_path: Path, ladder: Path) -> None:
    doubled = tmp_path / "doubled.csv"
    lines = ladder.read_text().splitlines()
    doubled.write_text("\n".join([*lines, lines[1]]) + "\n")
    found = as_json("check", doubled)
    assert found["schema"] == "kleiber/check/1"
    for finding in found["findings"]:
        assert finding.keys() >= {"name", "verdict", "rows", "remedy"}
        assert finding["verdict"] in ("ok", "warning", "problem", "cannot tell")
    (twice,) = [finding for finding in found["findings"] if finding["name"] == "exact duplicates"]
    assert twice["verdict"] != "ok"
    assert 41 in twice["rows"]
    assert found["runs"]["derived"]["flops"]


def test_laws(as_json) -> None:
    from kleiber.laws import LAWS

    assert [law["name"] for law in as_json("laws")["laws"]] == [law.name for law in LAWS]
    (own,) = as_json("laws", "E + A/params**alpha")["laws"]
    assert own["inputs"] == ["params"]
    assert own["latex"].startswith("\\mathrm{loss}")


def test_published(as_json) -> None:
    found = as_json("published")
    models = {model["name"]: model for model in found["models"]}
    assert len(models) >= 30
    assert found["coefficients"] == "besiroglu-2024"
    assert models["GPT-3"]["verdict"]["tokens_factor"]["value"] < 0.5
    assert models["Chinchilla"]["verdict"]["words"] == "near optimal"
    assert models["GPT-3"]["extrapolated"]["params"] == pytest.approx(174.6 / 16.2, rel=0.01)
    assert models["Mistral 7B"]["verdict"] is None


def test_published_by_a_fit(as_json, fit_file: Path) -> None:
    found = as_json("published", "gpt-3", "--fit", fit_file)
    (model,) = found["models"]
    low, high = model["verdict"]["optimal_params"]["ci95"]
    assert low < model["verdict"]["optimal_params"]["value"] < high
    assert found["runs"]["count"] == 40


def test_chart(as_json, ladder: Path, tmp_path: Path) -> None:
    target = tmp_path / "chart.json"
    found = as_json("chart", ladder, "compute", "--bootstrap", 40, "-o", target)
    assert found["schema"] == "kleiber/chart/1"
    assert found["file"] == str(target)
    assert "vega-lite" in json.loads(target.read_text())["$schema"]


def test_report(as_json, ladder: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    found = as_json("report", ladder, "--bootstrap", 40, "-o", target, "--flops", "100x")
    assert found["schema"] == "kleiber/report/1"
    assert found["outcome"] == "solved"
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_lab_table(as_json, tmp_path: Path) -> None:
    result = as_json("lab", "table", _finished_runs(tmp_path), "-o", tmp_path / "runs.parquet")
    assert result["schema"] == "kleiber/lab-table/1"
    assert result["runs"]["count"] == 2
    assert as_json("check", tmp_path / "runs.parquet")["runs"]["conventions"]["loss"] == "nats_per_byte"


def _finished_runs(folder: Path) -> Path:
    from kleiber.lab.table import COLUMNS

    words = {"string": "x", "int64": 8, "double": 1.5}
    (folder / "runs").mkdir()
    for seed in (0, 1):
        row = {name: words[kind] for name, kind in COLUMNS.items()} | {"seed": seed, "corpus_sha256": "c"}
        (folder / "runs" / f"{seed}.json").write_text(json.dumps(row))
    return folder


def test_a_fit_file_says_what_the_shell_said(as_json, ladder: Path, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    printed = as_json("fit", ladder, "--bootstrap", 30, "--no-backtest", "-o", path)
    kept = json.loads(path.read_text())
    for name in ("parameters", "objective", "search", "runs", "outcome", "findings", "seed"):
        assert kept[name] == printed[name], name


CLUSTER = "nodes = 4\ndevices_per_node = 8\nslots_per_device = 9\n"


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text(CLUSTER)
    return path


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    path = tmp_path / "loads.npy"
    np.save(path, np.random.default_rng(0).lognormal(size=(3, 256)))
    return path


@pytest.mark.parametrize("options", [(), ("--hierarchical",), ("--policy", "replicate")])
def test_experts_place(as_json, loads: Path, cluster: Path, options: tuple[str, ...]) -> None:
    found = as_json("experts", "place", "--loads", loads, "--cluster", cluster, *options)
    assert list(found) == ["schema", "policy", "layers", "balancedness", "seconds"]
    assert (found["schema"], len(found["layers"])) == ("kleiber/placement/1", 3)
    load_LE = np.load(loads)
    for layer, load_E in zip(found["layers"], load_LE, strict=True):
        assert list(layer) == ["physical_to_logical", "device_of_slot", "share", "balancedness", "bound", "gap"]
        served = load_E[layer["physical_to_logical"]] * layer["share"]
        busiest = np.bincount(layer["device_of_slot"], served, minlength=32).max()
        assert layer["balancedness"] == pytest.approx(load_E.sum() / 32 / busiest)
        assert layer["gap"] == pytest.approx(layer["bound"] - layer["balancedness"], abs=1e-9)
        if not options:
            assert layer["balancedness"] > 0.9999
            assert len(layer["share"]) == 288
    again = as_json("experts", "place", "--loads", loads, "--cluster", cluster, *options)
    assert again["layers"] == found["layers"]


def test_experts_stats_and_replay(as_json, shell, tmp_path: Path, cluster: Path) -> None:
    trace = tmp_path / "trace.npy"
    chance_E = np.arange(1, 17) / 136
    np.save(trace, np.random.default_rng(0).multinomial(50_000, chance_E, size=(4, 2)))
    found = as_json("experts", "stats", trace, "--cluster", cluster)
    assert found["schema"] == "kleiber/experts-stats/1"
    assert set(found["balance"]) == {"experts", "devices", "nodes"}
    assert found["within_noise"] is False
    assert found["seed"] == 0
    replayed = as_json("experts", "replay", trace, "--cluster", cluster, "--windows", 4)
    assert replayed["schema"] == "kleiber/experts-replay/1"
    assert [rule["rule"] for rule in replayed["rules"]] == ["never", "split", "every", "pays", "pays-twice"]
    assert "Uneven beyond noise" in shell("experts", "stats", trace).stdout
    assert "Cheapest on this trace" in shell("experts", "replay", trace, "--cluster", cluster, "--windows", 4).stdout
    assert "Balancedness 1.0000" in shell("experts", "place", trace, "--cluster", cluster).stdout


def test_experts_bad_input(shell, tmp_path: Path, loads: Path, cluster: Path) -> None:
    negative, small = tmp_path / "negative.npy", tmp_path / "small.toml"
    load_LE = np.load(loads)
    load_LE[1, 7] = -1
    np.save(negative, load_LE)
    small.write_text(CLUSTER.replace("9", "7"))
    for arguments, says in (
        (("--loads", negative, "--cluster", cluster), "negative.npy, layer 1, expert 7"),
        (("--loads", loads, "--cluster", small), "224 slots for 256 experts"),
        (("--loads", loads, "--cluster", loads), "not TOML"),
        (("--loads", cluster, "--cluster", cluster), "no NumPy array"),
        ((cluster, "--cluster", cluster), "no routing trace"),
        ((loads, "--loads", loads, "--cluster", cluster), "not both"),
        (("--cluster", cluster), "no loads"),
        (("--loads", loads, "--cluster", cluster, "--policy", "windw-fill"), "did you mean 'window-fill'"),
        (("--loads", loads, "--cluster", cluster, "--groups", "7"), "equal groups"),
    ):
        result = shell("experts", "place", *arguments, "--json")
        assert result.exit_code == 2, says
        assert result.stdout == ""
        assert says in result.stderr
