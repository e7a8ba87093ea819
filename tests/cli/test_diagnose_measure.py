"""`kleiber diagnose measure`: one diagnostic by its name, and what it says of questions that cannot be asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kleiber.diagnose import by_name
from tests.cli.conftest import invoke


@pytest.fixture
def series(tmp_path: Path) -> Path:
    path = tmp_path / "series.npy"
    np.save(path, np.random.default_rng(3).standard_normal(300))
    return path


def test_it_prints_the_finding_that_python_gives(series: Path) -> None:
    done = invoke("diagnose", "measure", "spectral_exponent", "--array", f"series={series}", "--json")
    found = by_name.measure("spectral_exponent", series=np.load(series))
    assert json.loads(done.stdout) == [found.to_json()]
    assert found.to_json()["schema"] == "kleiber/finding/1"


@pytest.mark.parametrize(("words", "says"), [
    (["spectral"], "spectral_exponent"),
    (["power_law"], "xmin (a number)"),
    (["dfa", "--array", "x={series}"], "series"),
    (["dfa", "--array", "series"], "ARRAY=..."),
    (["dfa", "--array", "series={series}", "--array", "series={series}"], "each array once"),
    (["dfa", "--column", "series=a"], "no file"),
    (["power_law", "--array", "values={series}"], "xmin"),
    (["power_law", "--array", "values={series}", "--number", "xmin=few"], "few"),
    (["dfa", "--array", "series=nowhere.npy"], "no such file"),
])  # fmt: skip
def test_bad_questions_are_named(words: list[str], says: str, series: Path) -> None:
    done = invoke("diagnose", "measure", *(word.format(series=series) for word in words))
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
