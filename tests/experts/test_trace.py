"""Traces and clusters from files: what is read, and what is refused with the place named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster, read_cluster
from kleiber.experts.read import READERS, read_trace
from kleiber.experts.trace import RoutingTrace

SMALLEST = "nodes = 4\ndevices_per_node = 8\nslots_per_device = 9\n"
COUNTS = np.random.default_rng(0).integers(1, 50, size=(3, 2, 4))


def table() -> str:
    rows = [
        f"{step},{layer},{expert},{COUNTS[step, layer, expert]}" for step, layer, expert in np.ndindex(COUNTS.shape)
    ]
    return "step,layer,expert,count\n" + "\n".join(rows) + "\n"


def line(step: int, layer: int, rank: int, choices: list) -> str:
    return json.dumps({"step": step, "layer": layer, "rank": rank, "topk": 2, "top_indices": choices})


def test_three_formats_say_the_same(tmp_path: Path) -> None:
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    (tmp_path / "t.csv").write_text(table())
    parquet.write_table(csv.read_csv(tmp_path / "t.csv"), tmp_path / "t.parquet")
    np.save(tmp_path / "t.npy", COUNTS)
    for name in ("t.csv", "t.parquet", "t.npy"):
        assert (read_trace(tmp_path / name).count_SLE == COUNTS).all()
    assert len({reader.name for reader in READERS}) == len(READERS)


def test_router_trace(tmp_path: Path) -> None:
    """Ranks are added up, flat lists are cut by topk, pairs are counted."""
    lines = [line(0, 1, 0, [[0, 1], [0, 2]]), line(0, 1, 1, [2, 1]), line(5, 1, 0, [[3, 0]])]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    found = read_trace(tmp_path / "t.jsonl")
    assert (found.step_S, found.layer_L, found.choices) == ((0, 5), (1,), 2)
    assert found.count_SLE[:, 0].tolist() == [[2, 2, 2, 0], [1, 0, 0, 1]]
    assert found.together_LEE is not None
    assert found.together_LEE[0, 0].tolist() == [3, 1, 1, 1]
    whole = RoutingTrace.from_choices([[[[0, 1], [0, 2], [2, 1]]]], experts=4)
    assert whole.count_SLE.tolist() == [[[2, 2, 2, 0]]]


BROKEN = {
    "not JSON": ("t.jsonl", "{", "line 1"),
    "no field": ("t.jsonl", json.dumps({"step": 0, "layer": 0, "topk": 2}), "top_indices is missing"),
    "ragged": ("t.jsonl", line(0, 0, 0, [[0, 1], [2]]), "line 1: top_indices is ragged"),
    "below": ("t.jsonl", line(0, 0, 0, [[0, -1]]), "line 1"),
    "fractions": ("t.jsonl", line(0, 0, 0, [[0, 1.5]]), "line 1"),
    "a layer is missing": ("t.jsonl", line(0, 0, 0, [[0, 1]]) + "\n" + line(1, 1, 0, [[0, 1]]), "step 0, layer 1"),
    "no column": ("t.csv", "step,layer,expert,tokens\n0,0,0,1\n", "no column count"),
    "negative": ("t.csv", "step,layer,expert,count\n0,0,0,1\n0,0,1,-3\n", "row 2"),
    "twice": ("t.csv", "step,layer,expert,count\n0,0,0,1\n0,0,0,3\n", "step 0, layer 0, expert 0"),
    "layers disagree": ("t.csv", "step,layer,expert,count\n0,0,0,1\n0,0,1,3\n0,1,0,2\n", "step 0, layer 1, expert 1"),
    "words": ("t.csv", "step,layer,expert,count\n0,0,a,1\n", "expert must hold numbers"),
    "empty": ("t.csv", "step,layer,expert,count\n", "no rows"),
    "no trace": ("t.txt", "hello\n", "no routing trace"),
    "no array": ("t.npy", "hello", "no NumPy array"),
    "no parquet": ("t.parquet", "PAR1 cut", "broken or cut short"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_files(tmp_path: Path, what: str) -> None:
    name, text, says = BROKEN[what]
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=says) as error:
        read_trace(tmp_path / name)
    assert name in str(error.value)


def test_broken_arrays(tmp_path: Path) -> None:
    path = tmp_path / "t.npy"
    np.save(path, np.ones((2, 3)))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="cut short"):
        read_trace(path)
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match="no NumPy array"):
        read_trace(path)
    wrongs = {
        "axes": np.ones(3),
        "no layers": np.ones((0, 3)),
        "numbers": np.array([["a"]]),
        "layer 0, expert 0": -np.ones((1, 2)),
    }
    for says, wrong in wrongs.items():
        np.save(path, wrong)
        with pytest.raises(InputError, match=says):
            read_trace(path)
    with pytest.raises(InputError, match="No such file"):
        read_trace(tmp_path / "nothing.npy")


def test_windows() -> None:
    trace = RoutingTrace.from_counts(COUNTS)
    assert [window.steps for window in trace.windows(3)] == [1, 1, 1]
    assert (sum(window.load_LE for window in trace.windows(3)) == trace.load_LE).all()
    with pytest.raises(InputError, match="4 windows of 3 steps"):
        list(trace.windows(4))


def test_cluster_files(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(SMALLEST)
    assert read_cluster(path) == Cluster.of(4, 8, 9)
    path.write_text("nodes = 1\ndevices_per_node = 2\nslots_per_device = [9, 4]\nspeed = [1.0, 0.5]\nlost = [0]\n"
                    "memory_gb = 3\nexpert_gb = 1\nlink_gb_per_s = 160\nnetwork_gb_per_s = 50\n")  # fmt: skip
    found = read_cluster(path)
    assert found.slots_G.tolist() == [0, 3]
    assert found.speed_G.tolist() == [0, 0.5]
    assert (found.link_bytes_per_second, found.network_bytes_per_second) == (160e9, 50e9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nodes = 4\ndevices_per_node = 8\n", "slots_per_device is missing"),
        (SMALLEST + "slot = 3\n", "no such field 'slot'"),
        (SMALLEST.replace("4", "0"), "nodes must be a whole number"),
        (SMALLEST.replace("9", "0"), "no capacity"),
        (SMALLEST.replace("9", "[9, 9]"), "wrong number of devices"),
        (SMALLEST.replace("9", "2.5"), "whole number"),
        (SMALLEST + "speed = -1\n", "speed must be a positive number"),
        (SMALLEST + "lost = [32]\n", "no device of this cluster"),
        (SMALLEST + "memory_gb = 80\n", "without expert_gb"),
        ("nodes =", "not TOML"),
    ],
)
def test_broken_clusters(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=says) as error:
        read_cluster(path)
    assert "cluster.toml" in str(error.value)
