"""`kleiber diagnose topology`, `trajectory` and `alarm`: JSON that is a list of findings, and errors that name their place."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import invoke

KEYS = {"schema", "name", "verdict", "value", "interval", "evidence", "remedy", "rows", "caveats", "reference"}
needs_gudhi = pytest.mark.skipif(
    importlib.util.find_spec("gudhi") is None, reason="gudhi is not installed: pip install 'kleiber[diagnose]'"
)


def _asked(*arguments: object, code: int = 0) -> list[dict]:
    result = invoke("diagnose", *arguments, "--json")
    assert result.exit_code == code, result.output
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert all(finding.keys() == KEYS and finding["schema"] == "kleiber/finding/1" for finding in found)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four runs of three families whose gap falls with the number of signals, and a run like them."""
    here = tmp_path_factory.mktemp("topology")
    rng = np.random.default_rng(0)
    lines = ["activations,family,gap,norm"]
    for family in "abc":
        for more in range(8):
            np.save(here / f"{family}{more}.npy", _activations(rng, 3 + more))
            lines.append(
                f"{family}{more}.npy,{family},{0.2 - 0.02 * more + 0.005 * rng.normal():.4f},{rng.normal():.3f}"
            )
    (here / "runs.csv").write_text("\n".join(lines), encoding="utf-8")
    np.save(here / "run.npy", _activations(rng, 6))
    return here


def _activations(rng: np.random.Generator, signals: int) -> np.ndarray:
    values = np.maximum(rng.normal(size=(200, signals)) @ rng.normal(size=(signals, 40)), 0)
    values[:, 3] = 0
    return values


def test_tree_alone_needs_nothing(folder: Path) -> None:
    found = _asked("topology", folder / "run.npy", "--no-loops")
    assert [finding["name"] for finding in found] == ["functional_structure", "functional_topology"]
    assert "1 of 40 units never changes" in found[0]["evidence"]
    assert found[1]["value"] == pytest.approx(0.2, abs=0.2)


def test_gap_from_reference_runs_that_are_measured_once(folder: Path, tmp_path: Path) -> None:
    written = tmp_path / "measured.csv"
    options = ("--no-loops", "--features", "mean_edge", "--tolerated", 0.05)
    found = _asked("topology", folder / "run.npy", *options, "--reference", folder / "runs.csv", "--write", written)
    names = [finding["name"] for finding in found]
    assert names == ["functional_structure", "functional_topology", "topology_gap", "topology_against_free"]
    gap = found[2]
    assert gap["verdict"] == "warning"
    assert gap["interval"][0] < gap["value"] < gap["interval"][1]
    assert gap["value"] == pytest.approx(0.14, abs=0.03)
    assert "norm" in found[3]["evidence"]
    assert _asked("topology", folder / "run.npy", *options, "--reference", written) == found


def test_a_gap_that_cannot_be_told_is_a_refusal_whatever_the_structure(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "two.csv"
    table.write_text("family,gap,mean_edge\na,0.1,0.2\na,0.2,0.3\nb,0.2,0.1\nb,0.1,0.3\n", encoding="utf-8")
    options = ("--no-loops", "--features", "mean_edge", "--reference", table)
    found = _asked("topology", folder / "run.npy", *options, code=1)
    assert [each["verdict"] for each in found] == ["found", "found", "cannot tell"]


@needs_gudhi
def test_loops_and_the_free_rivals(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "logits.npy", rng.normal(size=(200, 3)))
    np.save(tmp_path / "labels.npy", rng.integers(3, size=200))
    answers = ("--logits", tmp_path / "logits.npy", "--labels", tmp_path / "labels.npy")
    found = _asked("topology", folder / "run.npy", *answers)
    assert "loops longer than 0.02" in found[1]["evidence"]
    assert "Z/2" in found[1]["evidence"]
    np.save(tmp_path / "one.npy", np.zeros(200))
    result = invoke("diagnose", "topology", folder / "run.npy", *answers[:3], tmp_path / "one.npy")
    assert result.exit_code == 2
    assert "one.npy: all labels are one class" in result.stderr


def test_same_seed_same_bytes(folder: Path) -> None:
    once, again = (
        invoke("diagnose", "topology", folder / "run.npy", "--no-loops", "--units", 12, "--json").stdout for _ in "ab"
    )
    assert once == again


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("family,gap,mean_edge\na,0.1,0.2\nb,12,0.3\nc,0.2,0.1\n", "12 at row 2"),
        ("kind,gap,mean_edge\na,0.1,0.2\n", "no column family"),
        ("family,mean_edge\na,0.1\n", "no gap"),
        ("family,gap\na,0.1\n", "neither topology nor activations"),
        ("family,gap,activations\na,0.1,gone.npy\n", "row 1, column activations"),
        ("family,gap,mean_edge\n", "no rows"),
        ("", "cannot be read"),
    ],
)
def test_reference_tables_that_are_none(folder: Path, tmp_path: Path, content: str, says: str) -> None:
    table = tmp_path / "runs.csv"
    table.write_text(content, encoding="utf-8")
    result = invoke("diagnose", "topology", folder / "run.npy", "--no-loops", "--reference", table)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert says in result.stderr
    assert "runs.csv" in result.stderr


