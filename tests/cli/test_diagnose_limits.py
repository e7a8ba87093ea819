"""`kleiber diagnose RUNS`, `emergence`, `data` and their kin: findings, exit codes, bad input by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kleiber.diagnose.emergence.jump import broken_models, smooth_models

KEYS = {"schema", "name", "verdict", "value", "interval", "evidence", "remedy", "rows", "caveats", "reference"}


def write_table(path: Path, table: dict[str, object]) -> Path:
    columns = {name: np.broadcast_to(np.asarray(values, dtype=float), 16) for name, values in table.items()}
    rows = [
        ",".join(columns),
        *(",".join(f"{value:.10g}" for value in row) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = dict(smooth_models(np.random.default_rng(1)))
    return write_table(tmp_path_factory.mktemp("tables") / "additions.csv", {"flops": table.pop("x"), **table})


def test_what_limits_a_run(as_json, shell, ladder: Path, tmp_path: Path) -> None:
    found = as_json("diagnose", ladder, "--bootstrap", 60, "--starts", 8, "--run", "n6e+09-r4")
    assert [each["name"] for each in found] == [
        "what limits the run", "capacity", "data", "memorisation", "learning rate", "noise floor",
    ]  # fmt: skip
    assert all(each.keys() == KEYS and each["schema"] == "kleiber/finding/1" for each in found)
    assert found[0]["interval"][0] < found[0]["value"] < found[0]["interval"][1]
    chart = tmp_path / "limits.svg"
    drawn = shell("diagnose", "limits", ladder, "--bootstrap", 40, "--starts", 8, "--run", "row 1", "--chart", chart)
    assert drawn.exit_code in (0, 1)
    assert "off the loss" in drawn.stdout
    assert chart.read_text().startswith("<svg")


def test_runs_that_support_no_law_are_a_refusal(as_json, ladder: Path) -> None:
    (found,) = as_json("diagnose", ladder, "--where", "params < 5e7", "--bootstrap", 0, code=1)
    assert found["verdict"] == "cannot tell"
    assert found["value"] is None


def test_a_jump_of_the_metric(as_json, shell, scored: Path, tmp_path: Path) -> None:
    found = as_json("diagnose", "emergence", scored)
    assert [each["name"] for each in found] == ["jump", "hidden models", "threshold"]
    assert found[0]["verdict"] == "ok"
    chart = tmp_path / "jump.json"
    assert shell("diagnose", "emergence", scored, "--chart", chart).exit_code == 0
    assert "nats per token" in chart.read_text()
    table = dict(broken_models(np.random.default_rng(1)))
    broken = write_table(tmp_path / "broken.csv", {"params": table.pop("x"), **table})
    assert as_json("diagnose", "emergence", broken)[0]["verdict"] == "found"


def test_accuracy_by_way_of_loss(as_json, ladder: Path, fit_file: Path, tmp_path: Path) -> None:
    loss = np.linspace(2.0, 3.5, 16)
    accuracy = 0.9 - 0.6 / (1 + np.exp(-4 * (loss - 2.6))) + 0.005 * np.sin(9 * loss)
    table = write_table(tmp_path / "tasks.csv", {"loss": loss, "accuracy": accuracy})
    (found,) = as_json("diagnose", "emergence", table, "--forecast", fit_file, "--params", "10B", "--tokens", "1T")
    assert found["name"] == "two-step accuracy"
    assert found["interval"][0] < found["value"] < found["interval"][1]


def test_arrays_of_a_model(as_json, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "losses.npy", 2.0 - 0.2 * np.log(np.arange(1, 65)) + 0.1 * rng.normal(size=(40, 64)))
    weights = np.tril(rng.gamma(0.3, size=(4, 64, 64)) + 1e-9)
    np.save(tmp_path / "attention.npy", weights / weights.sum(axis=2, keepdims=True))
    assert as_json("diagnose", "in-context", tmp_path / "losses.npy")[0]["verdict"] == "found"
    assert as_json("diagnose", "induction", tmp_path / "attention.npy")[0]["verdict"] == "ok"


def test_spoilt_text_and_copies(as_json, tmp_path: Path) -> None:
    ladder = Path(__file__).parents[2] / "ladders" / "sotu-data" / "runs.parquet"
    found = as_json("diagnose", "data", ladder, "--by", "noise")
    assert {"noise 0.3: shift of the loss", "noise 0.3: value of cleaning"} <= {each["name"] for each in found}
    for name, texts in (
        ("train", ["one two three four five six", "seven eight nine ten"]),
        ("held", ["ONE two three four five six!"]),
    ):
        (tmp_path / name).mkdir()
        for number, text in enumerate(texts):
            (tmp_path / name / f"{number}.txt").write_text(text)
    (copies,) = as_json("diagnose", "duplicates", tmp_path / "train", tmp_path / "held")
    assert copies["verdict"] == "problem"
    assert copies["rows"] == [1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "flops,correct\n1,2\n", "how many questions"),
        ("b.csv", "correct,asked\n1,2\n", "what is scaled"),
        ("c.csv", "flops,correct,asked\n1,5,2\n", "c.csv: more are right than were asked"),
        ("d.csv", "flops,correct,asked\n1,,2\n2,1,2\n", "not a finite number"),
        ("e.txt", "x", "not read from such files"),
    ],
)
def test_bad_tables_are_named(shell, tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    result = shell("diagnose", "emergence", tmp_path / name)
    assert result.exit_code == 2
    assert words in result.stderr
    assert name in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("induction", "missing.npy"), "no such file"),
        (("duplicates", "missing", "missing"), "no such file or folder"),
        (("data", "missing.parquet"), "missing.parquet"),
        (("missing.parquet",), "missing.parquet"),
    ],
)
def test_files_that_are_not_there(shell, arguments: tuple[str, ...], words: str) -> None:
    result = shell("diagnose", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
