"""Ladders of every family: names that stand, settings that are understood, rows with what the laws need."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch

from kleiber.errors import InputError
from kleiber.lab import FAMILIES
from kleiber.lab.description import read_ladder
from kleiber.lab.dial import Dial
from kleiber.lab.ladder import run
from kleiber.lab.models import build
from kleiber.lab.recipe import Recipe
from kleiber.lab.table import COLUMNS, table, table_of, write_table

LADDERS = Path(__file__).parents[2] / "ladders"
SETTINGS = {
    "dense": "depth = 1\nmlp_ratio = 2",
    "experts": "depth = 1\nexperts = 4\nshared = 1",
    "ssm": "depth = 1\nstate = 8\nscan_head_width = 8\nchunk = 16",
    "hybrid": "attention_every = 2\ndepth = 2\nscan_head_width = 8",
}


def of_family(ladder_toml: Path, family: str, settings: str) -> Path:
    text = ladder_toml.read_text().replace("depth = 1\nmlp_ratio = 2", settings)
    ladder_toml.write_text(f'family = "{family}"\n{text}')
    return ladder_toml


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in LADDERS.glob("*/runs.parquet")), ids=lambda path: path.name
)
def test_names_of_shipped_runs_stand(folder: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    shipped = pq.read_table(folder / "runs.parquet", columns=["run", "trunk"]).to_pydict()
    cells = read_ladder(folder / "ladder.toml").cells
    assert {cell.run for cell in cells} == set(shipped["run"])
    assert {cell.trunk for cell in cells} == set(shipped["trunk"])


def test_every_setting_names_another_run(ladder_toml: Path) -> None:
    names = set()
    for family, settings in [*SETTINGS.items(), ("experts", 'depth = 1\nexperts = 4\nshared = 1\nbalance = "loss"')]:
        path = ladder_toml.with_name(f"{len(names)}.toml")
        path.write_text(ladder_toml.read_text())
        names.add(read_ladder(of_family(path, family, settings)).cells[0].run)
    assert len(names) == 5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_ladder_of_each_family_trains_and_its_table_can_be_read(
    family: str, ladder_toml: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    pytest.importorskip("pyarrow")
    path = of_family(ladder_toml, family, SETTINGS[family])
    path.write_text(path.read_text().replace("tokens = [4096, 8192]", "tokens = [2048, 4096]"))
    assert len(list(run(path, tmp_path / "results"))) == 5
    write_table(tmp_path / "results", tmp_path / "runs.parquet", source="a test")
    rows = table(tmp_path / "results").to_pylist()
    for row in rows:
        assert row["family"] == family
        assert row["context"] == 32
        assert row["params_total"] == row["params"] + row["embedding_params"]
        assert row["flops"] == 6 * row["active_params"] * row["tokens"]
        assert (row["active_params"] < row["params"]) == (family == "experts")
        assert (row["max_violation"] is None) == (family != "experts")
        assert row.get("balance") == ("bias" if family == "experts" else None)
    expected = (4, 2, 2, 3 / 5) if family == "experts" else (1, 1, 1, 1.0)
    assert tuple(rows[0][name] for name in ("experts", "chosen", "granularity", "activation_ratio")) == expected


def test_a_single_expert_shares_the_balance_that_a_table_has() -> None:
    pytest.importorskip("pyarrow")
    facts = {"loss": 1.0, "loss_se": None, "corpus_sha256": "a", "params": 1, "seed": 0, "active_params": 1}
    rest = dict.fromkeys([*COLUMNS.keys() - facts.keys() - {"tokens", "tokenizer"}, "tokens"], 1)
    rows = [{**rest, **facts, "run": "a"}, {**rest, **facts, "run": "b", "balance": "quantile"}]
    rows = [
        {**row, **{name: "x" for name, kind in COLUMNS.items() if kind == "string" and name != "tokenizer"}}
        for row in rows
    ]
    assert table_of(rows, source="", where="").column("balance").to_pylist() == ["quantile"] * 2
    rows.append({**rows[1], "balance": "loss"})
    assert table_of(rows, source="", where="").column("balance").to_pylist() == ["", "quantile", "loss"]


def test_runs_written_before_there_were_families_still_make_a_table(ladder_toml: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    pytest.importorskip("pyarrow")
    import json

    next(iter(run(ladder_toml, tmp_path)))
    (path,) = (tmp_path / "runs").glob("*.json")
    row = json.loads(path.read_text())
    for name in ("context", "active_params", "experts", "chosen", "granularity", "activation_ratio", "max_violation"):
        del row[name]
    path.write_text(json.dumps(row))
    (found,) = table(tmp_path).to_pylist()
    assert (found["active_params"], found["experts"], found["context"]) == (row["params"], 1, None)


def test_a_stage_may_be_of_another_family(ladder_toml: Path) -> None:
    stage = '\nfamily = "ssm"\nshape = {state = 8, scan_head_width = 8}\nrecipe = {context = 64}'
    ladder_toml.write_text(ladder_toml.read_text() + stage)
    cells = read_ladder(ladder_toml).cells
    assert [cell.shape.family for cell in cells] == ["dense"] * 4 + ["ssm"] * 2
    assert cells[-1].shape.context == 64
    assert cells[-1].shape.depth == 1
    assert [cell.recipe.transfer for cell in cells] == [False] * 4 + [True] * 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_size_sets_width_depth_and_heads(family: str) -> None:
    for size in (20_000, 300_000, 3e6):
        shape = Dial(family=family).at_size(size, context=128)
        assert shape.active_params == pytest.approx(size, rel=0.5)
        assert shape.depth >= max(2, shape.width // 64)
        assert shape.heads == (0 if family == "ssm" else shape.width // 8)
    assert Dial(family=family, depth=2 if family != "hybrid" else 4).at_size(1e5, context=64).active_params == (
        pytest.approx(1e5, rel=0.25)
    )


def test_a_stage_by_sizes(ladder_toml: Path) -> None:
    ladder_toml.write_text(ladder_toml.read_text().replace("widths = [8, 16]", 'sizes = ["1k", "4k"]'))
    cells = read_ladder(ladder_toml).cells
    assert {cell.shape.params for cell in cells} == {512, 4608}
    ladder_toml.write_text(ladder_toml.read_text().replace("widths = [8]", 'widths = [8]\nsizes = ["1k"]'))
    with pytest.raises(InputError, match="not by both"):
        read_ladder(ladder_toml)


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("exports", "depth = 1", "did you mean 'experts'"),
        ("dense", "depth = 1\nmlp_ratio = 2\nexperts = 4", "`experts` is not known here"),
        ("ssm", "depth = 1\nqueries_per_key = 2", "`queries_per_key` is not known here"),
        ("experts", 'depth = 1\nbalance = "luck"', "balance"),
        ("experts", "depth = 1\nexperts = 2\nchosen = 3", "more experts than there are"),
        ("experts", "depth = 1\ngranularity = 7", "experts so fine"),
        ("experts", "depth = 1\nexperts = 4.5", "wrong kind"),
        ("hybrid", "depth = 2\nattention_every = 3", "no attention"),
        ("ssm", "depth = 1\nscan_head_width = 7", "whole number of heads"),
        ("dense", "depth = true\nmlp_ratio = 2", "wrong kind"),
    ],
)
def test_settings_that_make_no_sense(ladder_toml: Path, family: str, settings: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_ladder(of_family(ladder_toml, family, settings))


def test_a_rate_that_transfers_leaves_no_say_to_the_exponent() -> None:
    assert Recipe(transfer=True, lr=0.01).peak_lr(128) == pytest.approx(0.0025)
    with pytest.raises(InputError, match="no say"):
        Recipe(transfer=True, lr_exponent=-0.75)


def test_a_rotary_base_names_another_run_only_where_it_is_told(ladder_toml: Path) -> None:
    usual, told = (Dial(rotary_base=base).at_width(16, context=64) for base in (None, 16))
    assert "rotary_base" not in usual.facts()
    assert told.facts()["rotary_base"] == 16
    same = Dial(rotary_base=32).at_width(16, context=64)
    assert torch.equal(build(same, seed=0).cos_KT, build(usual, seed=0).cos_KT)
    assert not torch.equal(build(told, seed=0).cos_KT, build(usual, seed=0).cos_KT)
    with pytest.raises(InputError, match="rotary_base as a whole number"):
        Dial(rotary_base=1).at_width(16, context=64)
