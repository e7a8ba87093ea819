"""One task under two metrics: accuracy, and the loss per token behind it, over the same models.

One idea: the two panels show the same answers. What jumps on the left and is straight on the right jumped in the metric alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.figures.marks import linear_channel, log_channel, rows, span, widened
from kleiber.figures.theme import BLUE, INK, MUTED, VERMILLION, panelled

if TYPE_CHECKING:
    import altair as alt

    from kleiber.diagnose.emergence import Emergence

WIDTH, HEIGHT = 330, 260


def emergence_chart(found: Emergence) -> alt.ConcatChart:
    """Accuracy and loss per token against scale, with exact intervals and the smooth law (orange) in both."""
    panels = [("Accuracy", _accuracy(found)), ("The same answers: -log of the rate per token", _per_token(found))]
    notes = [found.findings[0].evidence, "Bars: exact 95 % intervals. Orange: the smooth law, one for both panels."]
    return panelled(
        panels, f"{found.task[:1].upper()}{found.task[1:]} under two metrics", notes, size=(WIDTH, HEIGHT), columns=2
    )


def _x(found: Emergence, kind: type, field: str) -> Any:
    compute = found.scale in ("flops", "compute") or max(found.scores.x_M) >= 1e15  # 1e18 rather than 1000000T
    writer = "flops" if compute else "params"
    return log_channel(kind, field, found.scale, widened(*span(found.scores.x_M)), most=5, writer=writer)


def _accuracy(found: Emergence) -> list[Any]:
    import altair as alt

    of = found.scores
    x = _x(found, alt.X, "x")
    low, middle, curve = (
        linear_channel(alt.Y, name, "right answers", (0.0, 1.02)) for name in ("low", "accuracy", "curve")
    )
    points = rows("accuracy", x=of.x_M, accuracy=of.accuracy_M, low=found.accuracy_low_M, high=found.accuracy_high_M)
    line = rows("accuracy law", x=found.curve_x_C, curve=found.curve_accuracy_C)
    layers: list[Any] = [
        alt.Chart(line).mark_line(color=VERMILLION, strokeWidth=2.2).encode(x=x, y=curve),
        alt.Chart(points).mark_rule(color=BLUE, strokeWidth=1.4).encode(x=x, y=low, y2="high:Q"),
        alt.Chart(points).mark_point(filled=True, size=42, color=BLUE, opacity=1).encode(x=x, y=middle),
    ]
    if of.chance:
        chance = rows("chance", accuracy=[of.chance])
        layers.append(alt.Chart(chance).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y=middle))
    return layers


def _per_token(found: Emergence) -> list[Any]:
    import altair as alt

    of = found.scores
    best, loss, worst = (
        found.token_loss(each, of.length_M) for each in (found.accuracy_high_M, of.accuracy_M, found.accuracy_low_M)
    )
    seen = np.concatenate([loss[np.isfinite(loss) & (loss > 0)], best[np.isfinite(best) & (best > 0)]])
    if not seen.size:
        return [
            alt.Chart(rows("none", words=["No model is off the floor."])).mark_text(color=INK).encode(text="words:N")
        ]
    bottom, top = widened(float(seen.min()), float(seen.max()), share=0.15)
    x = _x(found, alt.X, "x")
    low, middle, curve = (
        log_channel(alt.Y, name, "nats per token of the answer", (bottom, top), most=6)
        for name in ("low", "loss", "curve")
    )
    known = np.isfinite(loss) & (loss > 0)
    bars = np.isfinite(best)
    points = rows("per token", x=of.x_M[known], loss=loss[known])
    ends = rows(
        "per token interval",
        x=of.x_M[bars],
        low=np.clip(best[bars], bottom, top),
        high=np.clip(np.nan_to_num(worst[bars], posinf=top), bottom, top),
    )
    line = rows("per token law", x=found.curve_x_C, curve=found.curve_loss_C)
    return [
        alt.Chart(line).mark_line(color=VERMILLION, strokeWidth=2.2, clip=True).encode(x=x, y=curve),
        alt.Chart(ends).mark_rule(color=BLUE, strokeWidth=1.4).encode(x=x, y=low, y2="high:Q"),
        alt.Chart(points).mark_point(filled=True, size=42, color=BLUE, opacity=1).encode(x=x, y=middle),
    ]
