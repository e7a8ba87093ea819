"""The ladder: what a kill cannot do, and what the table says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kleiber.errors import InputError
from kleiber.lab.description import read_ladder
from kleiber.lab.ladder import registry_url, run, work
from kleiber.lab.registry import open_registry
from kleiber.lab.table import COLUMNS, table, write_table

LOSSLESS = ("run", "loss", "loss_se", "tokens", "flops")


def rows_of(results: Path) -> dict[str, tuple[object, ...]]:
    found = [json.loads(path.read_text()) for path in (results / "runs").glob("*.json")]
    return {row["run"]: tuple(row[name] for name in LOSSLESS) for row in found}


def test_a_ladder_is_the_grid_of_its_stages_each_cell_once(ladder_toml: Path) -> None:
    cells = read_ladder(ladder_toml).cells
    # Two widths by two budgets, then one seed more; the cell that both stages name counts once.
    assert len(cells) == 5
    assert len({cell.run for cell in cells}) == 5
    assert len({cell.trunk for cell in cells}) == 3


def test_a_stage_may_change_the_recipe_for_its_own_cells(ladder_toml: Path) -> None:
    before = {cell.run for cell in read_ladder(ladder_toml).cells}
    ladder_toml.write_text(ladder_toml.read_text() + "recipe = {lr = 0.005}")
    changed = [cell for cell in read_ladder(ladder_toml).cells if cell.run not in before]
    assert [cell.recipe.lr for cell in changed] == [0.005, 0.005]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("warmup_tokens", "warm_up_tokens"), "did you mean 'warmup_tokens'"),
        (("widths = [8, 16]", "widths = [9]"), "whole number of heads"),
        (("seeds = [0]", ""), "`seeds` is missing"),
        (("depth = 1", 'depth = "one"'), "wrong kind"),
        (("lr = 0.01", "lr = -1"), "must be positive"),
        (("lr = 0.01", "lr = [1]"), "must be a number"),
        (("tokens = [4096]", 'tokens = ["4 mega"]'), "not a quantity"),
        (("[shape]", "[shape"), "not TOML"),
    ],
)
def test_a_ladder_that_makes_no_sense(ladder_toml: Path, change: tuple[str, str], message: str) -> None:
    ladder_toml.write_text(ladder_toml.read_text().replace(*change))
    with pytest.raises(InputError, match=message):
        read_ladder(ladder_toml)


def test_no_ladder_and_no_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no ladder there"):
        read_ladder(tmp_path / "ladder.toml")
    with pytest.raises(InputError, match="no finished run"):
        table(tmp_path)


def test_importing_the_lab_loads_no_torch() -> None:
    code = "import sys, kleiber.lab, kleiber.lab.ladder, kleiber.lab.table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_runs_are_resumed_and_never_lost(ladder_toml: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert len(list(run(ladder_toml, whole))) == 5
    broken.mkdir()
    worker = work(read_ladder(ladder_toml), broken, open_registry(registry_url(broken)))
    first = [next(worker), next(worker)]
    # What a kill in the middle of a write leaves behind: a temporary file that nobody takes for a run.
    (broken / "runs" / ".half.json.1").write_text('{"run": ')
    stamps = {path: path.stat().st_mtime_ns for path in (broken / "runs").glob("[!.]*.json")}
    rows = list(run(ladder_toml, broken))
    assert [row["run"] for row in rows[:2]] == [row["run"] for row in first]
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert rows_of(broken) == rows_of(whole)
    assert [row["run"] for row in run(ladder_toml, broken)] == [cell.run for cell in read_ladder(ladder_toml).cells]


def test_two_workers_share_a_ladder(ladder_toml: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    ladder = read_ladder(ladder_toml)
    one = work(ladder, tmp_path, open_registry(registry_url(tmp_path)))
    next(one)
    rows = list(run(ladder_toml, tmp_path, workers=2))
    assert sorted(row["run"] for row in rows) == sorted(cell.run for cell in ladder.cells)
    assert list(one) == []


def test_the_table_and_its_conventions(ladder_toml: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    pq = pytest.importorskip("pyarrow.parquet")
    list(run(ladder_toml, tmp_path))
    written = write_table(tmp_path, tmp_path / "runs.parquet", source="a test")
    read = pq.read_table(tmp_path / "runs.parquet")
    assert read.equals(written)
    assert read.column_names == list(COLUMNS)
    assert read.schema.metadata[b"kleiber.params_convention"] == b"non_embedding"
    assert read.schema.metadata[b"kleiber.flops_convention"] == b"6nd"
    assert read.schema.metadata[b"kleiber.loss_unit"] == b"nats_per_byte"
    assert read.schema.metadata[b"kleiber.source"] == b"a test"
    for row in read.to_pylist():
        assert row["flops"] == 6 * row["params"] * row["tokens"]
        assert row["params_total"] == row["params"] + row["embedding_params"]
        assert row["flops_counted"] > row["flops"]
        assert row["tokens"] % row["batch_tokens"] == 0
