"""Straight lines on log-log paper, each beside what it could be instead: fluctuations over scale, and tails.

One idea: the eye takes any line on log-log paper for a law, so none is drawn alone. Fluctuations stand over those of shuffled
series, a tail beside the rivals of its power law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.figures.marks import log_channel, rows, widened
from kleiber.figures.theme import BLUE, GREEN, INK, MUTED, PURPLE, VERMILLION, dressed

if TYPE_CHECKING:
    import altair as alt

    from kleiber.diagnose.criticality import Dfa, PowerLaw

Array = NDArray[np.float64]
MOST_DOTS, SMALLEST_SHARE = 250, 0.3
RIVAL_COLOURS = (VERMILLION, GREEN, PURPLE, MUTED)


def fluctuation_chart(found: Dfa) -> alt.LayerChart:
    """F(s) over scale, its line, and the lines that shuffled series have."""
    import altair as alt

    scales, sizes = found.scales_S.astype(np.float64), found.fluctuations_S
    middle = float(np.exp(np.log(scales).mean())), float(np.exp(np.log(sizes).mean()))
    ends = scales[[0, -1]]

    def line(exponent: float) -> Array:
        return middle[1] * (ends / middle[0]) ** exponent

    low, high = np.quantile(found.shuffled, [0.025, 0.975])
    drawn = np.concatenate([sizes, line(low), line(high), line(found.exponent)])
    x = log_channel(alt.X, "scale", "Scale s (samples)", widened(scales[0], scales[-1]), writer="params")
    y = log_channel(alt.Y, "size", "Fluctuation F(s)", widened(drawn.min(), drawn.max()))
    path = np.geomspace(ends[0], ends[1], 30)
    band = rows(
        "shuffled",
        scale=path,
        size=middle[1] * np.minimum((path / middle[0]) ** low, (path / middle[0]) ** high),
        above=middle[1] * np.maximum((path / middle[0]) ** low, (path / middle[0]) ** high),
    )
    layers: list[Any] = [
        alt.Chart(band).mark_area(color=MUTED, opacity=0.25).encode(x=x, y=y, y2="above:Q"),
        alt.Chart(rows("line", scale=ends, size=line(found.exponent))).mark_line(color=BLUE).encode(x=x, y=y),
        alt.Chart(rows("fluctuations", scale=scales, size=sizes)).mark_point(color=INK, filled=True).encode(x=x, y=y),
    ]
    title = f"Fluctuations grow with exponent {found.exponent:.2f}"
    interval = f"95 % interval {found.interval[0]:.2f} to {found.interval[1]:.2f} over {found.length} samples"
    return dressed(layers, title, [f"{interval}. Grey: the exponents of the same values shuffled."])


def tail_chart(found: PowerLaw) -> alt.LayerChart:
    """The share of samples at least as large as x, the power law of the tail, and its rivals."""
    import altair as alt

    values, share = _survival(found)
    start, tail_share = found.start, found.start.tail / found.sample.size
    grid = np.geomspace(start.xmin, values[-1], 120)
    curves = {"power law": tail_share * (grid / start.xmin) ** (1 - start.alpha), **_rivals(found, grid, tail_share)}
    lowest = SMALLEST_SHARE * share.min()
    data = rows(
        "laws",
        value=np.tile(grid, len(curves)),
        share=np.concatenate([np.where(curve > lowest, curve, np.nan) for curve in curves.values()]),
        law=np.repeat(list(curves), grid.size).tolist(),
    )
    x = log_channel(alt.X, "value", "Value x", widened(values[0], values[-1]), writer="params")
    y = log_channel(alt.Y, "share", "Share of samples ≥ x", (lowest, 1.2))
    scale = alt.Scale(domain=list(curves), range=[BLUE, *RIVAL_COLOURS][: len(curves)])
    colour = alt.Color("law:N", title=None, scale=scale)
    dash = alt.StrokeDash(
        "law:N", title=None, scale=alt.Scale(domain=list(curves), range=[[1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [1, 3]])
    )
    dots = rows("samples", value=values, share=share)
    layers: list[Any] = [
        alt.Chart(dots).mark_circle(color=INK, size=14, opacity=0.6).encode(x=x, y=y),
        alt.Chart(data).mark_line(clip=True, strokeWidth=1.8).encode(x=x, y=y, color=colour, strokeDash=dash),
    ]
    title = f"Power law with exponent {start.alpha:.2f} from {start.xmin:g} on"
    return dressed(layers, title, [found.finding.evidence])


def _survival(found: PowerLaw) -> tuple[Array, Array]:
    """Distinct values and the share of samples at least as large, thinned evenly in both."""
    values, counts = found.sample.values_U, found.sample.counts_U
    share = np.cumsum(counts[::-1])[::-1] / counts.sum()
    wanted = np.concatenate(
        [
            np.searchsorted(values, np.geomspace(values[0], values[-1], MOST_DOTS)),
            values.size - np.searchsorted(share[::-1], np.geomspace(share[-1], 1, MOST_DOTS), side="right"),
        ]
    )
    shown = np.unique(np.clip(wanted, 0, values.size - 1))
    return values[shown], share[shown]


def _rivals(found: PowerLaw, grid: Array, tail_share: float) -> dict[str, Array]:
    """P(X >= x) of each rival by integrating its density over the grid."""
    from kleiber.diagnose.criticality.rivals import density

    curves = {}
    for name, each in found.contests.items():
        wide = np.geomspace(grid[0], 100 * grid[-1], 4000)
        height = density(name, wide, found.start.xmin, found.start.alpha, each.parameters)
        steps = 0.5 * (height[1:] + height[:-1]) * np.diff(wide)
        beyond = np.append(np.cumsum(steps[::-1])[::-1], 0.0)
        curves[name] = tail_share * np.interp(np.log(grid), np.log(wide), beyond / beyond[0])
    return curves
