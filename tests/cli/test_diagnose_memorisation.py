"""`kleiber diagnose memorisation`: its JSON, its screen, its exit codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

KEYS = {"schema", "name", "value", "interval", "verdict", "evidence", "remedy", "rows", "caveats", "reference"}


def scores(path: Path, *, held_out: float, train: float = -1.0, documents: int = 30) -> Path:
    """Documents of 20 tokens each, the train side at a mean log-probability of -1."""
    random = np.random.default_rng(0)
    lines = ["document,split,logprob"]
    for split, mean in (("train", train), ("held-out", held_out)):
        for document in range(documents):
            lines += [f"{split}{document},{split},{mean * value:.4f}" for value in random.gamma(20, 1 / 20, size=20)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_contract(as_json, tmp_path: Path) -> None:
    file = scores(tmp_path / "a.csv", held_out=-2.9)
    found = as_json("diagnose", "memorisation", file, "--baseline", 3, "--params", "1M", "--unique-tokens", "100k")
    assert [finding["name"] for finding in found] == [
        "does_not_carry_over", "carries_over", "membership", "unique_bits_budget", "memorising_or_generalising",
    ]  # fmt: skip
    for finding in found:
        assert finding.keys() == KEYS
        assert finding["schema"] == "kleiber/finding/1"
    assert found[-1]["verdict"] == "problem"
    assert "more unique data or fewer parameters" in found[-1]["remedy"]
    assert found == as_json(
        "diagnose", "memorisation", file, "--baseline", 3, "--params", "1M", "--unique-tokens", "100k"
    )


def test_several_files_are_looks_at_one_run(as_json, tmp_path: Path) -> None:
    early, late = scores(tmp_path / "early.csv", held_out=-1.0), scores(tmp_path / "late.csv", held_out=-2.9)
    found = as_json("diagnose", "memorisation", early, late, "--baseline", 3)
    assert found[0]["evidence"].startswith("early.csv: The run generalises")
    assert found[-1]["evidence"].startswith("The run memorises")
    assert "2 looks" in found[-1]["evidence"]


def test_the_screen_ends_with_the_change(shell, tmp_path: Path) -> None:
    result = shell("diagnose", "memorisation", scores(tmp_path / "a.csv", held_out=-2.9), "--baseline", 3)
    assert result.exit_code == 0
    assert "The run memorises" in result.stdout
    assert "fewer passes" in " ".join(result.stdout.split())


def test_nothing_told_is_a_refusal(shell, tmp_path: Path) -> None:
    few = scores(tmp_path / "few.csv", held_out=-2.0, documents=3)
    result = shell("diagnose", "memorisation", few, "--baseline", 3)
    assert result.exit_code == 1
    assert "are too few" in result.stdout
    file = scores(tmp_path / "a.csv", held_out=-3.0, train=-3.0)
    result = shell("diagnose", "memorisation", file, "--baseline", 3)
    assert result.exit_code == 1
    assert "Neither memory nor a rule is shown" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--params", "x"), "--params"),
        (("--params", "-1"), "--params"),
        (("--chance", "2"), "--chance"),
        (("--baseline", "-1"), "--baseline"),
        (("--baseline", "nan"), "--baseline"),
        (("--level", "0"), "--level"),
        (("--lowest", "0"), "--lowest"),
        (("--space-bits", "inf"), "--space-bits"),
    ],
)
def test_bad_options(shell, tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    result = shell("diagnose", "memorisation", scores(tmp_path / "a.csv", held_out=-2.0), *options, "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr


def test_bad_files(shell, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("document,split,logprob\n1,train,-1\n1,trian,-1\n")
    for file, says in ((bad, "did you mean 'train'"), (tmp_path / "none.csv", "no such file")):
        result = shell("diagnose", "memorisation", file, "--json")
        assert result.exit_code == 2
        assert result.stdout == ""
        assert says in result.stderr
