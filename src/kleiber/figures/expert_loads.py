"""Loads of experts' devices as heat maps, one beside the other: as they stand, and as a placement leaves them.

One idea: both maps have one scale, load over the layer's mean device, so that a balanced layer is a row of one colour and the
device that sets the pace is the darkest cell of its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.figures.marks import rows
from kleiber.figures.theme import INK, panelled

if TYPE_CHECKING:
    import altair as alt

Array = NDArray[np.float64]
MOST_CELLS = 4096
LIGHT_TO_DARK = ("#f3f6fb", "#b9d3e8", "#6fa8d0", "#2b6ca8", "#0b3866", "#041a33")


def device_loads(maps: Sequence[tuple[str, Array]], title: str, notes: Sequence[str] = ()) -> alt.ConcatChart:
    """Heat maps of `(name, load_LG)` pairs: layers down, devices across, load over the mean of the layer's devices.

    Of more layers than fit, evenly spaced ones are drawn.
    """
    import altair as alt

    relative = [(name, _relative(load_LG)) for name, load_LG in maps]
    most = max(1.25, *(float(ratio_LG.max()) for _, ratio_LG in relative))
    colour: Any = alt.Color(
        "load:Q",
        scale=alt.Scale(domain=[0, most], range=list(LIGHT_TO_DARK), clamp=True),
        legend=alt.Legend(title="Load over the mean device", gradientLength=180, format=".2~f"),
    )
    panels = [(name, [_map(f"loads {at}", ratio_LG, colour)]) for at, (name, ratio_LG) in enumerate(relative)]
    layers = len(relative[0][1])
    drawn = len(_drawn(layers, relative[0][1].shape[1]))
    cut = [f"{drawn} of {layers} layers are drawn."] if drawn < layers else []
    return panelled(panels, title, [*notes, *cut], size=(360, max(60, min(320, 14 * drawn))), columns=2)


def _relative(load_LG: Array) -> Array:
    mean_L = load_LG.mean(axis=1, keepdims=True)
    return np.divide(load_LG, mean_L, out=np.zeros_like(load_LG, dtype=float), where=mean_L > 0)


def _drawn(layers: int, devices: int) -> NDArray[np.int64]:
    count = max(1, min(layers, MOST_CELLS // max(1, devices)))
    return np.unique(np.linspace(0, layers - 1, count).round().astype(np.int64))


def _map(name: str, ratio_LG: Array, colour: Any) -> Any:
    import altair as alt

    shown_M = _drawn(*ratio_LG.shape)
    layer, device = np.meshgrid(shown_M, np.arange(ratio_LG.shape[1]), indexing="ij")
    data = rows(name, layer=layer.ravel(), device=device.ravel(), load=ratio_LG[shown_M].ravel())
    few = {"labelOverlap": "greedy", "grid": False, "ticks": False, "domain": False}
    x = alt.X("device:O", axis=alt.Axis(title="Device", labelAngle=0, **few))
    y = alt.Y("layer:O", axis=alt.Axis(title="Layer", **few))
    tips = [
        alt.Tooltip("layer:O", title="Layer"),
        alt.Tooltip("device:O", title="Device"),
        alt.Tooltip("load:Q", title="Load / mean", format=".3f"),
    ]
    return alt.Chart(data).mark_rect(stroke=INK, strokeOpacity=0.06).encode(x=x, y=y, color=colour, tooltip=tips)
