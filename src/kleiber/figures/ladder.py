"""A ladder while it is trained: finished runs as dots, runs to come as bands where their law expects them.

One idea: what is known and what is foretold never look alike: a dot was measured, a bar is a forecast's interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.figures.marks import linear_channel, log_channel, rows, span, widened, with_tooltips
from kleiber.figures.theme import BLUE, INK, MUTED, VERMILLION, dressed

if TYPE_CHECKING:
    import altair as alt


def ladder_chart(runs: Sequence[Mapping[str, Any]], title: str, notes: Sequence[str] = ()) -> alt.LayerChart | None:
    """Loss against tokens of `runs`, each `{label, tokens, loss}` or `{label, tokens, expected, low, high, state}`.

    None where nothing is known of any run.
    """
    import altair as alt

    done = [run for run in runs if run.get("loss") is not None]
    ahead = [run for run in runs if run.get("loss") is None and run.get("expected") is not None]
    if not done and not ahead:
        return None
    values = [run["loss"] for run in done] + [run[name] for run in ahead for name in ("expected", "low", "high")]
    low, high = span(values)
    margin = 0.06 * max(high - low, 0.01)
    x = log_channel(alt.X, "tokens", "Tokens", widened(*span([run["tokens"] for run in (*done, *ahead)]), share=0.06))
    ends = (low - margin, high + margin)
    y = linear_channel(alt.Y, "loss", "Final loss", ends)
    from_y = linear_channel(alt.Y, "low", "Final loss", ends)
    layers = [*_ahead(ahead, x, y, from_y), *_done(done, x, y)]
    words = "Dots: measured. Bars: the 95 % interval of a run that is still to end."
    return dressed(layers, title, [words, *notes], height=320)


def _done(done: Sequence[Mapping[str, Any]], x: Any, y: Any) -> list[Any]:
    import altair as alt

    if not done:
        return []
    data = rows("done", words=[run["label"] for run in done], tokens=[float(run["tokens"]) for run in done],
                loss=[run["loss"] for run in done])  # fmt: skip
    marks = alt.Chart(data).mark_circle(size=60, color=BLUE, opacity=0.85, stroke="white", strokeWidth=0.5)
    return [with_tooltips(marks.encode(x=x, y=y), {"words": "Run", "tokens": "Tokens", "loss": "Loss"})]


def _ahead(ahead: Sequence[Mapping[str, Any]], x: Any, y: Any, from_y: Any) -> list[Any]:
    import altair as alt

    if not ahead:
        return []
    shift = np.exp(0.012 * (np.arange(len(ahead)) % 5 - 2))  # bars at one budget stand side by side
    data = rows(
        "ahead",
        words=[f"{run['label']} ({run['state']})" for run in ahead],
        tokens=[float(run["tokens"]) for run in ahead] * shift,
        loss=[run["expected"] for run in ahead],
        low=[run["low"] for run in ahead],
        high=[run["high"] for run in ahead],
        running=[run["state"] == "running" for run in ahead],
    )
    colour: Any = alt.condition("datum.running", alt.value(VERMILLION), alt.value(MUTED))
    bars = alt.Chart(data).mark_rule(strokeWidth=5, opacity=0.45).encode(x=x, y=from_y, y2="high:Q", color=colour)
    tick = alt.Chart(data).mark_point(shape="stroke", size=110, color=INK, strokeWidth=2)
    return [bars, with_tooltips(tick.encode(x=x, y=y), {"words": "Run", "tokens": "Tokens", "loss": "Expected loss"})]
