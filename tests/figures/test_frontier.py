"""The chart of a frontier: valid, the same bytes twice, and showing what the frontier says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber import figures
from kleiber.figures import files
from kleiber.plan.architecture.frontier import Frontier, frontier
from tests.plan.clouds import UNROUNDED, cloud

FIT = cloud(UNROUNDED, draws=30)


@pytest.fixture(scope="module")
def two() -> Frontier:
    return frontier(FIT, "loss,training_flops", families="dense,ssm", flops="1e20")


@pytest.fixture(scope="module")
def three() -> Frontier:
    return frontier(FIT, "loss,serving_cost,context", families="dense,hybrid", flops="1e21", hardware="h100")


@pytest.fixture(scope="module")
def drawn(two: Frontier) -> dict[str, Any]:
    return files.specification(figures.frontier_chart(two))


@pytest.fixture(scope="module")
def panels(three: Frontier) -> dict[str, Any]:
    return files.specification(figures.frontier_chart(three))


def layers(written: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers of a chart, of all its panels."""
    return [layer for panel in written.get("concat", [written]) for layer in panel["layer"]]


def data_of(written: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a data set."""
    return next(layer["data"]["values"] for layer in layers(written) if layer["data"]["name"] == name)


@pytest.mark.parametrize("which", ["two", "three"])
def test_it_is_valid_and_the_same_bytes_twice(which: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(which)
    written = files.text(figures.frontier_chart(found))  # to_dict validates against the Vega-Lite schema
    json.loads(written, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert len(written) < 1_000_000
    again = {**files.specification(figures.frontier_chart(found)), "$schema": json.loads(written)["$schema"]}
    assert json.dumps(again, sort_keys=True) == json.dumps(json.loads(written), sort_keys=True)
    assert "://" not in json.dumps(files.specification(figures.frontier_chart(found)))


@pytest.mark.parametrize("which", ["drawn", "panels"])
def test_every_data_set_is_named_once_with_one_content(which: str, request: pytest.FixtureRequest) -> None:
    contents: dict[str, str] = {}
    for layer in layers(request.getfixturevalue(which)):
        written = json.dumps(layer["data"])
        assert contents.setdefault(layer["data"]["name"], written) == written


def test_the_dots_are_points_of_the_frontier_from_end_to_end(two: Frontier, drawn: dict[str, Any]) -> None:
    rows = data_of(drawn, "frontier")
    flops, loss = two.columns["training_flops"], two.columns["loss"]
    assert rows[0]["training_flops"] == pytest.approx(flops[0], rel=1e-5)
    assert rows[-1]["training_flops"] == pytest.approx(flops[-1], rel=1e-5)
    for row in rows[::10]:
        place = int(np.abs(np.log(flops / row["training_flops"])).argmin())
        assert row["loss"] == pytest.approx(loss[place], rel=1e-5)
        assert row["family"] == two.families[place]


def test_beaten_designs_lie_behind_the_frontier(two: Frontier, drawn: dict[str, Any]) -> None:
    rows = data_of(drawn, "beaten")
    assert len(rows) > 100
    flops, loss = two.columns["training_flops"], two.columns["loss"]
    for row in rows:
        assert row["loss"] >= loss[flops <= row["training_flops"] * (1 + 1e-5)].min() * (1 - 1e-5)


def test_every_family_is_named_beside_its_line(drawn: dict[str, Any]) -> None:
    named = {row["family"] for name in ("names below", "names beside") for row in data_of(drawn, name)}
    assert named == {"dense", "ssm"}


def test_axes_bear_their_units(drawn: dict[str, Any], panels: dict[str, Any]) -> None:
    assert "Training compute (FLOP)" in json.dumps(drawn)
    assert "Loss (nats)" in json.dumps(drawn)
    assert "Serving cost (USD per million tokens)" in json.dumps(panels)


def test_every_context_has_its_panel(panels: dict[str, Any]) -> None:
    assert [panel["title"]["text"] for panel in panels["concat"]] == [
        "context of 4k", "context of 8k", "context of 32k", "context of 128k", "context of 512k", "context of 1M",
    ]  # fmt: skip


@pytest.mark.parametrize("axes", ["serving_cost,tpot_ms,memory_gb", "loss,context"])
def test_any_axes_can_be_drawn(axes: str, tmp_path: Path) -> None:
    found = frontier(FIT, axes, families="dense", flops="1e19", hardware="h100")
    target = figures.save(figures.frontier_chart(found), tmp_path / "chart.png")
    assert target.read_bytes().startswith(b"\x89PNG")
