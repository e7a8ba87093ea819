"""One look for every chart: legible at 600 px and in print, told apart without colour vision, on its own light ground.

One idea: a chart carries its own background and sizes, so it reads the same in a paper, in a notebook and on a dark page.
Categories take Okabe and Ito's colours; sizes take a ramp that darkens steadily (viridis without its yellow end), so
that order survives a grey print.

Sources: Okabe & Ito 2008, "Color universal design"; Smith & van der Walt 2015, viridis.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

INK, MUTED, FAINT, GROUND = "#1b1b1f", "#55565e", "#d9dae0", "#ffffff"
BLUE, VERMILLION, GREEN, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#aa4499", "#56b4e9"
RAMP = ("#5ec962", "#21a685", "#25848e", "#38598c", "#472a7a", "#3a0a4e")
WIDTH, HEIGHT = 560, 360
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"

CONFIG: dict[str, Any] = {
    "background": GROUND,
    "font": FONT,
    "padding": 10,
    "view": {"stroke": None},
    "mark": {"aria": False},  # the chart's description says what it shows; thousands of points read aloud would not
    "title": {
        "anchor": "start",
        "frame": "group",
        "fontSize": 15,
        "fontWeight": 600,
        "color": INK,
        "subtitleFontSize": 12,
        "subtitleColor": MUTED,
        "subtitlePadding": 5,
        "subtitleLineHeight": 15,
        "lineHeight": 18,
        "offset": 12,
    },
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12.5,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": FAINT,
        "gridOpacity": 0.6,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "labelOverlap": "greedy",
        "labelSeparation": 4,
        "labelFlush": False,
    },
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "gradientLength": 300,
        "gradientThickness": 10,
        "titleLimit": 400,
        "labelLimit": 300,
        "columns": 0,
    },
    "text": {"fontSize": 12, "color": INK},
}


def dressed(
    layers: Sequence[Any], title: str, notes: Sequence[str] = (), *, width: int = WIDTH, height: int = HEIGHT
) -> alt.LayerChart:
    """The layers as one chart with its title, its notes as subtitle, its size and the theme."""
    import altair as alt

    lines = [line for note in notes if note for line in textwrap.wrap(note, 92)]
    heading = alt.TitleParams(text=textwrap.wrap(title, 72) or [""], subtitle=lines)
    chart: Any = alt.layer(*layers)
    described = f"{title}. {' '.join(note for note in notes if note)}"
    return chart.properties(title=heading, description=described, width=width, height=height, config=CONFIG)


def panelled(
    panels: Sequence[tuple[str, Sequence[Any]]],
    title: str,
    notes: Sequence[str] = (),
    *,
    size: tuple[int, int],
    columns: int,
) -> alt.ConcatChart:
    """Panels, each a name and its layers, side by side as one chart with one legend."""
    import altair as alt

    drawn = []
    for name, layers in panels:
        chart: Any = alt.layer(*layers)
        heading = alt.TitleParams(text=name, fontSize=12.5, fontWeight="normal", offset=5, frame="group")
        drawn.append(chart.properties(width=size[0], height=size[1], title=heading))
    lines = [line for note in notes if note for line in textwrap.wrap(note, 104)]
    whole: Any = alt.concat(*drawn, columns=columns, spacing={"row": 12, "column": 14})
    described = f"{title}. {' '.join(note for note in notes if note)}"
    heading = alt.TitleParams(text=textwrap.wrap(title, 80) or [""], subtitle=lines)
    return whole.resolve_scale(color="shared").properties(title=heading, description=described, config=CONFIG)
