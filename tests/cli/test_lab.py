"""`kleiber lab run`, `status` and `table` together: what they print, their exit codes, and 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")
pytest.importorskip("sqlalchemy", reason="the registry needs SQLAlchemy")

from tests.cli.conftest import invoke
from tests.lab_ladder import HEAD

LADDER = (
    HEAD
    + """[[stage]]
widths = [8]
tokens = [2048, 4096]
seeds = [0]

[[stage]]
widths = [8]
tokens = [2048]
seeds = [0]
recipe = {{ lr = 1e30 }}
"""
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]], str]:
    """A ladder of three runs, one of which diverges, and what `lab run --json` said of it."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "text").mkdir()
    for number in range(24):
        words = [("union", "state", "peace")[(number * place) % 3] for place in range(300)]
        (folder / "text" / f"{number}.txt").write_text(f"{number} " + " ".join(words))
    ladder = folder / "ladder.toml"
    ladder.write_text(LADDER.format(corpus=folder / "text"))
    result = invoke("lab", "run", ladder, "--workers", 1, "--json")
    assert result.exit_code == 1, result.output
    return ladder, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def test_run(trained) -> None:
    ladder, lines, complaint = trained
    assert [line["schema"] for line in lines] == ["kleiber/lab-run/1"] * 2
    assert sorted(line["tokens"] for line in lines) == [2048, 4096]
    assert f"1 of 3 runs failed: `kleiber lab status {ladder}` says why" in complaint


def test_status(trained, as_json) -> None:
    ladder, lines, _ = trained
    found = as_json("lab", "status", ladder)
    assert found["schema"] == "kleiber/lab-status/1"
    assert found["counts"] == {"done": 2, "running": 0, "queued": 0, "failed": 1}
    losses = {run["run"]: run["loss"] for run in found["runs"] if run["state"] == "done"}
    assert losses == {line["run"]: line["loss"] for line in lines}
    (failed,) = [run for run in found["runs"] if run["state"] == "failed"]
    assert failed["reason"].startswith("diverged at step ")
    assert failed["loss"] is None
    everything = as_json("lab", "status", "--registry", f"sqlite:///{ladder.parent / 'results' / 'registry.sqlite'}")
    assert sorted(run["run"] for run in everything["runs"]) == sorted(run["run"] for run in found["runs"])


def test_status_fits_on_a_terminal(trained) -> None:
    ladder, *_ = trained
    screen = invoke("lab", "status", ladder).stdout
    assert screen.splitlines()[0] == "3 runs: 2 done, 1 failed"
    assert "failed: diverged at step " in screen
    assert max(map(len, screen.splitlines())) < 80


def test_tables_of_a_folder_of_a_ladder_and_of_a_registry(trained, as_json) -> None:
    import pyarrow.parquet as pq

    ladder, *_ = trained
    results = ladder.parent / "results"
    url = f"sqlite:///{results / 'registry.sqlite'}"
    places = [(results,), (ladder,), ("--registry", url), (ladder, "--registry", url)]
    tables = []
    for number, place in enumerate(places):
        target = ladder.parent / f"{number}.parquet"
        assert as_json("lab", "table", *place, "-o", target)["runs"]["count"] == 2
        tables.append(pq.read_table(target))
    assert all(table.equals(tables[0]) for table in tables)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("status",), "whose runs?"),
        (("status", "--registry", "sqlite:///none.sqlite"), "there is no registry"),
        (("status", "--registry", "mysql://x"), "this is no registry"),
        (("table", "-o", "x.parquet"), "nothing to gather"),
        (("table", ".", "--registry", "sqlite:///x", "-o", "x.parquet"), "two places"),
        (("run", "LADDER", "--on", "locl"), "did you mean 'local'"),
        (("run", "LADDER", "--registry", "mysql://x"), "this is no registry"),
    ],
)
def test_bad_input(trained, arguments: tuple[str, ...], complaint: str, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    fresh = tmp_path / "ladder.toml"
    fresh.write_text(trained[0].read_text())
    result = invoke("lab", *(str(fresh) if word == "LADDER" else word for word in arguments))
    assert result.exit_code == 2, result.output
    assert complaint in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "none.sqlite").exists()
