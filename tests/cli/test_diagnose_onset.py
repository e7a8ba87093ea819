"""`kleiber diagnose induction` and `in-context` on curves over training: JSON, screen, exit codes, broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

LOOKS = 10


def curve(path: Path, *, formed: bool, looks: int = LOOKS, **change: str) -> Path:
    """A head that forms at step 500 with a fall of the score there, or none; `change` sets a column's last value."""
    random = np.random.default_rng(0)
    lines = ["step,loss,score,error,even,head_1_1,head_2_1"]
    for look in range(looks):
        late = formed and look >= 5
        row = {
            "step": 100 * look,
            "loss": 3.0 - 0.1 * look,
            "score": (-0.4 if late else -0.05) + 0.002 * random.normal(),
            "error": 0.01,
            "even": 0.04,
            "head_1_1": 0.002,
            "head_2_1": 0.7 if late else 0.01,
        }
        if look == looks - 1:
            row |= change
        lines.append(",".join(map(str, row.values())))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_head_and_a_bump(as_json, tmp_path: Path) -> None:
    onset, bump = as_json("diagnose", "induction", curve(tmp_path / "curve.csv", formed=True))
    assert (onset["name"], onset["verdict"], onset["value"]) == ("onset of induction heads", "found", 500)
    assert onset["interval"] == [400, 500]
    assert (bump["name"], bump["verdict"]) == ("induction bump", "found")
    assert as_json("diagnose", "in-context", tmp_path / "curve.csv", "--curve") == [bump]


def test_no_head_and_no_bump(shell, tmp_path: Path) -> None:
    result = shell("diagnose", "induction", curve(tmp_path / "curve.csv", formed=False))
    assert result.exit_code == 0
    assert "None of 2 heads stays an induction head" in " ".join(result.stdout.split())


def test_a_control_takes_off_what_position_gives(as_json, shell, tmp_path: Path) -> None:
    weights = np.tril(np.random.default_rng(0).gamma(0.3, size=(2, 64, 64)) + 1e-9)
    query = np.arange(32, 64)
    weights /= weights.sum(axis=2, keepdims=True)
    weights[0, query] *= 0.2
    weights[0, query, query - 31] += 0.8
    np.save(tmp_path / "attention.npy", weights)
    (alone,) = as_json("diagnose", "induction", tmp_path / "attention.npy")
    (beside,) = as_json("diagnose", "induction", tmp_path / "attention.npy", "--control", tmp_path / "attention.npy")
    assert (alone["verdict"], beside["verdict"], beside["value"]) == ("found", "ok", 0)
    result = shell("diagnose", "induction", curve(tmp_path / "c.csv", formed=True), "--control", tmp_path / "c.csv")
    assert result.exit_code == 2


@pytest.mark.parametrize("command", [("induction",), ("in-context", "--curve")])
def test_few_looks_cannot_tell(shell, tmp_path: Path, command: tuple[str, ...]) -> None:
    file = curve(tmp_path / "few.csv", formed=True, looks=4)
    result = shell("diagnose", *command, file)
    assert result.exit_code == 1
    assert "too few" in result.stdout


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("score", "nan", "nan at row 10"),
        ("head_2_1", "1.5", "between -1 and 1"),
        ("error", "-1", "0 or more"),
        ("step", "0", "steps do not rise"),
        ("even", "7", "same in every row"),
    ],
)
def test_a_bad_value_is_named_with_its_file(shell, tmp_path: Path, column: str, value: str, says: str) -> None:
    result = shell("diagnose", "induction", curve(tmp_path / "bad.csv", formed=True, **{column: value}))
    assert result.exit_code == 2
    assert "bad.csv" in result.stderr
    assert says in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bytes.csv", b"PK\x03\x04\x00\x01\xff", "no table in text"),
        ("names.csv", b"\x80\r", "names of the columns are no text"),
        ("bytes.npy", b"PK\x03\x04\x00\x01\xff", "not a .npy file"),
        ("bytes.parquet", b"PK\x03\x04\x00\x01\xff", "cannot be read"),
        ("empty.npy", b"", "an empty file"),
        ("empty.csv", b"", "cannot be read"),
        ("cut.npy", b"\x93NUMPY\x01\x00", "cannot be read"),
        ("words.csv", b"step,score\n1,a\n", "no column 'score'"),
        ("array.txt", b"1 2", "read from .npy"),
    ],
)
@pytest.mark.parametrize("command", [("induction",), ("in-context", "--curve")])
def test_files_that_are_none(
    shell, tmp_path: Path, command: tuple[str, ...], name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = shell("diagnose", *command, tmp_path / name)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert name in result.stderr
    assert "pickle" not in result.stderr
    assert says in result.stderr or (command[0] == "in-context" and name == "array.txt")
