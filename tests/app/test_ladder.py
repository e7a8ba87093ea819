"""The registry on the page: what is done as it was measured, what is not with a band where the law expects it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kleiber.app.answers.ladder import status

pytest.importorskip("sqlalchemy", reason="the registry needs SQLAlchemy: pip install 'kleiber[lab]'")
DENSE = Path(__file__).resolve().parents[2] / "ladders" / "sotu-dense"


def test_runs_that_have_not_ended_get_a_band(tmp_path: Path) -> None:
    from kleiber.lab.description import read_ladder
    from kleiber.lab.registry import open_registry

    url = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    registry = open_registry(url)
    registry.enrol(read_ladder(DENSE / "ladder.toml"))
    rows = {row["run"]: row for row in pq.read_table(DENSE / "runs.parquet").to_pylist()}
    *known, hidden = sorted(rows, key=lambda run: rows[run]["flops"])
    for run in known:
        registry.finish(rows[run])

    told = json.loads(json.dumps(status({"ladder": None, "registry": url, "results": None})))
    assert told["result"]["counts"]["done"] == len(known)
    [ahead] = [run for run in told["runs"] if run["run"] == hidden]
    assert ahead["low"] < rows[hidden]["loss"] < ahead["high"], "the law of the others holds the largest run"
    assert {"done", "ahead"} <= {layer["data"]["name"] for layer in told["spec"]["layer"]}
