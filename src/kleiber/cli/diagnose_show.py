"""Findings of a diagnostic, as a list of JSON or on a screen."""

from __future__ import annotations

from collections.abc import Sequence

from kleiber.cli import screen
from kleiber.cli.options import Output
from kleiber.finding import Finding

SCHEMA = "kleiber/finding/1"


def show(findings: Sequence[Finding], output: Output) -> int:
    """Print the findings; the exit code is 1 where every one of them says that it cannot tell."""
    if output.as_json:
        screen.emit_json([finding.to_json() for finding in findings])
    else:
        from kleiber.cli.findings import show_findings

        show_findings(findings)
    return int(bool(findings) and all(finding.verdict == "cannot tell" for finding in findings))