@needs_gudhi
def test_reference_of_another_cut_off_is_refused(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("family,gap,life,midlife,cutoff\na,0.1,0.1,0.2,0.7\nb,0.1,0.1,0.2,0.5\n", encoding="utf-8")
    result = invoke("diagnose", "topology", folder / "run.npy", "--reference", table)
    assert result.exit_code == 2
    assert "row 2, column cutoff" in result.stderr


@pytest.mark.parametrize(
    ("array", "code", "says"),
    [
        (np.full((50, 12), np.nan), 2, "nan at row 1, column 1"),
        (np.ones((50, 12)), 1, "0 of 12 units change"),
        (np.random.default_rng(0).normal(size=(10, 12)), 1, "10 inputs are too few"),
        (np.zeros((3, 3, 3)), 2, "shape (3, 3, 3)"),
    ],
)
def test_activations_that_are_none(tmp_path: Path, array: np.ndarray, code: int, says: str) -> None:
    np.save(tmp_path / "run.npy", array)
    result = invoke("diagnose", "topology", tmp_path / "run.npy", "--no-loops")
    assert result.exit_code == code, result.output
    assert says in result.output
    assert "Traceback" not in result.output


def test_trajectory(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    np.save(tmp_path / "walk.npy", np.cumsum(rng.normal(size=(50, 80)), axis=0))
    found = _asked("trajectory", tmp_path / "walk.npy")
    assert [finding["name"] for finding in found] == [
        "trajectory_dimension",
        "trajectory_lifetimes",
        "trajectory_magnitude",
    ]
    assert {finding["verdict"] for finding in found} == {"ok"}
    shown = invoke("diagnose", "trajectory", tmp_path / "walk.npy").stdout
    assert "has dimension" in shown
    np.save(tmp_path / "still.npy", np.ones((50, 80)))
    assert {finding["verdict"] for finding in _asked("trajectory", tmp_path / "still.npy", code=1)} == {"cannot tell"}


def test_alarm(tmp_path: Path) -> None:
    table = tmp_path / "estimates.csv"
    ramp = 0.05 + 0.004 * np.arange(60)
    table.write_text("step,gap\n" + "\n".join(f"{step},{value}" for step, value in enumerate(ramp)), encoding="utf-8")
    found = _asked("alarm", table, "--column", "gap", "--tolerated", 0.1)
    assert [finding["verdict"] for finding in found] == ["warning", "warning"]
    result = invoke("diagnose", "alarm", table)
    assert result.exit_code == 2
    assert "--column" in result.stderr
    result = invoke("diagnose", "alarm", table, "--column", "gap", "--tolerated", 3)
    assert result.exit_code == 2
    assert "between 0 and 1" in result.stderr


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Looks at nineteen sound runs, and at one that rises above them from step 100 on; loss falls as edges rise."""
    here = tmp_path_factory.mktemp("watched")
    rng = np.random.default_rng(0)
    steps = np.arange(10, 210, 10)
    lines = ["run,step,mean_edge,loss"]
    for run in range(19):
        edges = np.sqrt(steps) / 50 + 0.02 * rng.normal(size=20)
        lines += [f"seed {run},{step},{edge:.4f},{3 - edge:.4f}" for step, edge in zip(steps, edges, strict=True)]
    (here / "sound.csv").write_text("\n".join(lines), encoding="utf-8")
    edges = np.sqrt(steps) / 50 + np.where(steps >= 100, 0.2, 0.0)
    rows = [f"{step},{edge:.4f},{3 - edge:.4f}" for step, edge in zip(steps, edges, strict=True)]
    (here / "run.csv").write_text("\n".join(["step,mean_edge,loss", *rows]), encoding="utf-8")
    return here


@pytest.mark.parametrize("options", [("--column", "mean_edge"), ("--column", "loss", "--lower")])
def test_a_run_beside_sound_runs(watched: Path, options: tuple[str, ...]) -> None:
    found = _asked("alarm", watched / "run.csv", "--sound", watched / "sound.csv", *options)
    assert [(finding["name"], finding["verdict"]) for finding in found] == [("above_sound_runs", "warning")]
    assert "19 of them from look 10 on (p = 0.05)" in found[0]["evidence"]
    assert found[0]["value"] == pytest.approx(-0.2 if "--lower" in options else 0.2, abs=0.01)


def test_sound_runs_that_do_not_suffice_are_an_answer(watched: Path, tmp_path: Path) -> None:
    options = ("--sound", watched / "sound.csv", "--column", "mean_edge", "--level", "0.01")
    assert "cannot show a level below 5 %" in _asked("alarm", watched / "run.csv", *options, code=1)[0]["evidence"]
    few = tmp_path / "few.csv"
    few.write_text("run,step,mean_edge\n0,10,0.1\n0,20,0.2\n", encoding="utf-8")
    found = _asked("alarm", watched / "run.csv", "--sound", few, "--column", "mean_edge", code=1)
    assert "1 sound runs are too few" in found[0]["evidence"]
    for bad, message in (
        (("--sound", few), "several columns"),
        (("--lower", "--column", "loss"), "belongs to --sound"),
    ):
        result = invoke("diagnose", "alarm", watched / "run.csv", *bad)
        assert result.exit_code == 2
        assert message in result.stderr
    result = invoke("diagnose", "alarm", watched / "run.csv", "--sound", few, "--column", "loss")
    assert result.exit_code == 2
    assert "no column loss of its looks" in result.stderr
