"""The shipped ladders: tables are what their files describe, pages count right, and what is wrong with them is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from kleiber.lab.description import read_ladder
from kleiber.runs import read
from kleiber.runs.audit import audit

LADDERS = Path(__file__).resolve().parents[1] / "ladders"
NAMES = sorted(path.parent.name for path in LADDERS.glob("*/runs.parquet"))
VIEWS = (
    ("sotu-dense", "tokens <= unique_tokens", (), set()),
    ("sotu-families", "family == 'dense' and tokens <= unique_tokens", (), set()),
    ("sotu-families", "family == 'ssm' and tokens <= unique_tokens", (), set()),
    ("sotu-families", "family == 'hybrid' and tokens <= unique_tokens", (), set()),
    ("sotu-data", "kept == 1 and noise == 0 and tokens <= unique_tokens", (), set()),
    ("sotu-data", "kept == 1 and noise == 0.3 and tokens <= unique_tokens", (), set()),
    ("sotu-students", "teacher == ''", (), set()),
    ("sotu-context", "family == 'ssm'", ("context",), set()),
    ("sotu-context", "family == 'dense' and context == 128", (), set()),
    # One cell on purpose: no law is to be fitted to it.
    ("sotu-balance", "balance == 'sinkhorn'", (), {"compute range", "sizes and budgets"}),
    ("sotu-experts", "balance == 'bias' or experts == 1", ("experts",), set()),
    ("sotu-experts", "balance == 'sinkhorn' or experts == 1", ("experts",), set()),
)
"""A ladder, the runs to keep, what the law knows beside params and tokens, and the problems that stay."""


def test_there_are_ladders() -> None:
    assert {name for name, *_ in VIEWS} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_has_the_runs_that_its_file_describes(name: str) -> None:
    cells = read_ladder(LADDERS / name / "ladder.toml").cells
    runs = read(LADDERS / name / "runs.parquet")
    assert sorted(runs.labels("run")) == sorted(cell.run for cell in cells)
    assert f"{len(runs)} finished" in (LADDERS / name / "README.md").read_text()


@pytest.mark.parametrize(("name", "where", "inputs", "known"), VIEWS, ids=[f"{view[0]}: {view[1]}" for view in VIEWS])
def test_no_problem_but_those_that_are_known(name: str, where: str, inputs: tuple[str, ...], known: set[str]) -> None:
    params = {"params": "active_params"} if name == "sotu-experts" else {}
    runs = read(LADDERS / name / "runs.parquet", where=where, **params)
    assert {found.name for found in audit(runs, inputs=inputs) if found.verdict == "problem"} == known
