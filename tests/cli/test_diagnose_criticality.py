"""The commands on scale invariance: the list of findings, exit codes, charts, and errors that name the file's row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kleiber.diagnose.criticality.cascades import separated_avalanches
from kleiber.diagnose.criticality.noise import fractional_gaussian_noise
from kleiber.diagnose.criticality.tails import draw_power_law

KEYS = {"schema", "name", "value", "interval", "verdict", "evidence", "caveats", "reference"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "series.npy", fractional_gaussian_noise(1024, 0.8, rng))
    np.save(tmp_path / "tail.npy", draw_power_law(400, 1.0, 2.5, False, rng))
    np.save(tmp_path / "activity.npy", separated_avalanches(300, 0.95, rng))
    np.save(tmp_path / "weights.npy", rng.normal(size=(60, 40)))
    np.save(tmp_path / "short.npy", rng.normal(size=20))
    np.save(tmp_path / "broken.npy", np.array([1.0, np.nan] * 400))
    return tmp_path


CASES = {
    "dfa": ("series.npy", ["dfa", "crossover", "self_similarity", "spectral_exponent"]),
    "powerlaw": ("tail.npy", ["power_law", "heavy_tail", "goodness_of_fit"]),
    "avalanches": ("activity.npy", ["avalanches", "branching_ratio"]),
    "spectrum": ("weights.npy", ["weight_spectrum"]),
}


@pytest.mark.parametrize("command", CASES)
def test_a_list_of_findings(command: str, shell, files: Path) -> None:
    name, findings = CASES[command]
    result = shell("diagnose", command, files / name, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == int(found[0]["verdict"] == "cannot tell"), result.output
    assert [each["name"] for each in found] == findings
    for each in found:
        assert each.keys() >= KEYS
        assert each["schema"] == "kleiber/finding/1"
    assert shell("diagnose", command, files / name, "--json").stdout == result.stdout
    shown = shell("diagnose", command, files / name).stdout
    assert all(name.replace("_", " ") in shown for name in findings)
    numbers = [each for each in found if each["value"] is not None]
    assert numbers
    assert all(f"value {each['value']:.4g}" in shown for each in numbers)
    assert all(f"interval {each['interval'][0]:.4g} to" in shown for each in numbers if each["interval"])


def test_a_power_law_that_cannot_be_told_is_a_refusal_though_the_tail_is_heavy(shell, files: Path) -> None:
    result = shell("diagnose", "powerlaw", files / "tail.npy", "--json")
    verdicts = {each["name"]: each["verdict"] for each in json.loads(result.stdout)}
    assert (verdicts["power_law"], verdicts["heavy_tail"], result.exit_code) == ("cannot tell", "found", 1)


@pytest.mark.parametrize(("command", "name"), [("dfa", "series.npy"), ("powerlaw", "tail.npy")])
def test_a_chart_is_written(command: str, name: str, shell, files: Path) -> None:
    result = shell("diagnose", command, files / name, "--chart", files / "chart.json")
    assert result.exit_code == int(command == "powerlaw"), result.output
    written = json.loads((files / "chart.json").read_text())
    assert written["title"]["text"]
    assert all(layer["data"]["values"] for layer in written["layer"] if "values" in layer.get("data", {}))


@pytest.mark.parametrize("command", CASES)
def test_bad_files(command: str, shell, files: Path) -> None:
    absent = shell("diagnose", command, files / "absent.npy")
    assert absent.exit_code == 2
    assert "no such file" in absent.stderr
    broken = shell("diagnose", command, files / "broken.npy")
    assert broken.exit_code == 2
    assert "row 2" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_what_cannot_be_told_exits_with_1(shell, files: Path) -> None:
    for command in ("dfa", "spectrum"):
        result = shell("diagnose", command, files / "short.npy")
        assert result.exit_code == 1
        assert "20 samples" in result.stdout
    assert shell("diagnose", "powerlaw", files / "short.npy").exit_code == 2  # it holds what is not positive
    assert shell("diagnose", "avalanches", files / "series.npy", "--bin", 2).exit_code == 2
