"""Findings on a screen: what is wrong first; what is well in one line at the end, or each with its numbers (`show_each`)."""

from __future__ import annotations

from collections.abc import Sequence

from kleiber.cli import screen
from kleiber.finding import Finding

MARKS = {
    "problem": ("✘", "bold red"),
    "warning": ("!", "yellow"),
    "found": ("●", "bold cyan"),
    "cannot tell": ("?", "cyan"),
    "ok": ("✔", "green"),
}
COLUMN = 4
MOST_ROWS = 12


def show_findings(findings: Sequence[Finding]) -> None:
    """Problems, warnings, effects found and what cannot be told, each with rows and remedy; then the names of what is well."""
    for verdict in ("problem", "warning", "found", "cannot tell"):
        for finding in findings:
            if finding.verdict == verdict:
                _show(finding)
    well = [title(finding) for finding in findings if finding.verdict == "ok"]
    if well:
        screen.hang(MARKS["ok"], "nothing wrong with: " + ", ".join(well), at=COLUMN)


def show_each(findings: Sequence[Finding]) -> None:
    """Every finding with its sentence, value and interval, in the same order: what is well is an answer, too."""
    for verdict in MARKS:
        for finding in findings:
            if finding.verdict == verdict:
                _show(finding)
                if finding.value is not None:
                    screen.hang("", _number(finding), at=COLUMN + 4)


def _number(finding: Finding) -> str:
    """Value and interval, to four places.

    >>> _number(Finding(name="gap", verdict="ok", evidence="It is small.", value=0.12345, interval=(0.1, 0.2)))
    'value 0.1235, interval 0.1 to 0.2'
    """
    ends = f", interval {finding.interval[0]:.4g} to {finding.interval[1]:.4g}" if finding.interval else ""
    return f"value {finding.value:.4g}{ends}"


def _show(finding: Finding) -> None:
    rows = f" ({_rows(finding.rows)})" if finding.rows and "row" not in finding.evidence else ""
    screen.hang(MARKS[finding.verdict], f"{title(finding)}: {finding.evidence}{rows}", at=COLUMN)
    if finding.remedy:
        screen.hang("", f"→ {finding.remedy}", at=COLUMN + 4)


def title(finding: Finding) -> str:
    """The name of a finding in words."""
    return finding.name.replace("_", " ")


def _rows(rows: Sequence[int]) -> str:
    """Rows as a person lists them: `rows 1-5, 9`; many are cut short.

    >>> _rows([1, 2, 3, 9])
    'rows 1-3, 9'
    """
    spans: list[list[int]] = []
    for row in sorted(set(rows)):
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    listed = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    cut = listed[:MOST_ROWS] + (["..."] if len(listed) > MOST_ROWS else [])
    return ("row " if len(set(rows)) == 1 else "rows ") + ", ".join(cut)
