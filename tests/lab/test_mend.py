"""A rung that is off is named, and the ladder that would mend it is one that can be read and run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tests.cli.conftest import invoke

from kleiber.lab.cell import Cell
from kleiber.lab.description import read_ladder
from kleiber.lab.mend import mend
from kleiber.lab.table import COLUMNS

LADDER = """
name = "seven sizes"
corpus = "sotu"
hardware = "none"

[shape]
depth = 2

[recipe]
lr = 0.01

[[stage]]
widths = [16, 24, 32, 48]
tokens = ["1M", "2M", "4M", "8M"]
seeds = [0]

[[stage]]
widths = [64, 96, 128]
tokens = ["1M", "2M", "4M", "8M"]
seeds = [0]
data = { noise = 0.1 }
recipe = { decay_fraction = 0.3 }
"""
WORDS = {"string": "x", "int64": 8, "double": 1.0}


def finished(folder: Path, *, off: float) -> tuple[Path, Path]:
    """A ladder whose runs follow a law but for those of width 64, which lie `off` above it."""
    path, results = folder / "ladder.toml", folder / "results"
    path.write_text(LADDER)
    (results / "runs").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for cell in read_ladder(path).cells:
        loss = 0.9 + 24 / cell.shape.params**0.44 + 900 / cell.tokens**0.56
        loss *= np.exp(0.003 * rng.normal()) * (1 + off * (cell.shape.width == 64))
        (results / "runs" / f"{cell.run}.json").write_text(json.dumps(row(cell, loss)))
    return path, results


def row(cell: Cell, loss: float) -> dict[str, object]:
    facts = {"run": cell.run, "params": cell.shape.params, "active_params": cell.shape.params, "tokens": cell.tokens}
    facts |= {
        "flops": 6.0 * cell.shape.params * cell.tokens,
        "loss": loss,
        "seed": cell.seed,
        "width": cell.shape.width,
    }
    return {name: WORDS[kind] for name, kind in COLUMNS.items()} | facts | {"corpus_sha256": "c", "family": "dense"}


def test_a_clean_ladder_needs_no_mending(tmp_path: Path) -> None:
    path, results = finished(tmp_path, off=0.0)
    found = mend(path, results)
    assert found.stages == ()
    shown = invoke("lab", "mend", path, "-o", tmp_path / "mended.toml")
    assert shown.exit_code == 0
    assert "No rung lies above its neighbours" in shown.stdout
    assert not (tmp_path / "mended.toml").exists()


def test_a_rung_that_is_off_is_tried_at_half_and_twice_its_rate(tmp_path: Path) -> None:
    path, _ = finished(tmp_path, off=0.04)
    target = tmp_path / "mended.toml"
    shown = json.loads(invoke("lab", "mend", path, "-o", target, "--json").stdout)
    assert shown["schema"] == "kleiber/lab-mend/1"
    assert shown["stages"] == 8
    assert shown["rungs"][0]["offset"] > 0.02
    before = {cell.run for cell in read_ladder(path).cells}
    after = read_ladder(target).cells
    new = [cell for cell in after if cell.run not in before]
    # What was finished stays finished, and the new runs differ from theirs in the rate alone.
    assert before <= {cell.run for cell in after}
    assert sorted({cell.recipe.lr for cell in new}) == [0.005, 0.02]
    assert {cell.shape.width for cell in new} == {64}
    assert {cell.data.noise for cell in new} == {0.1}
    assert {cell.recipe.decay_fraction for cell in new} == {0.3}
    assert len(new) == 8


def test_a_rung_below_is_not_undertuned(tmp_path: Path) -> None:
    path, results = finished(tmp_path, off=-0.04)
    assert mend(path, results).stages == ()


def test_a_run_of_another_file_is_left_alone(tmp_path: Path) -> None:
    path, results = finished(tmp_path, off=0.04)
    path.write_text(LADDER[: LADDER.rindex("[[stage]]")])
    found = mend(path, results)
    assert (len(found.stages), len(found.left_alone)) == (0, 4)
