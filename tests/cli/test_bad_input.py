"""Whatever is handed in: exit code 2, one message that names file, row and column, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.conftest import invoke

HEADER = "params,tokens,loss\n"
ROWS = "".join(f"{size},{ratio * size},{2 + 400 / size**0.35 + ratio**-0.3:.4f}\n"
               for size in (10**7, 3 * 10**7, 10**8) for ratio in (5, 20, 80))  # fmt: skip


def complaint(result: Result, code: int = 2) -> str:
    """The one message of a command that failed as it should."""
    assert result.exit_code == code, (result.exit_code, result.output)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("kleiber: "), result.stderr
    return result.stderr


def written(folder: Path, text: str, name: str = "runs.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


COMMANDS = ("check", "fit", "backtest")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", ["runs.csv", "empty"]),
        (" \n\n", ["runs.csv", "empty"]),
        (HEADER, ["runs.csv", "no rows"]),
        ("params,tokens\n1e7,1e8\n", ["runs.csv", "loss", "--map"]),
        (HEADER + "1e7,1e8,2.9\n70x,1e8,2.7\n", ["runs.csv", "row 2", "params", "70x"]),
        (HEADER + "1e7,1e8,2.9\n1e7,1e8,NaN\n", ["runs.csv", "row 2", "loss", "NaN"]),
        (HEADER + "1e7,1e8,inf\n", ["runs.csv", "row 1", "loss", "inf"]),
        (HEADER + "1e7,1e8,2.9\n1e7,-5,2.9\n", ["runs.csv", "row 2", "tokens", "-5"]),
        (HEADER + "1e7,1e8,2.9\n0,1e8,2.9\n", ["runs.csv", "row 2", "params"]),
        (HEADER + "1e7,1e8,2.9\n1e7,,2.9\n", ["runs.csv", "row 2", "tokens", "missing"]),
        (HEADER + "1e7,1e8,2.9,17\n", ["runs.csv", "row 1"]),
        ("params,params,loss\n1,2,3\n", ["runs.csv", "params"]),
        ("params,tokens,loss,loss_unit\n1e7,1e8,2,nats_per_token\n1e7,1e8,1,bits_per_byte\n",
         ["runs.csv", "row 2", "loss_unit", "nats_per_token", "bits_per_byte"]),
        ("params,tokens,loss,params_convention\n1e7,1e8,2,total\n1e7,1e8,1,non_embedding\n",
         ["runs.csv", "row 2", "params_convention"]),
    ],
    ids=["empty", "blank", "no-rows", "missing-column", "text", "nan", "inf", "negative", "zero", "missing-value", "ragged",
         "twice-a-column", "units-mixed", "counting-mixed"],
)  # fmt: skip
def test_tables(tmp_path: Path, command: str, content: str, says: list[str]) -> None:
    message = complaint(invoke(command, written(tmp_path, content)))
    for word in says:
        assert word in message, message


@pytest.mark.parametrize("command", COMMANDS)
def test_no_such_file_suggests_the_nearest(tmp_path: Path, command: str) -> None:
    written(tmp_path, HEADER + ROWS)
    message = complaint(invoke(command, tmp_path / "rusn.csv"))
    assert "no such file" in message
    assert "did you mean 'runs.csv'" in message


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder(tmp_path: Path, command: str) -> None:
    assert str(tmp_path) in complaint(invoke(command, tmp_path))


def test_half_a_parquet_file(tmp_path: Path, ladder: Path) -> None:
    import kleiber

    whole = tmp_path / "whole.parquet"
    kleiber.read(ladder).write(whole)
    half = tmp_path / "half.parquet"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    message = complaint(invoke("fit", half))
    assert "half.parquet" in message
    assert "cut short" in message


def test_binary_and_pickle(tmp_path: Path) -> None:
    noise = tmp_path / "runs.csv"
    noise.write_bytes(bytes(range(256)) * 40)
    complaint(invoke("fit", noise))
    pickle = tmp_path / "runs.pkl"
    pickle.write_bytes(b"\x80\x04\x95rest")
    assert "never loaded" in complaint(invoke("fit", pickle))


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('touch hacked')",
        "E + A/params**alpha; open('hacked', 'w')",
        "E + params.real",
        "[x for x in (1,)]",
        "lambda params: params",
        "E + exec(params)",
        "E + A/params**",
        "",
        "17",
        "no-such-law",
        "chinchila",
        "E + foo(params)",
        "(" * 500 + "params" + ")" * 500,
        "E + A/params**9**9**9**9",
        "params" + "+params" * 20_000,
    ],
)
def test_formulas(tmp_path: Path, ladder: Path, formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    complaint(invoke("fit", ladder, "--law", formula, "--bootstrap", 0))
    assert list(tmp_path.iterdir()) == []


def test_a_law_whose_column_is_missing(ladder: Path) -> None:
    message = complaint(invoke("fit", ladder, "--law", "E + A/examples**alpha"))
    assert "examples" in message
    assert "ladder.csv" in message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--where", "loss <"), "--where"),
        (("--where", "lss < 3"), "lss"),
        (("--where", "loss < 0.1"), "no run satisfies"),
        (("--map", "params"), "--map"),
        (("--map", "params=nosuch"), "nosuch"),
        (("--conventions", "params=all"), "all"),
        (("--conventions", "size=total"), "size"),
        (("--format", "excel"), "excel"),
        (("--delta", "0"), "delta"),
        (("--delta", "nan"), "delta"),
        (("--objective", "mean"), "mean"),
        (("--fix", "alpha"), "--fix"),
        (("--fix", "alpha=x"), "--fix"),
        (("--fix", "gamma=1"), "gamma"),
        (("--cluster", "nosuch"), "nosuch"),
        (("--cluster", "family"), "family"),
    ],
)
def test_options(ladder: Path, options: tuple[str, ...], says: str) -> None:
    assert says in complaint(invoke("fit", ladder, "--bootstrap", 10, *options))


def test_a_plan_needs_a_budget() -> None:
    assert "--flops" in complaint(invoke("plan", "chinchilla:besiroglu-2024"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit",),
        ("fit", "a", "b"),
        ("fit", "a", "--nosuch"),
        ("fit", "a", "--bootstrap", "-1"),
        ("fit", "a", "--bootstrap", "many"),
        ("fit", "a", "--seed", "-1"),
        ("nosuch",),
        ("lab", "nosuch"),
        ("chart", "a"),
    ],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("forecast", "--params", "70x", "--tokens", "1T"), "--params"),
        (("forecast", "--params", "-7B", "--tokens", "1T"), "--params"),
        (("forecast", "--params", "7B"), "tokens"),
        (("forecast", "--params", "7B", "--tokens", "1T", "--at", "params=1"), "--at"),
        (("forecast", "--params", "inf", "--tokens", "1T"), "--params"),
        (("plan", "--flops", "lots"), "--flops"),
        (("plan", "--flops", "0"), "--flops"),
        (("plan", "--flops", "-1x"), "--flops"),
        (("plan", "--flops", "1e23", "--max-params", "zero"), "--max-params"),
        (("plan", "--flops", "1e23", "--law", "kaplan"), "--law"),
        (("plan", "--flops", "1e23", "--where", "loss < 3"), "--where"),
        (("chart", "nosuch", "-o", "chart.svg"), "nosuch"),
        (("chart", "compute", "-o", "chart.bmp"), ".bmp"),
    ],
)
def test_questions_to_a_fit(
    fit_file: Path, arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *rest = arguments
    assert says in complaint(invoke(command, fit_file, *rest))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--floor", "maybe"), "maybe"),
        (("--floor", "9"), "floor"),
        (("--fix", "alpha=0.3"), "--fix"),
        (("--flops", "no"), "--flops"),
    ],
)
def test_comparisons(ladder: Path, options: tuple[str, ...], says: str) -> None:
    assert says in complaint(invoke("compare", ladder, ladder, *options))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_damaged_fit_file(tmp_path: Path, fit_file: Path, share: float) -> None:
    text = fit_file.read_text()
    damaged = written(tmp_path, text[: int(share * len(text))], "fit.json")
    message = complaint(invoke("plan", damaged, "--flops", "1e23"))
    assert "fit.json" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [("formula", "__import__('os')"), ("parameters", {}), ("objective", {"name": "mean", "delta": 1}),
     ("outcome", "perfect"), ("state", None), ("schema", "kleiber/fit/9")],
)  # fmt: skip
def test_a_tampered_fit_file(tmp_path: Path, fit_file: Path, key: str, value: object) -> None:
    content = json.loads(fit_file.read_text())
    content[key] = value
    tampered = written(tmp_path, json.dumps(content), "fit.json")
    complaint(invoke("plan", tampered, "--flops", "1e23"))


@pytest.mark.parametrize("command", ["fit", "report", "chart"])
@pytest.mark.parametrize("where", ["nowhere/out.svg", "folder.svg", "long"])
def test_unwritable_output(tmp_path: Path, ladder: Path, command: str, where: str) -> None:
    (tmp_path / "folder.svg").mkdir()
    target = tmp_path / (where if where != "long" else "x" * 300 + ".svg")
    kind = ("compute",) if command == "chart" else ()
    message = complaint(invoke(command, ladder, *kind, "--bootstrap", 20, "-o", target))
    assert str(target.parent if where.startswith("nowhere") else target)[:60] in message
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"]
    assert list((tmp_path / "folder.svg").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path, ladder: Path) -> None:
    tmp_path.chmod(0o500)
    complaint(invoke("fit", ladder, "--bootstrap", 0, "-o", tmp_path / "fit.json"))


def test_an_old_file_survives_a_failure(tmp_path: Path, ladder: Path) -> None:
    kept = written(tmp_path, "precious", "fit.json")
    complaint(invoke("fit", ladder, "--law", "no-such-law", "-o", kept))
    assert kept.read_text() == "precious"


@pytest.mark.parametrize(
    "name", ["params\x1b[2J", "[red]loss[/red]", "a\nb", "x" * 5000, "‮evil", "'; rm -rf /", "{0}", "%s%n", "\ud800"]
)
def test_hostile_names(tmp_path: Path, name: str) -> None:
    """Control characters never reach the terminal, markup is not obeyed, and whatever is in a header is only a name."""
    path = tmp_path / "runs.csv"
    header = f'params,tokens,loss,"{name}"\n'.encode("utf-8", "surrogatepass")
    path.write_bytes(header + ROWS.replace("\n", ",1\n").encode())
    for command in (
        ("check", path),
        ("fit", path, "--bootstrap", 0),
        ("fit", path, "--cluster", name, "--bootstrap", 9),
    ):
        result = invoke(*command)
        assert result.exit_code in (0, 1, 2)
        assert "Traceback" not in result.output
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", result.output)


def test_a_hostile_file_name(tmp_path: Path) -> None:
    path = tmp_path / "runs\x1b[31m[bold]\n.csv"
    path.write_text(HEADER + ROWS)
    result = invoke("check", path)
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    missing = invoke("check", tmp_path / "\x1b[2Jgone.csv")
    assert "\x1b" not in complaint(missing)


def test_a_forecast_refuses_an_input_that_the_law_has_not(shell, ladder: Path) -> None:
    found = shell("forecast", ladder, "--bootstrap", 40, "--params", "1B", "--tokens", "20B", "--at", "epochs=3")
    assert found.exit_code == 2
    assert "has no input 'epochs'" in found.stderr
