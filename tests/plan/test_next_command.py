"""`kleiber next`: its contract, its screen, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import invoke, write_ladder


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of 40 runs with 100 draws, as a file."""
    folder = tmp_path_factory.mktemp("next")
    path = folder / "fit.json"
    ladder = write_ladder(folder / "ladder.csv")
    result = invoke("fit", ladder, "--bootstrap", 100, "--no-backtest", "-o", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def answer(fitted: Path) -> Callable[..., dict[str, Any]]:
    def ask(*options: object) -> dict[str, Any]:
        result = invoke("next", fitted, "--target", "5.76e24", *options, "--json")
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return json.loads(result.stdout)

    return ask


def test_contract(answer) -> None:
    found = answer("--budget", "2e22")
    assert found["schema"] == "kleiber/next/1"
    assert found.keys() >= {"versions", "objective", "seed", "law", "formula", "runs", "stop", "sentences", "design"}
    assert found["expected_regret"]["after"] < found["expected_regret"]["before"]
    assert found["flops"] <= 2e22
    assert found["runs"]["count"] == 40
    run = found["design"][0]
    assert run["flops"] == pytest.approx(6 * run["params"] * run["tokens"])
    assert run["cumulative_flops"] == run["flops"]
    assert found["design"][-1]["expected_regret"]["after"] == found["expected_regret"]["after"]


def test_budgets_as_multiples_of_the_largest_run(answer) -> None:
    found = answer("--budget", "0.5x", "--max-run", "0.1x")
    largest = 6 * 6e9 * 150 * 6e9
    assert found["budget"] == pytest.approx(largest / 2)
    assert all(run["flops"] <= 0.1 * largest * (1 + 1e-9) for run in found["design"])


def test_limits(answer) -> None:
    found = answer(
        "--budget", "2e22", "--runs", 2, "--max-params", "1B", "--tokens-per-param", "5-80", "--noise", "0.01"
    )
    assert len(found["design"]) <= 2
    assert found["noise"] == {"value": 0.01, "of": "log loss"}
    for run in found["design"]:
        assert run["params"] <= 1e9
        assert 4.5 < run["tokens_per_param"] < 88


def test_the_screen(fitted: Path) -> None:
    result = invoke("next", fitted, "--target", "5.76e24", "--budget", "2e22", "--runs", 3)
    assert result.exit_code == 0
    first, *rest = result.stdout.splitlines()
    assert "cut the expected regret at 5.76e24 FLOP by" in first or "cuts the expected regret" in first
    assert all(line.startswith("  ") for line in rest)
    assert invoke("next", fitted, "--target", "5.76e24", "--budget", "2e22", "--runs", 3).stdout == result.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--target", "lots", "--budget", "1e21"), "--target"),
        (("--target", "1e24", "--budget", "0"), "--budget"),
        (("--target", "1e24", "--budget", "1e21", "--max-run", "none"), "--max-run"),
        (("--target", "1e24", "--budget", "1e21", "--max-params", "zero"), "--max-params"),
        (("--target", "1e24", "--budget", "1e21", "--tokens-per-param", "20"), "LOW-HIGH"),
        (("--target", "1e24", "--budget", "1e21", "--tokens-per-param", "80-5"), "--tokens-per-param"),
        (("--target", "1e24", "--budget", "1e21", "--noise", "-1"), "--noise"),
        (("--target", "1e24", "--budget", "1e21", "--runs", "0"), "--runs"),
        (("--target", "1e24"), "--budget"),
    ],
)
def test_bad_input(fitted: Path, options: tuple[str, ...], says: str) -> None:
    result = invoke("next", fitted, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_refusals(fitted: Path, tmp_path: Path) -> None:
    small = invoke("next", fitted, "--target", "1e24", "--budget", "1e12")
    assert small.exit_code == 1
    assert "What would change it" in small.stdout
    ladder = write_ladder(tmp_path / "ladder.csv")
    without = invoke("next", ladder, "--bootstrap", 0, "--target", "1e24", "--budget", "1e21", "--json")
    assert without.exit_code == 1
    assert json.loads(without.stdout)["outcome"] == "refused"
    few = invoke("next", ladder, "--where", "params < 41M", "--target", "1e24", "--budget", "1e21", "--json")
    assert few.exit_code == 1
    assert json.loads(few.stdout)["outcome"] == "too_few_runs"
