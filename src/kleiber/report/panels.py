"""The charts of a report, each with a sentence on how to read it and a still picture for print and for readers without scripts.

One idea: the same specification is drawn twice, once by the reader's browser (with tooltips) and once here as a picture,
which is what prints and what remains if scripts are off.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kleiber import figures
from kleiber.figures import files
from kleiber.report.evidence import Evidence, Missing
from kleiber.report.html import EMPTY, Html, element, join, paragraph, text

if TYPE_CHECKING:
    import altair as alt

LARGE = 200_000  # bytes of SVG beyond which a PNG is the smaller picture


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A chart with its place in the report and how to read it."""

    name: str
    reading: str
    chart: alt.LayerChart | alt.ConcatChart


def panel(name: str, chart: alt.LayerChart | alt.ConcatChart | None, reading: str) -> Panel | None:
    """A panel, or None where there is no chart."""
    return None if chart is None else Panel(name=name, chart=chart, reading=reading)


def present(value: Any) -> Any:
    """The value, or None where it is missing."""
    return None if isinstance(value, Missing) else value


def main(found: Evidence) -> Panel | None:
    """Loss against compute."""
    law = "If the law holds, dots lie on the thin curve of their size and none lies clearly below the orange line."
    chart = figures.loss_against_compute(found.fit, present(found.frontier))
    return panel("compute", chart, f"Each dot is a run. {'' if found.fit.outcome.refused else law}".strip())


def slices(found: Evidence) -> Panel | None:
    """Loss at equal compute."""
    law = "The runs support a split of compute where they lie on both sides of the diamond."
    chart = figures.loss_at_equal_compute(found.fit)
    return panel("slices", chart, f"Each colour is one budget. {'' if found.fit.outcome.refused else law}".strip())


def plane(found: Evidence) -> Panel | None:
    """Contours."""
    path = present(found.outlook)
    reading = (
        "Each grey curve is one loss; the runs should reach across several of them in both directions."
        if path is None
        else "Follow a dashed line of equal compute: the best split is where it meets the orange path. The wider the band, "
        "the less these runs say about the split."
    )
    return panel("plane", figures.contours(found.fit, path, present(found.plan)), reading)


def outlook(found: Evidence) -> Panel | None:
    """The forecast out to the budget."""
    if isinstance(found.outlook, Missing):
        return None
    return panel(
        "forecast",
        figures.forecast_curve(found.fit, found.outlook, present(found.plan)),
        "Everything on the tinted ground is extrapolated: no run has been there.",
    )


def residuals(found: Evidence) -> list[Panel]:
    """Residuals against compute and params, or the law's own inputs."""
    names = ("flops", "params") if {"params", "tokens"} <= set(found.fit.law.inputs) else found.fit.law.inputs[:2]
    readings = (
        "A good law leaves a level band. A bend means that the law is wrong there; a lone dot is a run to look at.",
        "If small or large models lie on one side, the size term is wrong, or those models were tuned differently.",
    )
    made = [
        panel(f"residuals-{name}", figures.residuals(found.fit, name), reading)
        for name, reading in zip(names, readings, strict=False)
    ]
    return [each for each in made if each is not None]


def hidden(found: Evidence) -> list[Panel]:
    """The back-test."""
    if isinstance(found.backtest, Missing) or found.fit.table is None:
        return []
    made = [
        panel(
            "hidden",
            figures.heldout_errors(found.backtest, found.fit.table),
            "Each colour is a fit that saw only the runs up to its cut. Dots that drift away from zero to the right show how "
            "an extrapolation goes wrong.",
        ),
        panel(
            "drift",
            figures.allocation_by_cut(found.backtest, present(found.allocation)),
            "If the dots wander as rungs are added, the split of compute is less certain than its interval says.",
        ),
    ]
    return [each for each in made if each is not None]


def clouds(found: Evidence) -> list[Panel]:
    """The draws."""
    plan = present(found.plan)
    made = [
        panel(
            "cloud",
            figures.parameter_cloud(found.fit),
            "Each dot is the law refitted to a resample of the runs: the spread is what is not known.",
        ),
        panel(
            "optimum",
            figures.optimum_cloud(plan) if plan is not None else None,
            "Each dot is what one refit would have decided. Wide but flat means that size hardly matters.",
        ),
    ]
    return [each for each in made if each is not None]


def rules(found: Evidence) -> Panel | None:
    """Named rules."""
    if isinstance(found.allocation, Missing):
        return None
    return panel(
        "rules",
        figures.rules_against_runs(found.allocation),
        "A diamond outside the band is a rule that these runs exclude.",
    )


def drawn(panels: list[Panel | None]) -> Html:
    """The panels as figures in a grid."""
    shown = [_figure(each) for each in panels if each is not None]
    return element("div", *shown, class_="panels") if shown else EMPTY


def _figure(each: Panel) -> Html:
    specification = files.specification(each.chart)
    title = specification.pop("title", {})
    heading, notes = " ".join(title.get("text", [])), " ".join(title.get("subtitle", []))
    inline = element("script", Html(files.script_safe(specification)), type="application/json", class_="chart-data")
    still = element("img", class_="still", alt=f"{heading}. {notes}", src=_picture(specification), loading="lazy")
    return element(
        "figure",
        element("figcaption", element("h3", text(heading)), paragraph(each.reading), paragraph(notes, class_="key")),
        join(element("div", class_="live"), still, inline),
        id=f"figure-{each.name}",
        data_chart=each.name,
    )


def _picture(specification: dict[str, Any]) -> str:
    """The chart as a data address: SVG, or PNG where that is much smaller."""
    svg = files.picture(specification).encode("utf-8")
    if len(svg) <= LARGE:
        return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
    import vl_convert

    png = vl_convert.vegalite_to_png(specification, scale=2.0)
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
