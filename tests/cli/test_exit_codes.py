"""0 done, 1 refusal, 2 bad input, 70 our own defect, 130 interrupted: each with one message where it belongs."""

from __future__ import annotations

from pathlib import Path

import pytest

from kleiber.cli import fit as fit_command
from tests.cli.conftest import invoke

HEADER = "params,tokens,loss\n"


def table(folder: Path, rows: list[tuple[float, float, float]]) -> Path:
    path = folder / "tiny.csv"
    path.write_text(HEADER + "".join(f"{params:g},{tokens:g},{loss}\n" for params, tokens, loss in rows))
    return path


REFUSED = {
    "one row": [(1e7, 1e9, 3.0)],
    "three rows": [(1e7, 1e9, 3.0), (1e8, 1e9, 2.9), (1e8, 1e10, 2.5)],
    "one size": [(1e8, 1e9 * factor, 2 + factor**-0.3) for factor in range(1, 12)],
    "one budget": [(1e7 * factor, 1e9, 2 + factor**-0.3) for factor in range(1, 12)],
}


@pytest.mark.parametrize("rows", REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_says_why_and_what_would_change_it(tmp_path: Path, as_json, rows) -> None:
    path = table(tmp_path, rows)
    kept = tmp_path / "fit.json"
    result = invoke("fit", path, "--bootstrap", 50, "-o", kept)
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.startswith("Not enough to fit a law: ")
    assert second.startswith("What would change it: ")
    assert result.stderr == ""
    found = as_json("fit", path, "--bootstrap", 50, code=1)
    assert found["outcome"] == "too_few_runs"
    assert found["remedy"]
    # A refused fit is kept as what it is, and nothing can be planned from it.
    student = ("--student", "1B", "--flops", "1e22", "--train-teacher")
    asked = (("forecast", kept, "--params", "1B", "--tokens", "1T"), ("plan", kept, "--flops", "1e22"))
    for command in (*asked, ("distil", kept, *student)):
        refused = as_json(*command, code=1)
        assert refused["schema"] == f"kleiber/{command[0]}/1"
        assert refused["outcome"] == "too_few_runs"
        assert refused["reason"].startswith("Not enough to rely on this fit")
        assert refused["remedy"]
        assert invoke(*command).exit_code == 1


def test_a_report_on_a_refused_fit_is_written_and_exits_with_1(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    result = invoke("report", table(tmp_path, REFUSED["three rows"]), "-o", target)
    assert result.exit_code == 1
    assert "What would change it" in result.stdout
    assert target.exists()


def test_a_law_of_one_input_is_no_ground_for_a_plan(ladder: Path) -> None:
    result = invoke("plan", ladder, "--law", "E + A/params**alpha", "--flops", "1e22", "--bootstrap", 0)
    assert result.exit_code == 2
    assert "tokens" in result.stderr


def test_a_ladder_too_short_to_hide_anything_is_fitted_without_a_back_test(tmp_path: Path, as_json) -> None:
    rows = [(size, size * ratio, 1.8 + 400 / size**0.35 + 2000 / (size * ratio) ** 0.37)
            for size in (1e8, 1e9) for ratio in (10, 40, 160)] + [(5e9, 1e11, 1.9)]  # fmt: skip
    path = table(tmp_path, rows)
    found = as_json("fit", path, "--law", "E + A/(params*tokens)**alpha", "--backtest", "--bootstrap", 0)
    assert found["outcome"] == "solved"
    assert "refused" in found["backtest"] or found["backtest"]["folds"]


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 2, "memory"),
        (OSError(28, "No space left on device", "fit.json"), 2, "fit.json: No space left on device"),
        (ZeroDivisionError("boom"), 70, "a defect of Kleiber"),
        (RecursionError("deep"), 70, "a defect of Kleiber"),
    ],
)
def test_whatever_happens_is_one_line(
    monkeypatch: pytest.MonkeyPatch, ladder: Path, error, code: int, says: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(fit_command, "destination", fail)
    result = invoke("fit", ladder, "-o", "x.json")
    assert result.exit_code == code
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_traceback_for_whoever_wants_one(monkeypatch: pytest.MonkeyPatch, ladder: Path) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(fit_command, "destination", fail)
    monkeypatch.setenv("KLEIBER_DEBUG", "1")
    assert "Traceback" in invoke("fit", ladder, "-o", "x.json").stderr


def test_help_and_version() -> None:
    import kleiber

    assert invoke("--version").stdout == f"kleiber {kleiber.__version__}\n"
    overview = invoke("--help").stdout
    for name in (
        "check",
        "fit",
        "forecast",
        "plan",
        "backtest",
        "compare",
        "cost",
        "published",
        "laws",
        "chart",
        "report",
        "lab",
    ):
        assert f"  {name} " in overview
    bare = invoke()
    assert bare.exit_code in (0, 2)
    assert "Usage: kleiber" in bare.output
