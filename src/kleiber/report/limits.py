"""The section of a report that says what limits the largest run, or why that cannot be said."""

from __future__ import annotations

from kleiber.figures.limits import limits_chart
from kleiber.report import panels
from kleiber.report.evidence import Evidence, Missing
from kleiber.report.html import Html, element, listing, paragraph, section, table
from kleiber.report.sections import finding_item, missing

TITLE = "What limits the largest run"


def limits_section(found: Evidence) -> Html:
    """The verdict, the suspects by what mending them would take off the loss, and the evidence for each."""
    if isinstance(found.limits, Missing):
        return section("limits", TITLE, missing(found.limits))
    answer = found.limits
    rows = [[each.name, each.mend, str(each.gain), str(each.share) if each.share else "–"] for each in answer.suspects]
    header = ("Suspect", "What would mend it", "Off the loss", "Share of what is left")
    chart = panels.panel(
        "limits",
        limits_chart(answer),
        "The longest bar is where to spend; one whose interval reaches the dashed line may not be seen above noise.",
    )
    return section(
        "limits",
        TITLE,
        listing(answer.sentences()),
        table(f"Run {answer.run}, the largest gain first", header, rows),
        panels.drawn([chart]),
        element("ul", *(finding_item(each) for each in answer.findings[1:]), class_="findings"),
        paragraph("Each doubling costs twice the compute; intervals are 95 %.", class_="key"),
    )
