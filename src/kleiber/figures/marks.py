"""The few pieces every chart is made of: inline data, channels with our ticks, tooltips.

One idea: rows are plain dictionaries of rounded numbers under a name, so a specification is readable, small and the
same, byte for byte, whenever the results are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.figures import ticks
from kleiber.figures.theme import RAMP

if TYPE_CHECKING:
    import altair as alt

DIGITS = 6
WRITERS = {"params": ticks.si, "tokens": ticks.si, "flops": ticks.flop}
UNITS = {
    "nats_per_token": "nats per token",
    "nats_per_byte": "nats per byte",
    "bits_per_byte": "bits per byte",
}


def rows(name: str, /, **columns: Iterable[Any]) -> alt.InlineData:
    """A named data set of one row per entry of the columns, numbers rounded to six digits."""
    import altair as alt

    cells = zip(*columns.values(), strict=True)
    values = [dict(zip(columns, map(_rounded, row), strict=True)) for row in cells]
    return alt.InlineData(values=values, name=name)


def _rounded(value: Any) -> Any:
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, np.integer):
        return int(value)
    number = float(value)
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else None


def widened(low: float, high: float, share: float = 0.04) -> tuple[float, float]:
    """The range [low, high] with a margin of `share` of its log length on both sides, at least 2 %."""
    factor = max((high / low) ** share, 1.02)
    return low / factor, high * factor


def log_channel(
    kind: type,
    field: str,
    title: str | list[str],
    domain: tuple[float, float],
    *,
    most: int = 8,
    writer: str | None = None,
) -> Any:
    """A position channel (`alt.X` or `alt.Y`) on a log scale with our ticks; `writer` names how numbers are written."""
    import altair as alt

    write = WRITERS.get(writer or field, ticks.plain)
    axis = alt.Axis(title=title, values=ticks.log_ticks(*domain, most=most), labelExpr=write())
    return kind(f"{field}:Q", scale=alt.Scale(type="log", domain=list(domain), nice=False), axis=axis)


def linear_channel(
    kind: type, field: str, title: str | list[str], domain: tuple[float, float], *, most: int = 7
) -> Any:
    """A position channel on a linear scale with our ticks."""
    import altair as alt

    axis = alt.Axis(title=title, values=ticks.linear_ticks(*domain, most=most), labelExpr=ticks.plain())
    return kind(f"{field}:Q", scale=alt.Scale(domain=list(domain), nice=False, zero=False), axis=axis)


def size_colour(field: str, title: str, domain: tuple[float, float]) -> alt.Color:
    """Colour by the logarithm of `field` along the ramp, from small and light to large and dark."""
    import altair as alt

    low, high = domain if domain[1] > domain[0] else (domain[0] / 2, domain[0] * 2)
    legend = alt.Legend(
        title=title,
        type="symbol",
        symbolType="circle",
        values=ticks.log_ticks(low, high, most=5),
        labelExpr=WRITERS.get(field, ticks.plain)(),
        titleOrient="left",
    )
    scale = alt.Scale(type="log", domain=[low, high], range=list(RAMP), interpolate="lab", nice=False)
    return alt.Color(f"{field}:Q", scale=scale, legend=legend)


def tooltips(fields: Mapping[str, str]) -> tuple[list[dict[str, str]], list[Any]]:
    """For `field -> heading`: the calculations that write the fields in words, and the tooltip channels that show them."""
    import altair as alt

    calculations, channels = [], []
    for field, heading in fields.items():
        if field in ("params", "tokens", "flops"):
            expression = ticks.flop(f"datum.{field}", 2) if field == "flops" else ticks.si(f"datum.{field}")
            calculations.append({"as": f"{field}_words", "calculate": expression})
            channels.append(alt.Tooltip(f"{field}_words:N", title=heading))
        elif field in ("row", "words"):
            channels.append(alt.Tooltip(f"{field}:N", title=heading))
        else:
            channels.append(alt.Tooltip(f"{field}:Q", title=heading, format=".4~g"))
    return calculations, channels


def with_tooltips(chart: Any, fields: Mapping[str, str]) -> Any:
    """The chart with a tooltip of `fields`."""
    calculations, channels = tooltips(fields)
    for step in calculations:
        chart = chart.transform_calculate(**{step["as"]: step["calculate"]})
    return chart.encode(tooltip=channels)


def span(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The smallest and the largest finite value."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    return float(finite.min()), float(finite.max())
