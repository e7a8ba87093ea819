"""What people see: sentences they can quote, and the next command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import write_ladder


def test_fit(shell, ladder: Path, tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    lines = shell("fit", ladder, "--bootstrap", 100, "-o", path).stdout.splitlines()
    assert lines[0].startswith("loss = E + A / params^alpha + B / tokens^beta")
    assert lines[0].endswith("40 runs · Huber on log loss, δ = 1e-3 · 64 of 64 starts agree")
    assert re.fullmatch(
        r"alpha +0\.\d{4} +0\.\d{3} - 0\.\d{3}", next(line for line in lines if line.startswith("alpha"))
    )
    whole = "\n".join(lines)
    assert "tokens ∝ params" in whole
    assert "Hidden top rungs are predicted within" in whole
    assert lines[-1] == f"Next: kleiber plan {path} --flops 1000x"


def test_scales_that_are_known_only_jointly_are_not_given_intervals(shell, tmp_path: Path) -> None:
    noisy = write_ladder(tmp_path / "noisy.csv", noise=0.015)
    screen = shell("fit", noisy, "--bootstrap", 200, "--no-backtest").stdout
    (line,) = [line for line in screen.splitlines() if line.startswith("A, B ")]
    assert "(not identified one by one; see the joint draws)" in line


def test_fit_without_draws_says_how_to_get_intervals(shell, ladder: Path) -> None:
    screen = shell("fit", ladder, "--bootstrap", 0, "--fix", "alpha=0.35").stdout
    assert "no intervals without draws: --bootstrap 1000" in screen
    assert "alpha fixed at 0.35" in screen
    assert "-o fit.json" in screen.splitlines()[-1]


def test_more_is_asked_of_a_fit_by_name(shell, ladder: Path) -> None:
    options = (
        "--bootstrap",
        40,
        "--no-backtest",
        "--starts",
        8,
        "--ceiling",
        "--sensitivity",
        "--profile",
        "--isoflop",
    )
    screen = shell("fit", ladder, *options).stdout
    assert "Floor at" in screen
    assert "Approach 1 (envelope)" in screen or "No envelope here" in screen
    assert "Approach 2 (parabolas)" in screen or "No parabolas here" in screen
    assert "ways of fitting the same runs" in screen
    assert re.search(r"^beta = 0\.3\d+ \(", screen, flags=re.MULTILINE)


def test_forecast(shell, fit_file: Path) -> None:
    screen = shell("forecast", fit_file, "--params", "70B", "--tokens", "1.4T").stdout
    assert screen.startswith("loss 1.9")
    assert "at 70B params, 1.4T tokens, 5.88e23 FLOP" in screen
    assert "95 % interval of the law" in screen
    assert "extrapolates 1.3 decades beyond your largest run" in screen
    inside = shell("forecast", fit_file, "--params", "1B", "--tokens", "50B").stdout
    assert "inside the compute of the runs" in inside


def test_plan(shell, fit_file: Path) -> None:
    first, *rest = shell("plan", fit_file, "--flops", "5.76e23").stdout.splitlines()
    assert re.match(r"Train \d+B params on [\d.]+T tokens: loss \d\.\d{3} \(", first)
    whole = " ".join(line.strip() for line in rest)
    assert "costs less than 0.1 % of the loss" in whole
    assert "1 % more compute buys" in whole


def test_check(shell, ladder: Path) -> None:
    screen = shell("check", ladder).stdout
    assert screen.startswith("40 runs · 40M - 6B params · ")
    assert " FLOP · flops: 6 params tokens" in screen.splitlines()[0]
    assert "nothing wrong with" in screen


def test_backtest(shell, ladder: Path) -> None:
    screen = shell("backtest", ladder, "--law", "chinchilla", "--bootstrap", 20, "--folds", 2, "--starts", 16).stdout
    assert screen.startswith("Hidden top rungs are predicted within")
    (head,) = [line for line in screen.splitlines() if line.startswith("law ")]
    assert "cut at FLOP" in head
    rows = [line for line in screen.splitlines() if line.startswith("chinchilla")]
    assert len(rows) == 2


def test_published(shell) -> None:
    screen = shell("published", "GPT-3", "Chinchilla", "Mistral 7B").stdout
    assert re.search(r"^GPT-3 .*undertrained ×3\.3", screen, flags=re.MULTILINE)
    assert re.search(r"^Chinchilla .*near optimal", screen, flags=re.MULTILINE)
    assert re.search(r"^GPT-3 .*; extrapolated ×11 in params$", screen, flags=re.MULTILINE)
    assert "tokens never published" in screen
    missing = shell("published", "GPT-33")
    assert missing.exit_code == 2
    assert "GPT-3" in missing.stderr


def test_laws(shell) -> None:
    assert "chinchilla " in shell("laws").stdout
    one = shell("laws", "chinchilla").stdout
    assert one.startswith("loss = E + A / params^alpha + B / tokens^beta")
    assert "hoffmann-2022" in one
    assert "arXiv 2203.15556" in one
    assert "fitted on params 70M to 16B, tokens 5B to 500B" in one
    assert shell("laws", "chinchila").exit_code == 2


@pytest.mark.parametrize("width", [40, 80, 200])
def test_long_sentences_hang_under_themselves(capsys: pytest.CaptureFixture[str], width: int, monkeypatch) -> None:
    from kleiber.cli import screen

    monkeypatch.setattr(screen, "PLAIN_WIDTH", width)
    screen.hang("!", "word " * 60, at=4)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("!   word")
    assert all(line.startswith("    word") for line in lines[1:])
    assert max(map(len, lines)) <= max(width, 34)


def test_markup_is_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    from kleiber.cli import screen

    screen.say("[red]not red[/red] :smile:")
    assert capsys.readouterr().out == "[red]not red[/red] :smile:\n"


def test_fit_names_copies_and_mixed_families_without_being_asked(shell, as_json, tmp_path: Path) -> None:
    """Only `kleiber check` did: the intervals of a fit shrank with every copy, and nobody was told."""
    first = write_ladder(tmp_path / "first.csv").read_text().splitlines()
    clean = shell("fit", tmp_path / "first.csv", "--bootstrap", 40, "--no-backtest").stdout
    assert "✘" not in clean
    other = [line.replace(",dense", ",ssm").replace("n", "m", 1) for line in first[1:]]
    (tmp_path / "mixed.csv").write_text("\n".join([*first, *other, *first[1:6]]) + "\n")
    law = tmp_path / "law.json"
    screen = shell("fit", tmp_path / "mixed.csv", "--bootstrap", 40, "--no-backtest", "-o", law).stdout
    assert "✘   exact duplicates: 5 of 85 rows" in screen
    assert "✘   mixed populations: The table mixes family: dense, ssm." in screen
    found = as_json("fit", tmp_path / "mixed.csv", "--bootstrap", 40, "--no-backtest")
    assert {"exact duplicates", "mixed populations"} <= {each["name"] for each in found["findings"]}
    assert "exact duplicates" in law.read_text()
