"""The timeline of a pipeline: what every device does when, one row a device, and nothing where it stands idle.

One idea: forward, backward and the weights' part differ in lightness as well as in colour, so the picture survives a grey print;
a slot in which a forward and a backward chunk overlap is drawn as two half rows. Only a stretch is drawn where a step has
too many chunks to tell apart: the first ones, which show how the pipe fills.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.figures.marks import linear_channel, rows
from kleiber.figures.theme import BLUE, FAINT, GREEN, INK, VERMILLION, dressed

if TYPE_CHECKING:
    import altair as alt

    from kleiber.experts.pipeline import Timeline

NAMES = {"F": "forward", "B": "backward", "I": "backward, input only", "W": "weights' gradient"}
COLOURS = {"F": "#a6cee3", "B": BLUE, "I": GREEN, "W": VERMILLION}
DARK = ("B", "I", "W")
SHOWN, NUMBERED = 44, 24  # slots of a device that fill the width; that leave room for a number
ROW, WIDE = 22, 900
SECONDS = 2.0  # from here on the axis is in seconds
HALF = 0.42


def pipeline_timeline(run: Timeline, title: str) -> alt.LayerChart:
    """What each device does when."""
    import altair as alt

    end = run.seconds
    unit = 1.0 if end >= SECONDS else 1e-3
    longest = max(len(slots) for slots in run.orders)
    cut = min(1.0, SHOWN / longest)
    until = cut * end
    boxes = _boxes(run, until, unit)
    x = linear_channel(alt.X, "start", f"Time ({_name(unit)})", (0.0, until / unit))
    devices = len(run.orders)
    axis = alt.Axis(title="Pipeline device", values=list(range(devices)), grid=False, format="d", labelOverlap=False)
    y = alt.Y("low:Q", scale=alt.Scale(domain=[-0.5, devices - 0.5], reverse=True, nice=False), axis=axis)
    present = [kind for kind in NAMES if kind in set(boxes["kind"])]
    colour = alt.Color(
        "what:N",
        scale=alt.Scale(domain=[NAMES[kind] for kind in present], range=[COLOURS[kind] for kind in present]),
        legend=alt.Legend(title=None, symbolType="square"),
    )
    data = rows("chunks", **{name: values for name, values in boxes.items() if name != "kind"})
    ground = rows("devices", start=[0.0] * devices, end=[until / unit] * devices,
                  low=[place - HALF for place in range(devices)], high=[place + HALF for place in range(devices)])  # fmt: skip
    layers: list[Any] = [
        alt.Chart(ground).mark_rect(color=FAINT, opacity=0.45).encode(x=x, x2="end:Q", y=y, y2="high:Q"),
        alt.Chart(data)
        .mark_rect(stroke="white", strokeWidth=0.5)
        .encode(
            x=x,
            x2="end:Q",
            y=y,
            y2="high:Q",
            color=colour,
            tooltip=["what:N", "stage:Q", "batch:Q", "start:Q", "end:Q"],
        ),
    ]
    dark = "|".join(NAMES[kind] for kind in DARK)
    ink: Any = alt.condition(f"test(/^({dark})$/, datum.what)", alt.value("white"), alt.value(INK))
    numbered = min(longest, SHOWN) <= NUMBERED
    if numbered:
        words = alt.Chart(data).mark_text(fontSize=9)
        layers.append(words.encode(x=alt.X("middle:Q"), y=alt.Y("height:Q", axis=axis), text="batch:Q", color=ink))
    return dressed(layers, title, _notes(run, cut, unit, numbered), width=WIDE, height=max(90, ROW * devices))


def _boxes(run: Timeline, until: float, unit: float) -> dict[str, list[Any]]:
    """A row for each chunk that begins before `until`."""
    found: dict[str, list[Any]] = {
        name: [] for name in ("kind", "what", "stage", "batch", "start", "end", "low", "high", "middle", "height")
    }
    for place, (slots, starts, ends) in enumerate(zip(run.orders, run.starts, run.ends, strict=True)):
        for slot, start, end in zip(slots, starts, ends, strict=True):
            if start >= until:
                break
            edges = np.linspace(place - HALF, place + HALF, len(slot) + 1)
            for chunk, low, high in zip(slot, edges[:-1], edges[1:], strict=True):
                last = min(float(end), until)
                values = (chunk.kind, NAMES[chunk.kind], chunk.stage, chunk.batch, start / unit, last / unit, low, high,
                          (start + last) / 2 / unit, (low + high) / 2)  # fmt: skip
                for name, value in zip(found, values, strict=True):
                    found[name].append(value)
    return found


def _name(unit: float) -> str:
    return "s" if unit == 1.0 else "ms"


def _notes(run: Timeline, cut: float, unit: float, numbered: bool) -> list[str]:
    idle = f"The devices stand idle {100 * run.bubble_fraction:.1f} % of the time (bare ground)."
    numbers = "Numbers are micro-batches." if numbered else ""
    part = f"Drawn: the first {100 * cut:.0f} % of {run.seconds / unit:,.4g} {_name(unit)}." if cut < 1.0 else ""
    return [" ".join(words for words in (idle, numbers, part) if words)]
