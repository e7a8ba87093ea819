"""Findings on a screen: what is wrong first, what is well in one line at the end."""

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
