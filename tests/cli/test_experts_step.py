"""`kleiber experts simulate` and `transfer`: contracts, the pieces joined, and bad input that names its place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kleiber.experts.cluster import Cluster
from kleiber.experts.placement import find

SMALL = ("--model", "olmoe-1b-7b")


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text("nodes = 2\ndevices_per_node = 8\nslots_per_device = 5\n", encoding="utf-8")
    return path


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    path = tmp_path / "loads.npy"
    np.save(path, np.random.default_rng(0).lognormal(0, 1, (16, 64)))
    return path


@pytest.fixture
def placement(tmp_path: Path, loads: Path) -> Path:
    path = tmp_path / "placement.json"
    found = find("window-fill").place(np.load(loads), Cluster.of(2, 8, 5))
    path.write_text(json.dumps(found.to_json()), encoding="utf-8")
    return path


def test_simulate(as_json, cluster: Path) -> None:
    found = as_json("experts", "simulate", *SMALL, "--cluster", cluster)
    assert found["schema"] == "kleiber/step/1"
    assert found["devices"] == 16
    assert 0 < found["idle_fraction"] < 1
    assert found["bubble_fraction"] == 0
    assert 0 < found["exposed_comm_seconds"] < found["step_seconds"]
    assert found["versions"].keys() >= {"kleiber", "numpy"}
    assert as_json("experts", "simulate", *SMALL, "--cluster", cluster) == found


def test_simulate_a_trace_and_its_placement(
    as_json, cluster: Path, loads: Path, placement: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "step.svg"
    asked = ("--what-if", "width=8,16", "--what-if", "replicas=1", "--layout", "pipeline=2", "--timeline", drawn)
    plain = as_json("experts", "simulate", *SMALL, "--cluster", cluster, "--trace", loads, *asked)
    placed = as_json("experts", "simulate", *SMALL, "--cluster", cluster, "--trace", loads, "--placement", placement,
                     "--layout", "pipeline=2")  # fmt: skip
    assert plain["imbalance_seconds"] > 0
    assert placed["imbalance_seconds"] < 0.01 * plain["imbalance_seconds"]
    assert [entry["value"] for entry in plain["what_if"]] == [8, 16, 1]
    assert plain["what_if"][1]["step_seconds"] == pytest.approx(plain["step_seconds"])
    assert plain["what_if"][2]["step_seconds"] == pytest.approx(placed["step_seconds"], rel=1e-3)
    assert "<svg" in drawn.read_text(encoding="utf-8")


def test_wires_of_the_cluster_count(as_json, tmp_path: Path, cluster: Path) -> None:
    slow = tmp_path / "slow.toml"
    slow.write_text(cluster.read_text() + "network_gb_per_s = 5\n", encoding="utf-8")
    usual, less = (as_json("experts", "simulate", *SMALL, "--cluster", path) for path in (cluster, slow))
    assert less["comm_seconds"] > 4 * usual["comm_seconds"]


def test_transfer(as_json, shell, cluster: Path) -> None:
    words = ("experts", "transfer", *SMALL, "--cluster", cluster, "--tweak", "top-k=4", "--tokens", "100B")
    found = as_json(*words)
    assert found["schema"] == "kleiber/transfer/1"
    assert found["tweak"] == {"top-k": 4}
    assert {entry["verdict"] for entry in found["holds"]} <= {"holds", "redo", "cannot tell"}
    assert found["system"]["speed"] > 1
    effects = {entry["law"]: entry for entry in found["loss"]}
    low, high = effects["sparsity"]["interval"]
    assert low < effects["sparsity"]["change"] < high
    assert effects["joint-experts"]["abstains"]
    assert found["joined"]["tokens_after"] == pytest.approx(1e11 * found["system"]["speed"])
    said = shell(*words).stdout
    assert "at the same 100B tokens, by sparsity" in said


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (("--trace", "none.npy"), ["none.npy"]),
        (("--placement", "none.json"), ["none.json"]),
        (("--schedule", "dualpip"), ["did you mean 'dualpipe'"]),
        (("--layout", "pipe=2"), ["--layout", "did you mean 'pipeline'"]),
        (("--layout", "pipeline=17"), ["more pipeline stages than blocks"]),
        (("--what-if", "width"), ["--what-if", "NAME=N"]),
        (("--what-if", "wide=3"), ["did you mean 'width'"]),
        (("--timeline", "x.doc"), [".doc"]),
        (("--hardware", "h10"), ["did you mean 'h100'"]),
        (("--capacity", "-1"), ["capacity factor"]),
        (("--reserved", "2"), ["reserved"]),
        (("--precision", "fp3"), ["no peak for this precision"]),
        (("--context", "0"), ["--context"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bad_options(shell, cluster: Path, extra: tuple[str, ...], says: list[str]) -> None:
    result = shell("experts", "simulate", *SMALL, "--cluster", cluster, *extra)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert all(words in result.stderr for words in says), result.stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.update(schema="kleiber/plan/1"), ["this is no placement"]),
        (lambda data: data.update(layers=[]), ["no layers"]),
        (lambda data: data["layers"][3].pop("share"), ["layer 3", "share must be a list"]),
        (lambda data: data["layers"][2]["share"].append(1.0), ["layer 2", "differ in length"]),
        (lambda data: data["layers"][1]["device_of_slot"].__setitem__(0, 99), ["layer 1", "no such device", "99"]),
        (
            lambda data: data["layers"][1]["physical_to_logical"].__setitem__(0, -2),
            ["layer 1", "no such expert (found -2;"],
        ),
        (lambda data: data["layers"][1]["device_of_slot"].__setitem__(0, -3), ["layer 1", "no such device (found -3;"]),
        (lambda data: data["layers"][0]["share"].__setitem__(0, 0.25), ["layer 0", "do not add up to 1"]),
        (lambda data: data["layers"][0]["share"].__setitem__(0, "x"), ["layer 0", "share must be a list of numbers"]),
        (lambda data: data["layers"].pop(), ["other layers than the trace"]),
    ],
    ids=["schema", "empty", "field", "length", "device", "expert", "before", "share", "text", "layers"],
)
def test_bad_placements(shell, cluster: Path, loads: Path, placement: Path, change, says: list[str]) -> None:
    data = json.loads(placement.read_text())
    change(data)
    placement.write_text(json.dumps(data), encoding="utf-8")
    result = shell("experts", "simulate", *SMALL, "--cluster", cluster, "--trace", loads, "--placement", placement)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    assert all(words in result.stderr for words in says), result.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("slots_per_device = 3", ["too few slots", "found 3 slots a device", "4 of 64 experts on each of 16"]),
        ("slots_per_device = 9\nmemory_gb = 1.0\nexpert_gb = 0.3", ["too few slots", "found 3 slots a device"]),
        ("slots_per_device = 9\nlost = [3]", ["equal devices", "lost: [3]"]),
        (f"slots_per_device = {[9] * 15 + [0]}", ["equal devices", "without a slot: 1"]),
        (f"slots_per_device = 9\nspeed = {[1.0] * 15 + [0.5]}", ["equal devices", "speeds: [0.5, 1.0]"]),
    ],
    ids=["slots", "memory", "lost", "empty", "speed"],
)
def test_clusters_that_a_step_cannot_run_on(shell, cluster: Path, line: str, says: list[str]) -> None:
    """What the cluster file says counts without a placement too."""
    cluster.write_text(f"nodes = 2\ndevices_per_node = 8\n{line}\n", encoding="utf-8")
    result = shell("experts", "simulate", *SMALL, "--cluster", cluster)
    assert result.exit_code == 2, result.output
    assert all(words in result.stderr for words in (*says, "cluster.toml")), result.stderr


def test_a_trace_counts_step_by_step(as_json, cluster: Path, tmp_path: Path) -> None:
    busy = np.ones((4, 16, 64))
    for step in range(4):
        busy[step, :, 16 * step : 16 * (step + 1)] = 9.0
    moving, whole = tmp_path / "moving.npy", tmp_path / "whole.npy"
    np.save(moving, busy)
    np.save(whole, busy.sum(axis=0))
    found = [as_json("experts", "simulate", *SMALL, "--cluster", cluster, "--trace", each) for each in (moving, whole)]
    assert found[0]["imbalance_seconds"] > 0.1 * found[0]["step_seconds"]
    assert found[1]["imbalance_seconds"] == pytest.approx(0, abs=1e-9)


def test_a_layer_without_load_is_named(shell, cluster: Path, tmp_path: Path) -> None:
    dead = tmp_path / "dead.csv"
    rows = [f"0,{layer},{expert},{int(layer != 9)}" for layer in (7, 8, 9) for expert in range(64)]
    dead.write_text("\n".join(["step,layer,expert,count", *rows, ""]), encoding="utf-8")
    result = shell("experts", "simulate", *SMALL, "--cluster", cluster, "--trace", dead)
    assert result.exit_code == 2
    assert "dead.csv, layer 9: a layer has no load" in result.stderr


def test_bad_tweaks(shell, cluster: Path) -> None:
    for tweak, says in (
        ("expert=3", "did you mean 'experts'"),
        ("granularity=3", "cut so finely"),
        ("node=5", "nodes of that size"),
    ):
        result = shell("experts", "transfer", *SMALL, "--cluster", cluster, "--tweak", tweak)
        assert result.exit_code == 2, result.output
        assert says in result.stderr
