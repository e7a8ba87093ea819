"""`forecast --record` and `kleiber ledger`: the contracts, the exit codes, bad input, and full disks."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import TRUTH, invoke
from tests.cli.test_bad_input import complaint

AT = ("--params", "70B", "--tokens", "1.4T")
KEYS = {"id", "line", "date", "run", "law", "at", "forecast", "new_run_interval", "level", "extrapolation_decades", "unit",
        "outcome", "source", "error", "log_error", "inside", "crps", "pit", "runs", "objective", "seed", "versions"}  # fmt: skip


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767323045")


def truth(params: float, tokens: float) -> float:
    return TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]


def stamped(fit_file: Path, name: str = "", params: str = "70B", tokens: str = "1.4T") -> None:
    words = ("--run", name) if name else ()
    result = invoke("forecast", fit_file, "--params", params, "--tokens", tokens, "--record", "ledger.jsonl", *words)
    assert result.exit_code == 0, result.output


def test_recording(as_json, fit_file: Path) -> None:
    bare = as_json("forecast", fit_file, *AT)
    found = as_json("forecast", fit_file, *AT, "--record", "ledger.jsonl", "--run", "big", "--note", "why not")
    recorded = found.pop("recorded")
    assert found == bare
    assert recorded.keys() == {"ledger", "line", "id", "hash", "date", "duplicate_of"}
    assert (recorded["line"], recorded["date"], recorded["duplicate_of"]) == (1, "2026-01-02T03:04:05Z", None)
    (line,) = Path("ledger.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert (entry["schema"], entry["run"], entry["note"]) == ("kleiber/ledger/1", "big", "why not")
    assert entry["loss"]["value"] == found["loss"]["value"]
    assert entry["loss"]["new_run_interval"] == found["loss"]["new_run_ci95"]
    assert entry["runs"]["hash"] == found["runs"]["hash"]
    assert entry["versions"] == found["versions"]
    assert entry["hash"] == recorded["hash"]
    again = as_json("forecast", fit_file, *AT, "--record", "ledger.jsonl", "--run", "big")["recorded"]
    assert (again["line"], again["duplicate_of"]) == (2, recorded["id"])


def test_the_same_commands_write_the_same_bytes(fit_file: Path) -> None:
    for name in ("one", "other"):
        for run in ("a", "b"):
            assert invoke("forecast", fit_file, *AT, "--record", name, "--run", run).exit_code == 0
        assert invoke("ledger", "settle", "a", name, "--loss", "1.95").exit_code == 0
    assert Path("one").read_bytes() == Path("other").read_bytes()
    assert (
        invoke("ledger", "score", "one", "--json").stdout.replace('"one"', '"other"')
        == invoke("ledger", "score", "other", "--json").stdout
    )


def test_the_list(as_json, fit_file: Path) -> None:
    stamped(fit_file, "big")
    stamped(fit_file, "big")
    found = as_json("ledger", "list")
    assert found["schema"] == "kleiber/ledger-list/1"
    one, copy = found["entries"]
    assert copy["duplicate_of"] == one["id"]
    assert one["outcome"] is None
    assert found["chain"] == {"whole": True, "lines": 2, "head": copy["hash"], "faults": []}
    screen = invoke("ledger", "list").stdout
    assert screen.startswith("1 forecast, 0 with an outcome   ledger.jsonl\n")
    assert one["id"] in screen
    assert "as line 1" in screen
    assert "2 lines, all as they were written" in screen


def test_settling(as_json, shell, fit_file: Path) -> None:
    stamped(fit_file, "big")
    found = as_json("ledger", "settle", "big", "--loss", "1.95", "--note", "step 120k")
    assert found["schema"] == "kleiber/ledger-settle/1"
    assert found["outcome"] == {"line": 2, "date": "2026-01-02T03:04:05Z", "loss": 1.95, "unit": "unknown", "new": True}
    assert as_json("ledger", "settle", found["forecast"]["id"], "--loss", "1.95")["outcome"]["new"] is False
    assert "line 2 already" in shell("ledger", "settle", "big", "--loss", "1.95").stdout
    assert "--correct" in complaint(shell("ledger", "settle", "big", "--loss", "1.96"))
    assert shell("ledger", "settle", "big", "--loss", "1.96", "--correct").exit_code == 0
    assert as_json("ledger", "list")["entries"][0]["outcome"] == 1.96


def test_the_score_by_a_table(as_json, fit_file: Path) -> None:
    sizes = (1e9, 2e9, 1e10, 3e10, 7e10, 2e11)
    for size in sizes:
        stamped(fit_file, "", f"{size:g}", f"{20 * size:g}")
    rows = "".join(f"{size:g},{20 * size:g},{truth(size, 20 * size)}\n" for size in sizes[:5])
    Path("results.csv").write_text("params,tokens,loss\n" + rows)
    found = as_json("ledger", "score", "--runs", "results.csv")
    assert found["schema"] == "kleiber/ledger-score/1"
    overall = found["overall"]
    assert (overall["count"], overall["judged"], overall["expected"]) == (5, 5, pytest.approx(4.75))
    assert overall["mean_log_error"] < 0.01
    assert overall["verdict"] in ("ok", "warning", "problem")
    assert [group["name"] for group in found["by_law"]] == ["chinchilla"]
    assert {group["name"] for group in found["by_distance"]} == {"inside the runs", "0 - 1 decades", "1 - 2 decades"}
    assert [one.keys() for one in found["scored"]] == [KEYS] * 5
    assert [one["why"] for one in found["open"]] == ["no run there"]
    assert found["runs"]["hash"].startswith("sha256:")
    assert found["chain"]["whole"] is True
    assert found["versions"]["kleiber"]
    screen = invoke("ledger", "score", "--runs", "results.csv").stdout
    assert re.match(r"\d of 5 outcomes fell inside the 95 % intervals \(expected 4\.8\)", screen)
    assert "The forecasts come from one fit" in screen


def test_no_outcome_yet_is_a_refusal(as_json, shell, fit_file: Path) -> None:
    stamped(fit_file)
    assert shell("ledger", "score").exit_code == 1
    found = as_json("ledger", "score", code=1)
    assert found["schema"] == "kleiber/ledger-score/1"
    assert "None of 1 forecasts" in found["reason"]
    assert found["remedy"].startswith("kleiber ledger settle")


def test_a_changed_line_is_named(as_json, shell, fit_file: Path) -> None:
    for name in ("a", "b"):
        stamped(fit_file, name)
        shell("ledger", "settle", name, "--loss", "1.95")
    lines = Path("ledger.jsonl").read_text().splitlines()
    lines[2] = lines[2].replace('"run": "b"', '"run": "c"')
    Path("ledger.jsonl").write_text("\n".join(lines) + "\n")
    found = as_json("ledger", "score")
    assert found["chain"]["whole"] is False
    assert [fault["line"] for fault in found["chain"]["faults"]] == [3, 4]
    for command in ("list", "score"):
        assert "Line 3 was changed after it was written" in shell("ledger", command).stdout


def test_a_refused_fit_is_not_recorded(shell, tmp_path: Path) -> None:
    table = tmp_path / "tiny.csv"
    table.write_text("params,tokens,loss\n1e7,1e9,3.0\n")
    assert shell("forecast", table, *AT, "--record", "ledger.jsonl").exit_code == 1
    assert not Path("ledger.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("forecast", "FIT", *AT, "--run", "x"), "--record"),
        (("forecast", "FIT", *AT, "--note", "x"), "--record"),
        (("forecast", "FIT", *AT, "--record", "nowhere/l.jsonl"), "nowhere"),
        (("forecast", "FIT", *AT, "--record", "."), "folder"),
        (("forecast", "FIT", *AT, "--record", "FIT"), "no ledger"),
        (("forecast", "FIT", *AT, "--record", "/dev/null"), "no plain file"),
        (("forecast", "FIT", "--params", "70x", "--tokens", "1T", "--record", "l.jsonl"), "--params"),
        (("ledger", "list"), "ledger.jsonl"),
        (("ledger", "score", "other.jsonl"), "other.jsonl"),
        (("ledger", "score", "FIT"), "no ledger"),
        (("ledger", "settle", "x", "--loss", "2"), "ledger.jsonl"),
        (("ledger", "settle", "x", "kept.jsonl", "--loss", "2"), "no forecast 'x'"),
        (("ledger", "settle", "bgi", "kept.jsonl", "--loss", "2"), "did you mean 'big'"),
        (("ledger", "settle", "big", "kept.jsonl", "--loss", "zero"), "--loss"),
        (("ledger", "settle", "big", "kept.jsonl", "--loss", "-1"), "--loss"),
        (("ledger", "settle", "big", "kept.jsonl", "--loss", "2", "--unit", "bits"), "--unit"),
        (("ledger", "score", "kept.jsonl", "--where", "loss < 3"), "--where"),
        (("ledger", "score", "kept.jsonl", "--runs", "none.csv"), "none.csv"),
    ],
)
def test_bad_input(fit_file: Path, arguments: tuple[str, ...], says: str) -> None:
    if "kept.jsonl" in arguments:
        assert invoke("forecast", fit_file, *AT, "--record", "kept.jsonl", "--run", "big").exit_code == 0
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    fit_before = fit_file.read_bytes()
    message = complaint(invoke(*(fit_file if word == "FIT" else word for word in arguments)))
    assert says in message
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before
    assert fit_file.read_bytes() == fit_before


def test_results_in_another_unit_are_refused(shell, ladder: Path) -> None:
    options = ("--conventions", "loss=nats_per_token", "--bootstrap", 20, "--record", "ledger.jsonl")
    assert shell("forecast", ladder, *AT, *options).exit_code == 0
    Path("results.csv").write_text("params,tokens,loss\n70e9,1.4e12,1.9\n")
    assert shell("ledger", "score", "--runs", "results.csv").exit_code == 0
    message = complaint(shell("ledger", "score", "--runs", "results.csv", "--conventions", "loss=bits_per_byte"))
    assert "bits per byte, forecast in nats per token" in message


@pytest.mark.parametrize("name", ["\x1b[2J", "[red]x[/red]", "a\nb", "x" * 3000, "\u202eevil", "\ud800", "日本"])
def test_hostile_names(shell, fit_file: Path, name: str) -> None:
    stamped(fit_file, name)
    assert Path("ledger.jsonl").read_bytes().count(b"\n") == 1
    for command in (("settle", name, "--loss", "1.9"), ("list",), ("score",)):
        result = shell("ledger", *command)
        assert result.exit_code == 0, result.output
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800]", result.output)


def test_a_full_disk_loses_nothing(fit_file: Path, tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow beyond the ledger and a little."""
    stamped(fit_file, "a")
    before = Path("ledger.jsonl").read_bytes()

    def narrow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 700, len(before) + 700))

    arguments = (
        sys.executable,
        "-m",
        "kleiber",
        "forecast",
        str(fit_file),
        *AT,
        "--record",
        "ledger.jsonl",
        "--run",
        "b",
    )
    result = subprocess.run(arguments, capture_output=True, text=True, check=False, preexec_fn=narrow)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert "cannot write the file (found File too large)" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "ledger.jsonl").read_bytes() == before
