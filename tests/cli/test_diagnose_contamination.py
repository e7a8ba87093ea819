"""`kleiber diagnose counterfactual`, `contamination`, `order`, `grokking`: JSON, screen, exit codes, broken files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber.diagnose.memorisation.counterfactual import DIAGNOSTIC as COUNTERFACTUAL
from kleiber.diagnose.memorisation.grokking import DIAGNOSTIC as GROKKING
from kleiber.diagnose.memorisation.order import DIAGNOSTIC as ORDER

COUNTS = ("--train-examples", 300, "--held-out-examples", 300)
KEYS = {"schema", "name", "value", "interval", "verdict", "evidence", "remedy", "rows", "caveats", "reference"}
Columns = dict[str, list[Any]]


def halves(arrays: Mapping[str, Any]) -> Columns:
    """Scores and memberships as a long table, the rows in no order."""
    score_MD, member_MD = np.asarray(arrays["score_MD"]), np.asarray(arrays["member_MD"])
    model, document = np.indices(score_MD.shape).reshape(2, -1)
    at = np.random.default_rng(3).permutation(score_MD.size)
    return {
        "model": [f"half{number}" for number in model[at]],
        "document": [f"speech {number}" for number in document[at]],
        "member": member_MD.reshape(-1)[at].astype(int).tolist(),
        "score": score_MD.reshape(-1)[at].tolist(),
    }


def orders(arrays: Mapping[str, Any]) -> Columns:
    every_SQ = np.concatenate([arrays["published_S"][:, None], arrays["shuffled_SP"]], axis=1)
    part, place = np.indices(every_SQ.shape).reshape(2, -1)
    at = np.random.default_rng(3).permutation(every_SQ.size)
    return {
        "part": part[at].tolist(),
        "published": (place[at] == 0).astype(int).tolist(),
        "logprob": every_SQ.reshape(-1)[at].tolist(),
    }


def accuracies(arrays: Mapping[str, Any]) -> Columns:
    return {
        "step": np.asarray(arrays["step_S"]).tolist(),
        "train_accuracy": np.asarray(arrays["train_accuracy_S"]).tolist(),
        "held_out_accuracy": np.asarray(arrays["held_out_accuracy_S"]).tolist(),
    }


LONG: dict[str, tuple[Any, Callable[[Mapping[str, Any]], Columns], tuple[object, ...]]] = {
    "counterfactual": (COUNTERFACTUAL, halves, ()),
    "order": (ORDER, orders, ()),
    "grokking": (GROKKING, accuracies, COUNTS),
}


def write(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("command", LONG)
def test_the_contract_is_that_of_the_function(as_json, tmp_path: Path, command: str) -> None:
    diagnostic, columns, options = LONG[command]
    for name, draw in (("null", diagnostic.null), ("planted", diagnostic.planted)):
        arrays = draw(np.random.default_rng(1))
        found = diagnostic.measure(**arrays)
        (told,) = as_json("diagnose", command, write(tmp_path / f"{name}.csv", columns(arrays)), *options)
        assert told.keys() == KEYS
        assert (told["schema"], told["name"], told["verdict"]) == ("kleiber/finding/1", found.name, found.verdict)
        assert told["value"] == pytest.approx(found.value)
        assert told["interval"] == pytest.approx(found.interval)
    assert told["verdict"] in ("found", "warning", "problem")


def test_documents_are_told_by_name(as_json, tmp_path: Path) -> None:
    arrays = dict(COUNTERFACTUAL.planted(np.random.default_rng(1)))
    arrays["score_MD"] = arrays["score_MD"] + 5.0 * arrays["member_MD"] * (np.arange(60) == 41)
    columns = halves(arrays)
    (told,) = as_json("diagnose", "counterfactual", write(tmp_path / "a.csv", columns))
    assert "The largest are speech 41, " in told["evidence"]
    assert told["rows"] == []


@pytest.mark.parametrize("command", LONG)
def test_the_screen_says_what_is_well(shell, tmp_path: Path, command: str) -> None:
    diagnostic, columns, options = LONG[command]
    file = write(tmp_path / "null.csv", columns(diagnostic.null(np.random.default_rng(1))))
    result = shell("diagnose", command, file, *options)
    assert result.exit_code == 0
    assert result.stdout.startswith("✔")


@pytest.mark.parametrize(
    ("command", "columns", "says"),
    [
        ("counterfactual", {"model": [1, 1], "document": [1, 2], "member": [0, 1], "score": [0.5, 0.7]}, "1 models"),
        (
            "counterfactual",
            {"model": [1, 2, 3, 4] * 6, "document": [d for d in range(6) for _ in range(4)],
             "member": [0, 1] * 12, "score": [0.5] * 24},
            "Every score is the same",
        ),
        ("order", {"part": [1, 1], "published": [1, 0], "logprob": [-1.0, -2.0]}, "cannot come to"),
        ("order", {"part": [p for p in range(6) for _ in "abc"], "published": [1, 0, 0] * 6, "logprob": [-1.0] * 18},
         "equally likely"),
        ("grokking", {"step": [1, 2], "train_accuracy": [0.1, 1], "held_out_accuracy": [0.1, 0.2]}, "too few"),
        ("grokking", {"step": list(range(9)), "train_accuracy": [0.5] * 9, "held_out_accuracy": [0.5] * 9},
         "nothing is delayed yet"),
    ],
)  # fmt: skip
def test_too_little_cannot_tell(shell, tmp_path: Path, command: str, columns: Columns, says: str) -> None:
    options = COUNTS if command == "grokking" else ()
    result = shell("diagnose", command, write(tmp_path / "few.csv", columns), *options)
    assert result.exit_code == 1
    assert says in " ".join(result.stdout.split())


FULL: dict[str, Columns] = {
    "counterfactual": {"model": [1, 1, 2, 2], "document": ["a", "b"] * 2, "member": [0, 1, 1, 0], "score": [0.1] * 4},
    "order": {"part": [1, 1, 2, 2], "published": [1, 0, 1, 0], "logprob": [-1.0, -2.0, -1.0, -2.0]},
    "grokking": {"step": [1, 2, 3], "train_accuracy": [0.1, 1, 1], "held_out_accuracy": [0.1, 0.2, 0.3]},
}


@pytest.mark.parametrize(
    ("command", "change", "says"),
    [
        ("counterfactual", {"score": [0.1, "nan", 0.1, 0.1]}, "row 2, score"),
        ("counterfactual", {"score": [0.1, "", 0.1, 0.1]}, "row 2, score"),
        ("counterfactual", {"score": [0.1, "x", 0.1, 0.1]}, "row 2, score: this is not a number"),
        ("counterfactual", {"member": [0, 1, 2, 0]}, "row 3, member: here stands 0 or 1"),
        ("counterfactual", {"document": ["a", "b", "a", "a"]}, "document a under model 2 is there twice"),
        ("counterfactual", {"document": ["a", "b", "a", "c"]}, "document c under model 1 is not there"),
        ("counterfactual", {"model": [1, "", 2, 2]}, "row 2, model"),
        ("counterfactual", {"member": None}, "no column member"),
        ("order", {"published": [1, 1, 1, 0]}, "2 in part 1"),
        ("order", {"published": [0, 0, 1, 0]}, "0 in part 1"),
        ("order", {"part": [1, 1, 1, 2], "published": [1, 0, 0, 1]}, "0 in part 2, 2 in part 1"),
        ("order", {"logprob": [-1, "inf", -1, -2]}, "row 2, logprob"),
        ("order", {"logprob": None}, "no column logprob"),
        ("grokking", {"step": [1, 3, 2]}, "steps do not rise"),
        ("grokking", {"train_accuracy": [0.1, 1.5, 1]}, "1.5 at row 2"),
        ("grokking", {"train_accuracy": [0.1, "nan", 1]}, "nan at row 2"),
        ("grokking", {"held_out_accuracy": None}, "no column held_out_accuracy"),
    ],
)
def test_bad_values_are_named(shell, tmp_path: Path, command: str, change: dict[str, Any], says: str) -> None:
    columns = {name: values for name, values in {**FULL[command], **change}.items() if values is not None}
    options = COUNTS if command == "grokking" else ()
    result = shell("diagnose", command, write(tmp_path / "bad.csv", columns), *options, "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "bad.csv" in result.stderr
    assert says in result.stderr


BROKEN = [(command, content) for command in LONG for content in (None, b"", b"PK\x03\x04\x00\xff" * 50)]


@pytest.mark.parametrize(("command", "content"), [*BROKEN, ("contamination", None), ("contamination", b" ")])
def test_files_that_are_none(shell, tmp_path: Path, command: str, content: bytes | None) -> None:
    file = tmp_path / "broken.csv"
    if content is not None:
        file.write_bytes(content)
    options = COUNTS if command == "grokking" else (file,) if command == "contamination" else ()
    result = shell("diagnose", command, file, *options)
    assert result.exit_code == 2
    assert "broken.csv" in result.stderr


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("order", ("--level", "0")),
        ("counterfactual", ("--level", "nan")),
        ("counterfactual", ("--level", "1.5")),
        ("grokking", (*COUNTS, "--tau", "1")),
        ("grokking", ("--train-examples", 0, "--held-out-examples", 3)),
    ],
)
def test_bad_options(shell, tmp_path: Path, command: str, options: tuple[object, ...]) -> None:
    diagnostic, columns, _ = LONG[command]
    file = write(tmp_path / "a.csv", columns(diagnostic.null(np.random.default_rng(0))))
    result = shell("diagnose", command, file, *options)
    assert result.exit_code == 2


def test_runs_of_words_in_the_training_text(as_json, shell, tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def text(words: int) -> str:
        return " ".join(f"word{number}" for number in random.integers(2000, size=words))

    train = [text(80) for _ in range(20)]
    test, fresh = [text(40) for _ in range(8)], [text(40) for _ in range(40)]
    test[2] = f"{text(10)} {', '.join(train[5].upper().split()[30:50])}. {text(10)}"
    for name, texts in (("train.txt", train), ("test.txt", test), ("fresh.txt", fresh)):
        (tmp_path / name).write_text("\n\n".join(texts))
    (found,) = as_json("diagnose", "contamination", tmp_path / "train.txt", tmp_path / "test.txt")
    assert (found["verdict"], found["value"], found["rows"]) == ("warning", 1 / 8, [3])
    beside = ("--control", tmp_path / "fresh.txt")
    (found,) = as_json("diagnose", "contamination", tmp_path / "train.txt", tmp_path / "test.txt", *beside)
    assert found["verdict"] == "ok"
    assert "beside 0 of 40 that cannot have been (p = 0.17)" in found["evidence"]
    (found,) = as_json("diagnose", "contamination", tmp_path / "train.txt", tmp_path / "fresh.txt")
    assert found["verdict"] == "ok"
    result = shell("diagnose", "contamination", tmp_path / "train.txt", tmp_path / "test.txt", "--words", 500)
    assert result.exit_code == 1
    assert "No test document has 500 tokens" in " ".join(result.stdout.split())
