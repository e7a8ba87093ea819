"""What limits a run: what its loss is made of, and what mending each suspect would take off it.

One idea: a reader should see at once whether the longest bar is longer than noise, so the least difference that two single
runs can show is drawn through all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kleiber.figures.marks import linear_channel, rows
from kleiber.figures.theme import BLUE, FAINT, GREEN, INK, MUTED, VERMILLION, panelled
from kleiber.quantity import show

if TYPE_CHECKING:
    import altair as alt

    from kleiber.diagnose.limits import Limits

WIDTH = 440
NOISE = " (dashed: the least difference that two single runs can show)"


def limits_chart(found: Limits) -> alt.ConcatChart:
    """Two panels of one run: its loss as floor, capacity and data; and gains with intervals, the noise floor dashed."""
    at = ", ".join(f"{show(value)} {name}" for name, value in found.at.items())
    second = "What mending would take off it" + (NOISE if found.visible else "")
    panels = [("What its loss is made of, by the law", _made_of(found)), (second, _gains(found))]
    notes = [found.findings[0].evidence]
    return panelled(panels, f"What limits {found.run}: {at}", notes, size=(WIDTH, 110), columns=1)


def _made_of(found: Limits) -> list[Any]:
    import altair as alt

    shares = {each.name: each.share.value for each in found.suspects if each.share is not None}
    reducible = max(found.expected - found.floor.value, 0.0)
    parts = {"floor": found.floor.value} | {name: share * reducible for name, share in shares.items()}
    ends, total = {}, 0.0
    for name in ("floor", "capacity", "data"):
        ends[name] = (total, total + parts[name])
        total += parts[name]
    data = rows(
        "parts",
        part=list(ends),
        start=[span[0] for span in ends.values()],
        end=[span[1] for span in ends.values()],
        middle=[sum(span) / 2 for span in ends.values()],
        words=[f"{name} {show(parts[name], 3)}" for name in ends],
        level=[0, -16, 16],
    )
    x = linear_channel(alt.X, "start", "loss", (0.0, total))
    colour = alt.Color("part:N", scale=alt.Scale(domain=list(ends), range=[FAINT, BLUE, VERMILLION]), legend=None)
    bar = alt.Chart(data).mark_bar(height=34, stroke="white").encode(x=x, x2="end:Q", color=colour)
    layers = [bar]
    for name, shift in (("floor", 0), ("capacity", -32), ("data", 32)):
        label = alt.Chart(data).transform_filter(f"datum.part == '{name}'")
        align = "center" if name == "floor" else "right"
        place = linear_channel(alt.X, "middle" if name == "floor" else "end", "loss", (0.0, total))
        layers.append(label.mark_text(dy=shift, align=align, fontSize=12, color=INK).encode(x=place, text="words:N"))
    return layers


def _gains(found: Limits) -> list[Any]:
    import altair as alt

    shown = [each for each in found.suspects if each.gain.interval is not None]
    low = [each.gain.interval[0] for each in shown if each.gain.interval]
    high = [each.gain.interval[1] for each in shown if each.gain.interval]
    ends = [*low, *high, 0.0, *([found.visible] if found.visible else [])]
    room = 0.05 * (max(ends) - min(ends))
    names = [f"{each.name}: {each.mend}" for each in shown]
    data = rows("gains", name=names, gain=[each.gain.value for each in shown], low=low, high=high)
    domain = (min(ends) - room, max(ends) + room)
    x, spread = (linear_channel(alt.X, name, "taken off the loss", domain) for name in ("gain", "low"))
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=260, grid=False, ticks=False, domain=False))
    layers: list[Any] = [alt.Chart(rows("zero", gain=[0.0])).mark_rule(color=MUTED).encode(x=x)]
    if found.visible:
        line = alt.Chart(rows("noise", gain=[found.visible]))
        layers.append(line.mark_rule(color=GREEN, strokeDash=[4, 3], strokeWidth=1.6).encode(x=x))
    layers.append(alt.Chart(data).mark_rule(strokeWidth=2.4, color=INK).encode(x=spread, x2="high:Q", y=y))
    layers.append(alt.Chart(data).mark_point(filled=True, size=90, color=INK, opacity=1).encode(x=x, y=y))
    return layers
