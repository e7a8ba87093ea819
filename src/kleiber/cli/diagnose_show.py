"""Findings of a diagnostic, as a list of JSON or on a screen."""

from __future__ import annotations

from collections.abc import Sequence

from kleiber.cli import screen
from kleiber.cli.options import Output
from kleiber.finding import Finding

SCHEMA = "kleiber/finding/1"


def show(findings: Sequence[Finding], output: Output, *, asked: Sequence[Finding] | None = None) -> int:
    """Print the findings, each with its value and interval; the exit code.

    It is 1 where what the command asks cannot be told, whatever else was found: `asked` are the findings that answer it, all of
    them unless said, and every one of them says that it cannot tell.
    """
    if output.as_json:
        screen.emit_json([finding.to_json() for finding in findings])
    else:
        from kleiber.cli.findings import show_each

        show_each(findings)
    answers = findings if asked is None else asked
    return int(bool(answers) and all(finding.verdict == "cannot tell" for finding in answers))
