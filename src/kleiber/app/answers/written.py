"""What is long to write: the report that `kleiber report` writes, for the visitor to keep, and the charts' library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kleiber.app.memory import fit_of
from kleiber.app.repeat import Repeat, call


def library(asked: dict[str, Any]) -> dict[str, Any]:
    """The JavaScript that draws the charts."""
    from kleiber.figures import files

    return {"script": files.library()}


def report(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber report`, as text."""
    from kleiber.cli.options import budget
    from kleiber.report.document import render
    from kleiber.report.evidence import gather

    found = fit_of(asked)
    flops = budget(asked["flops"], "--flops", found) if asked["flops"] else None
    html = render(gather(found, flops), title=asked["title"])
    name = f"{Path(asked['sources'][0]['name']).stem}.html"
    repeat = Repeat(asked, "report").option("--flops", asked["flops"]).option("--title", asked["title"]).say("-o", name)
    python = "{fit}\n" + call("kleiber.report", f"fit, {name!r}", flops=flops, title=asked["title"])
    return repeat.answer(
        {"schema": "kleiber/report/1", "file": name, "outcome": found.outcome.label}, python, html=html
    )
