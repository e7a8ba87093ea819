"""Writing a report: repeatable, whole or not at all, from anything that can be fitted; and `chart`."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kleiber.cli.app import app
from kleiber.errors import InputError
from kleiber.figures import files
from kleiber.fit.backtest import backtest
from kleiber.fit.fitting import fit
from kleiber.fit.result import Fit
from kleiber.fit.store import save
from kleiber.report import chart, report
from kleiber.report.command import command
from kleiber.report.evidence import Missing, attempt, gather
from tests.figures.ladders import fitted, ladder, wide
from tests.report.markup import parse


@pytest.mark.parametrize("count", [6, pytest.param(21, marks=pytest.mark.slow)])
def test_the_command_in_a_report_makes_the_same_bytes(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ladder(count).write("runs.csv")
    first = ["report", "runs.csv", "--where", "loss < 1.9", "--bootstrap", "30", "--flops", "1e16", "-o", "a.html"]
    code = CliRunner().invoke(app, first).exit_code
    page = Path("a.html").read_text(encoding="utf-8")
    again = shlex.split(parse(page).all("pre")[0].text)
    assert again[:3] == ["kleiber", "report", "runs.csv"]
    kept = Path("a.html").rename("kept.html")
    assert CliRunner().invoke(app, again[1:]).exit_code == code == int(count == 6)
    assert Path("a.html").read_bytes() == kept.read_bytes()


def test_the_command_repeats_every_choice() -> None:
    runs = ladder(source="my runs.csv").where("loss < 1.9")
    found = fit(runs, "E + A/params**alpha", bootstrap=0, starts=8, seed=3, fixed={"E": 0.7})
    words = shlex.split(command(found, 1e16, "out.html", "A <title>"))
    expected = [
        "kleiber", "report", "my runs.csv", "--where", "loss < 1.9",
        "--conventions", "params=non_embedding,flops=6nd,loss=nats_per_byte", "--law", "E + A/params**alpha",
        "--bootstrap", "0", "--starts", "8", "--seed", "3", "--fix", "E=0.7", "--flops", "1e16", "--title", "A <title>",
        "-o", "out.html",
    ]  # fmt: skip
    assert words == expected


def test_nothing_is_left_where_nothing_can_be_written(small: Fit, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        report(small, tmp_path / "nowhere" / "report.html")
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(InputError, match="this is a folder"):
        report(small, tmp_path / "taken.html")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.html"]


@pytest.mark.parametrize("flops", ["many", 0, -1e20, float("inf"), float("nan")])
def test_an_impossible_budget_is_refused(small: Fit, tmp_path: Path, flops: float | str) -> None:
    with pytest.raises(InputError):
        report(small, tmp_path / "report.html", flops=flops)
    assert not list(tmp_path.iterdir())


def test_without_a_budget_it_is_ten_times_the_largest_run(small: Fit) -> None:
    found = gather(replace(small, table=None), None)
    assert found.flops == pytest.approx(10 * small.runs.ranges["flops"][1])
    assert not found.asked


def test_a_fit_file_is_reported_without_its_runs(small: Fit, tmp_path: Path) -> None:
    target = report(save(small, tmp_path / "fit.json"), tmp_path / "report.html", flops=1e16)
    page = parse(target.read_text(encoding="utf-8"))
    said = next(element for element in page.all("section") if element.attributes["id"] == "backtest").text
    assert "the runs are not in the fit file" in said
    assert "plane" in [element.attributes["data-chart"] for element in page.all("figure")]


def test_a_law_without_a_split_is_reported_without_a_plan(tmp_path: Path) -> None:
    found = fitted(ladder(), "E + K/flops**gamma", bootstrap=0)
    page = parse(report(found, tmp_path / "report.html").read_text(encoding="utf-8"))
    headline = next(element for element in page.all("p") if element.attributes.get("class") == "headline")
    assert "typical error" in headline.text or "do not support" in headline.text


def test_a_refusal_of_one_analysis_is_kept_with_its_remedy() -> None:
    answer = attempt("the back-test", lambda: backtest(ladder(7)))
    assert isinstance(answer, Missing)
    assert answer.reason.startswith("Not enough runs to hide some")
    assert answer.remedy


def test_a_defect_is_not_taken_for_a_refusal() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        attempt("anything", broken)


@pytest.mark.slow
def test_two_thousand_runs_make_a_file_that_can_be_sent(tmp_path: Path) -> None:
    found = fitted(wide(2000))
    target = report(found, tmp_path / "report.html")
    assert target.stat().st_size < 8_000_000
    assert len(parse(target.read_text(encoding="utf-8")).all("figure")) == 12


def test_chart_is_the_main_chart_with_its_frontier(small: Fit) -> None:
    drawn = chart(small)
    names = [layer["data"]["name"] for layer in drawn.to_dict()["layer"]]
    assert {"law", "runs", "frontier", "frontier band"} <= set(names)
    assert files.text(drawn) == files.text(chart(small))


def test_chart_takes_runs_and_refused_fits() -> None:
    assert chart(ladder(), bootstrap=0).to_dict()["title"]["text"] == ["Loss against compute"]
    refused = chart(fitted(ladder(5))).to_dict()
    assert refused["data"]["name"] == "runs"


def test_chart_saves_a_picture_by_itself(small: Fit, tmp_path: Path) -> None:
    chart(small).save(str(tmp_path / "fit.svg"))
    assert (tmp_path / "fit.svg").read_text().startswith("<svg")
