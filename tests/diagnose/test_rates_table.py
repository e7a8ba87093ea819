"""docs/diagnose-rates.md: every diagnostic has a row, and the row is what its counts say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.diagnose.rates import TIMES, cell

from kleiber.diagnose import DIAGNOSTICS
from kleiber.diagnose.diagnostic import Diagnostic

PAGE = (Path(__file__).parents[2] / "docs" / "diagnose-rates.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (?P<name>[^|]+) \| (?P<null>[^|]+) \| (?P<level>\d+) % \| (?P<planted>[^|]+) \| (?P<draws>\d+, \d+) \|$", re.M
)
ROWS = {row["name"]: row for row in ROW.finditer(PAGE)}
PLANTED_AT_LEAST = 200
SHORT = set(re.findall(r"`([^`]+)`", next(iter(re.findall(r"^Short of draws.*$", PAGE, re.MULTILINE)), "")))


def test_every_diagnostic_has_one_row_and_no_other_has() -> None:
    assert sorted(row["name"] for row in ROW.finditer(PAGE)) == sorted(diagnostic.name for diagnostic in DIAGNOSTICS)


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS, ids=lambda diagnostic: diagnostic.name)
def test_a_row_is_what_its_counts_say(diagnostic: Diagnostic) -> None:
    row = ROWS[diagnostic.name]
    nulls, planted = (int(count) for count in row["draws"].split(", "))
    assert int(row["level"]) == round(100 * diagnostic.level)
    for said, times in ((row["null"], nulls), (row["planted"], planted)):
        share, low, _high = (float(number) for number in re.findall(r"[\d.]+", said))
        assert said == cell(round(share / 100 * times), times)
        if said is row["null"] and low > 100 * diagnostic.level:
            assert diagnostic.name.capitalize() in PAGE.split("## Where a rate is not what is stated")[1]
        if said is row["planted"]:
            assert share >= 100 * diagnostic.power
    if diagnostic.name not in SHORT:
        assert nulls >= TIMES
        assert planted >= PLANTED_AT_LEAST
