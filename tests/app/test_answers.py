"""The page says what the shell says: every answer is what the copied command prints, and the copied Python runs."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber.experts.read import read_trace
from tests.app.conftest import DRAWS, Ask, bring
from tests.cli.conftest import invoke

TRACE = Path(__file__).resolve().parents[2] / "examples" / "traces" / "experts-64.parquet"
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("check", {"draws": None, "table_only": True}),
    ("fit", {}),
    ("fit", {"fitting": {"bootstrap": DRAWS, "starts": 8, "law": "E + A/params**alpha + B/tokens**beta", "seed": 3,
                         "fix": {"alpha": 0.35}}}),
    ("fit", {"reading": {"map": {"params": "Model Size", "tokens": "seen tokens", "loss": "final"}, "where": "params > 30M",
                         "conventions": {"loss": "nats_per_token"}}}),
    ("plan", {"flops": "1000x"}),
    ("plan", {"flops": "1e24", "serve_tokens": "1T", "max_params": "20B", "near": 0.002, "level": 0.9}),
    ("plan", {"flops": "1e24", "life": {"family": "dense", "context": "32k", "hardware": "h100", "price": "2..4"},
              "serve_tokens": "500B"}),
    ("forecast", {"params": "7B", "tokens": "1T"}),
    ("forecast", {"params": "7B", "flops": "1e23", "level": 0.5}),
    pytest.param("next", {"target": "100x", "budget": "2x", "runs": 2, "draws": 300}, marks=pytest.mark.slow),
    pytest.param("backtest", {"laws": ["chinchilla"], "folds": 2}, marks=pytest.mark.slow),
    pytest.param("check", {"table_only": False}, marks=pytest.mark.slow),
    pytest.param("frontier", {"flops": "1e24", "over": "loss,training_flops", "life": {"family": "dense"}},
                 marks=pytest.mark.slow),
]  # fmt: skip


@pytest.mark.parametrize(("path", "more"), QUESTIONS)
def test_the_copied_command_prints_the_answer(
    path: str, more: dict[str, Any], ask: Ask, ladder_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask(path, **more)
    monkeypatch.chdir(ladder_csv.parent)
    words = shlex.split(answer["command"])
    assert words[0] == "kleiber"
    printed = invoke(*words[1:], "--json")
    assert printed.exit_code == 0, printed.output
    assert json.loads(printed.stdout) == answer["result"]


@pytest.mark.parametrize(("path", "more", "name"), [
    ("plan", {"flops": "1000x", "serve_tokens": "1T"}, "plan"),
    ("plan", {"flops": "1e24", "life": {"family": "dense", "hardware": "h100"}}, "plan"),
    ("fit", {}, "fit"),
])  # fmt: skip
def test_the_copied_python_gives_the_answer(
    path: str, more: dict[str, Any], name: str, ask: Ask, ladder_csv: Path
) -> None:
    answer = ask(path, **more)
    shown = "plan.to_json()['params']" if name == "plan" else "fit.parameters"
    script = f"{answer['python']}\nimport json\nprint(json.dumps({shown}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ladder_csv.parent, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    result = answer["result"]
    assert told == (
        result["params"] if name == "plan" else {key: each["value"] for key, each in result["parameters"].items()}
    )


def test_a_table_is_understood_or_says_what_is_missing(ask: Ask) -> None:
    told = ask("inspect", draws=None)
    assert told["header"] == ["which", "Model Size", "seen tokens", "final"]
    assert told["rows"][0][0] == "run-0"
    assert told["runs"]["count"] == 18
    assert told["runs"]["derived"]["params"] == "column 'Model Size'"
    lost = ask("inspect", draws=None, reading={"map": {"params": "Modell Size"}})
    assert lost["runs"] is None
    assert "Modell Size" in json.dumps(lost["problem"])
    assert "/tmp" not in json.dumps(lost["problem"]), "the folders of this machine are nobody's business"


def test_charts_are_the_reports(ask: Ask) -> None:
    for kind in ("contours", "optimum", "forecast", "residuals"):
        spec = ask("chart", kind=kind, flops="1000x")["spec"]
        assert {"layer", "concat", "hconcat", "vconcat"} & spec.keys()
    named = {layer["data"]["name"] for layer in ask("chart", kind="contours", flops="1000x")["spec"]["layer"]}
    assert {"plan", "cloud"} <= named, "the page exchanges these when a slider moves"


def test_a_plan_says_its_prices_and_rules_in_words(ask: Ask) -> None:
    answer = ask("plan", flops="1000x")
    assert answer["prices"][0]["words"].startswith("training compute: 1 % more takes ")
    assert [rule["words"] for rule in answer["rules"]]
    assert 10 < len(answer["dots"]) <= 300
    assert answer["sentences"][0].startswith("Train ")


def test_a_refusal_is_an_answer(client: Any, ask: Ask) -> None:
    content = b"params,tokens,loss\n" + b"".join(b"%de6,1e9,3.%d\n" % (k, k) for k in range(1, 4))
    few = client.post("/api/uploads", params={"name": "few.csv"}, content=content).json()["id"]
    told = client.post("/api/plan", json={"table": few, "flops": "1e24", "fitting": {"bootstrap": 20}})
    assert told.status_code == 409
    assert told.json()["kind"] == "refusal"
    assert told.json()["remedy"]


@pytest.mark.parametrize(("path", "more", "says"), [
    ("fit", {"fitting": {"law": "__import__('os').system('true')"}}, ""),
    ("fit", {"fitting": {"law": "E + A/parms**alpha"}}, "parms"),
    ("fit", {"reading": {"where": "().__class__"}}, ""),
    ("plan", {"flops": "many"}, "many"),
    ("plan", {"flops": "-1e20"}, "-1e20"),
    ("plan", {"flops": "1e24", "life": {"hardware": "h1000"}}, "h100"),
    ("plan", {"flops": "1e24", "life": {"max_tpot_ms": "1"}}, "hardware"),
    ("chart", {"kind": "pie"}, "pie"),
])  # fmt: skip
def test_bad_input_is_named(path: str, more: dict[str, Any], says: str, ask: Ask) -> None:
    told = ask(path, status=422, **more)
    assert told["schema"] == "kleiber/problem/1"
    assert told["kind"] == "input"
    assert says in json.dumps(told)


def repeated(answer: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copied command prints the answer, and the copied Python runs."""
    monkeypatch.chdir(folder)
    printed = invoke(*shlex.split(answer["command"])[1:], "--json")
    assert printed.exit_code in (0, 1), printed.output
    assert json.loads(printed.stdout) == answer["result"]
    done = subprocess.run(
        [sys.executable, "-c", answer["python"]], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_diagnostic_is_repeated_by_its_command_and_its_python(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    table = tmp_path / "my sample.csv"
    rows = [f"{at},{value:.6f}" for at, value in enumerate(rng.pareto(1.5, 400) + 1)]
    table.write_text("\n".join(["step,size, of a thing", *rows]).replace("size, of a thing", '"size, of a thing"'))
    id = bring(client, table)["id"]
    asked = {"name": "power_law", "arrays": {"values": {"upload": id, "column": "size, of a thing"}}}
    told = client.post("/api/diagnose", json=asked | {"numbers": {"xmin": 1}})
    assert told.status_code == 200, told.text
    repeated(told.json(), tmp_path, monkeypatch)
    refused = client.post("/api/diagnose", json=asked)
    assert (refused.status_code, "xmin" in refused.json()["expected"]) == (422, True)


def test_every_diagnostic_that_is_offered_can_be_answered(client: Any) -> None:
    from kleiber.diagnose import by_name

    offered = client.get("/api/diagnostics").json()["result"]
    assert len(offered) > 30
    for each in offered:
        given = by_name.find(each["name"]).null(np.random.default_rng(0))
        assert {array["name"] for array in each["arrays"]} | {
            number["name"] for number in each["numbers"]
        } == given.keys()


def in_shell(answer: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the last of the copied commands prints as JSON, the ones before it having run."""
    monkeypatch.chdir(folder)
    *before, last = answer["command"].split(" && ")
    for command in before:
        done = invoke(*shlex.split(command)[1:])
        assert done.exit_code == 0, done.output
    printed = invoke(*shlex.split(last)[1:], "--json")
    assert printed.exit_code == 0, printed.output
    return json.loads(printed.stdout)


def in_python(answer: dict[str, Any], folder: Path, shown: str) -> Any:
    """What the copied program gives for `shown`."""
    script = f"{answer['python']}\nimport json\nprint(json.dumps({shown}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("life", [pytest.param("also", marks=pytest.mark.slow), "family_fit"])
def test_laws_weighed_and_families_apart_are_repeated(
    life: str, client: Any, ask: Ask, ladder_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ladder_csv, tmp_path)
    lines = (
        ladder_csv.read_text().replace("Model Size", "params").replace("seen tokens", "tokens").replace("final", "loss")
    )
    own = tmp_path / "state space.csv"
    own.write_text(lines)
    given = {"also": ["E + A/params**alpha + B/tokens**alpha"],
             "family_fit": {"ssm": bring(client, own)["id"]}}[life]  # fmt: skip
    answer = ask("plan", flops="1e24", life={life: given, "family": "dense,ssm"})
    assert in_shell(answer, tmp_path, monkeypatch) == answer["result"]
    assert in_python(answer, tmp_path, "plan.to_json()['params']") == answer["result"]["params"]


def test_a_step_is_repeated(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = tmp_path / "loads.npy"
    np.save(loads, read_trace(TRACE).load_LE)
    trace = bring(client, loads)["id"]
    cluster = {"nodes": 2, "devices_per_node": 4, "slots_per_device": 9}
    placed = client.post("/api/experts/place", json={"trace": trace, "cluster": cluster}).json()
    assert placed["suited"] == ["olmoe-1b-7b"]
    (tmp_path / "cluster.toml").write_text(placed["cluster"])
    assert in_shell(placed, tmp_path, monkeypatch)["layers"] == placed["result"]["layers"]
    (tmp_path / "placement.json").write_text(json.dumps(placed["result"]))
    asked = {"model": "olmoe-1b-7b", "trace": trace, "cluster": cluster, "placed": True, "layout": {"pipeline": 2},
             "recompute": "full", "hide": True}  # fmt: skip
    told = client.post("/api/experts/simulate", json=asked)
    assert told.status_code == 200, told.text
    answer = told.json()
    printed = in_shell(answer, tmp_path, monkeypatch)
    assert {name: each for name, each in printed.items() if name != "versions"} == answer["result"]
    assert in_python(answer, tmp_path, "step.seconds") == answer["seconds"]
