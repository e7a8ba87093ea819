"""`kleiber frontier` from the shell: its JSON, its screen, its chart, its complaints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ASKED = ("--family", "dense,hybrid", "--flops", "100x", "--hardware", "h100")


def test_json(as_json, fit_file: Path) -> None:
    found = as_json("frontier", fit_file, *ASKED)
    assert found["schema"] == "kleiber/frontier/1"
    assert [axis["name"] for axis in found["axes"]] == ["loss", "serving_cost"]
    assert found["axes"][1]["unit"] == "USD per million tokens"
    assert found["runs"]["hash"].startswith("sha256:")
    assert found["seed"] == 0
    assert found["considered"] > found["size"] >= len(found["points"]) > 10
    costs = [point["serving_cost"] for point in found["points"]]
    losses = [point["loss"]["value"] for point in found["points"]]
    assert costs == sorted(costs)
    assert losses == sorted(losses, reverse=True)
    for point in found["points"]:
        low, high = point["loss"]["ci95"]
        assert low < point["loss"]["value"] < high
        assert point["shape"]["width"] > 0
        assert {
            "training_flops",
            "training_cost",
            "tpot_ms",
            "ttft_ms",
            "memory_gb",
            "params",
            "context",
        } <= point.keys()
    assert sum(point["knee"] for point in found["points"]) <= 1
    assert {each["family"] for each in found["families"]} == {"dense", "hybrid"}
    assert found["sentences"]
    assert any("Measured at one point" in caveat for caveat in found["caveats"])


def test_three_axes(as_json, fit_file: Path) -> None:
    found = as_json("frontier", fit_file, "--axes", "loss,serving_cost,context", *ASKED, "--level", 0.8)
    assert [part["level"]["value"] for part in found["slices"]] == [4e3, 8e3, 32e3, 128e3, 512e3, 1e6]
    assert "ci80" in found["points"][0]["loss"]


@pytest.mark.slow
def test_a_law_beside_itself_changes_nothing(as_json, ladder: Path) -> None:
    asked = ("frontier", ladder, "--axes", "loss,params", "--family", "dense", "--flops", "100x", "--bootstrap", 20)
    alone, twice = as_json(*asked), as_json(*asked, "--also", "chinchilla")
    assert [point["loss"]["value"] for point in twice["points"]] == pytest.approx(
        [point["loss"]["value"] for point in alone["points"]]
    )
    assert any("weighed" in caveat for caveat in twice["caveats"])


def test_screen(shell, fit_file: Path) -> None:
    screen = shell("frontier", fit_file, *ASKED).stdout
    first, head, *rest = screen.splitlines()
    assert "are beaten by no other in loss and serving cost" in first
    assert head.split() == ["params", "tokens", "loss", "serving", "cost"]
    table = [line for line in rest if "$" in line]
    assert 5 <= len(table) <= 12
    whole = " ".join(line.strip() for line in rest)
    assert "interval of a loss is typically" in whole
    assert "hybrid: Measured at one point" in whole


def test_the_same_command_prints_the_same_bytes(shell, fit_file: Path) -> None:
    one, other = (shell("frontier", fit_file, *ASKED, "--json").stdout for _ in range(2))
    assert one == other


def test_a_chart_is_drawn(as_json, fit_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "frontier.json"
    found = as_json("frontier", fit_file, "--axes", "loss,training_flops", "-o", target)
    assert found["file"] == str(target)
    assert "vega-lite" in json.loads(target.read_text())["$schema"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "--hardware h100"),
        (("--axes", "loss,serving_cots"), "did you mean 'serving_cost'"),
        (("--axes", "loss,loss"), "given twice"),
        (("--axes", "loss"), "two or three axes"),
        (("--axes", "loss,params", "--hardware", "h1000"), "h100"),
        (("--axes", "loss,params", "-o", "nowhere/chart.svg"), "no such folder"),
        (("--axes", "loss,params", "-o", "chart.gif"), "not a format for charts"),
    ],
)
def test_complaints(shell, fit_file: Path, options: tuple[str, ...], says: str) -> None:
    result = shell("frontier", fit_file, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr
    assert result.stderr.startswith("kleiber: ")


def test_a_refused_fit_has_no_frontier(shell, ladder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("\n".join(ladder.read_text().splitlines()[:4]))
    result = shell("frontier", few, "--axes", "loss,params", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["schema"] == "kleiber/frontier/1"
