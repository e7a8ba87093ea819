"""`report`: one self-contained HTML file that a person who was not there can read, check and repeat.

The way the data takes: runs or fit -> `evidence.gather` (every analysis, or why it is missing) -> `sections` (markup) -> the
page template with its style, its script and the charts' library inlined -> one file, written whole or not at all.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from kleiber.errors import InputError
from kleiber.fit.fitting import DEFAULT_BOOTSTRAP, DEFAULT_LAW, ensure
from kleiber.fit.result import Fit
from kleiber.fit.store import write_whole
from kleiber.quantity import read as read_quantity
from kleiber.report import sections
from kleiber.report.command import command
from kleiber.report.evidence import Evidence, gather
from kleiber.report.html import Html, element, text
from kleiber.report.limits import limits_section

if TYPE_CHECKING:
    from kleiber.laws import Law

LIBRARIES = ("kleiber", "numpy", "scipy", "altair", "vl-convert-python")


def report(
    runs_or_fit: Any,
    path: str | Path,
    *,
    flops: float | str | None = None,
    law: Law | str = DEFAULT_LAW,
    bootstrap: int = DEFAULT_BOOTSTRAP,
    seed: int = 0,
    title: str | None = None,
) -> Path:
    """Write a report on a fit, or on runs (fitted first with `law`, `bootstrap` and `seed`), to the HTML file `path`.

    `flops` is the budget to decide on (default: ten times the largest run's compute). The file needs no network; the same
    arguments give the same bytes. A fit that the runs do not support is reported as such, with the remedy.

    Raises `InputError` for runs that cannot be read or a path that cannot be written.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError("there is no such folder", where=str(target.parent), remedy="make it first")
    if target.is_dir():
        raise InputError("this is a folder", where=str(target), expected="the name of a file")
    budget = None if flops is None else read_quantity(flops)
    if budget is not None and not 0 < budget < float("inf"):
        raise InputError("flops must be a positive number", found=flops)
    fit = runs_or_fit if isinstance(runs_or_fit, Fit) else ensure(runs_or_fit, law=law, bootstrap=bootstrap, seed=seed)
    write_whole(target, render(gather(fit, budget), name=target.name, title=title))
    return target


def render(found: Evidence, *, name: str = "report.html", title: str | None = None) -> str:
    """The page as text."""
    heading = title or f"Scaling report: {Path(found.fit.runs.source).name}"
    asked = found.flops if found.asked else None
    main = [
        sections.decision(found),
        sections.fitted(found),
        sections.runs_and_law(found),
        sections.trust(found),
        sections.hidden(found),
        sections.split(found),
        sections.floor(found),
        sections.choices(found),
        limits_section(found),
        sections.audit(found),
        sections.checklist(found),
        sections.provenance(found, command(found.fit, asked, name, title), versions()),
    ]
    from kleiber.figures.files import library

    return Template(_part("page.html")).substitute(
        title=text(heading),
        style=_part("page.css"),
        contents=_contents(main),
        main="\n".join(main),
        library=library(),
        script=_part("page.js"),
    )


def versions() -> dict[str, str]:
    """The versions that the numbers and pictures depend on."""
    from importlib.metadata import version

    return {name: version(name) for name in LIBRARIES}


def _contents(parts: list[Html]) -> Html:
    """Links to the sections that are there."""
    import re

    found = re.findall(r'<section id="([a-z]+)"[^>]*><h2 id="[a-z]+-title">([^<]*)</h2>', "".join(parts))
    links = [element("li", element("a", Html(words), href=f"#{name}")) for name, words in found]
    return element("ol", *links)


def _part(name: str) -> str:
    return (resources.files("kleiber.report") / name).read_text(encoding="utf-8")
