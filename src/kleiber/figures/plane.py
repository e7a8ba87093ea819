"""The decision seen from above: contours of equal loss in the (params, tokens) plane, with the runs and the optimum's path.

One idea: a budget is a straight falling line here and a loss is a curve; the plan is where the line touches the lowest
curve, and its interval lies along the line, because more params at the same compute means fewer tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kleiber.figures.marks import log_channel, rows, span, widened, with_tooltips
from kleiber.figures.scene import Scene
from kleiber.figures.theme import BLUE, FAINT, INK, MUTED, VERMILLION, dressed
from kleiber.figures.ticks import flop, log_ticks, plain

if TYPE_CHECKING:
    import altair as alt

    from kleiber.fit.result import Fit
    from kleiber.plan.path import Path
    from kleiber.plan.result import Plan

Array = NDArray[np.float64]
ACROSS, UP, LEVELS = 400, 300, 9
STRIDE = 0.02  # of the width of the picture
MOST_DOTS = 300


def contours(
    fit: Fit, path: Path | None = None, plan: Plan | None = None, *, cloud: bool = False
) -> alt.LayerChart | None:
    """Contours of equal loss over params and tokens: runs, budgets, the optimum's path with its interval, the plan.

    With `cloud`, the optima of some draws as well. None for a law of one input, and where nothing was fitted.
    """
    import altair as alt

    scene = Scene(fit=fit)
    if not scene.spans_plane or not scene.fitted:
        return None
    x_range, y_range = _window(scene, path, plan)
    x = log_channel(alt.X, "params", "Params", x_range)
    y = log_channel(alt.Y, "tokens", "Tokens", y_range)
    layers = [*_budget_lines(x, y, x_range, y_range), *_contours(scene, x, y, x_range, y_range)]
    if path is not None:
        layers += _path(path, x, y)
    if scene.columns:
        layers.append(_runs(scene, x, y))
    if plan is not None:
        layers += [*(_cloud(plan, x, y) if cloud else []), *_plan(plan, x, y)]
    notes = [
        f"{scene.count_words} Grey curves: equal loss. Dashed: equal compute. "
        + ("Orange: the compute-optimal path with its 95 % interval. " if path is not None else "")
        + ("Star: the plan." if plan is not None else ""),
        scene.held_words,
    ]
    return dressed(layers, "Equal loss over params and tokens", notes, height=420)


def _window(scene: Scene, path: Path | None, plan: Plan | None) -> tuple[tuple[float, float], tuple[float, float]]:
    params, tokens = list(scene.range("params")), list(scene.range("tokens"))
    if path is not None:
        params, tokens = [*params, *path.params.value_F], [*tokens, *path.tokens.value_F]
    if plan is not None:
        params, tokens = [*params, plan.params.value], [*tokens, plan.tokens.value]
    return widened(*span(params), share=0.06), widened(*span(tokens), share=0.06)


def crossings(scene: Scene, level: float, params_G: Array, tokens_U: Array) -> Array:
    """The tokens (G,) at which the loss first falls to `level` as tokens rise, NaN where it does not on this range."""
    loss_GU = scene.law(params_G[:, None], tokens_U[None, :])
    above_GU = loss_GU > level
    first = np.argmax(~above_GU, axis=1)
    hit = (~above_GU).any(axis=1) & (first > 0)
    at = np.arange(len(params_G))
    before, after = loss_GU[at, np.maximum(first - 1, 0)], loss_GU[at, first]
    logs = np.log(tokens_U)
    below = logs[np.maximum(first - 1, 0)]
    with np.errstate(all="ignore"):
        found = np.exp(below + (before - level) / (before - after) * (logs[first] - below))
    return np.where(hit, found, np.nan)


def _levels(scene: Scene, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[float]:
    """Losses at even steps along the diagonal of the picture, in as few digits as keep them apart."""
    steps = np.linspace(0, 1, LEVELS + 2)[1:-1]
    diagonal = [low * (high / low) ** steps for low, high in (x_range, y_range)]
    loss = scene.law(*diagonal)
    for digits in (2, 3, 4):
        rounded = sorted({float(f"{level:.{digits}g}") for level in loss})
        if len(rounded) == LEVELS:
            break
    return rounded


def _spaced(tokens_G: Array, y_range: tuple[float, float]) -> NDArray[np.int64]:
    """Positions along a contour that lie far enough apart to be worth drawing, both ends among them."""
    known = np.flatnonzero(np.isfinite(tokens_G))
    if known.size < 4:
        return known
    across = np.diff(known) / ACROSS
    up = np.diff(np.log(tokens_G[known])) / np.log(y_range[1] / y_range[0])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(across, up))])
    kept = np.unique(np.searchsorted(length, np.arange(0, length[-1], STRIDE)))
    return known[np.union1d(kept, [known.size - 1])]


def _contours(scene: Scene, x: Any, y: Any, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[Any]:
    import altair as alt

    params_G, tokens_U = np.geomspace(*x_range, ACROSS), np.geomspace(*y_range, UP)
    lines, labels = [], []
    for level in _levels(scene, x_range, y_range):
        tokens_G = crossings(scene, level, params_G, tokens_U)
        known = _spaced(tokens_G, y_range)
        if known.size < 4:
            continue
        lines += [(level, params_G[index], tokens_G[index]) for index in known]
        labels.append((level, params_G[known[-1]], tokens_G[known[-1]]))
    if not lines:
        return []
    curves = alt.Chart(_points("contours", "loss", lines))
    drawn = [curves.mark_line(clip=True, color=MUTED, strokeWidth=1.2).encode(x=x, y=y, detail="loss:Q")]
    words = alt.Chart(_points("contour labels", "loss", labels)).transform_calculate(words=plain("datum.loss"))
    text = words.mark_text(align="right", dx=-3, dy=-7, fontSize=11, color=MUTED).encode(x=x, y=y, text="words:N")
    return [*drawn, text]


def _budget_lines(x: Any, y: Any, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[Any]:
    """Straight lines of equal compute at powers of ten, labelled where they leave the chart."""
    import altair as alt

    lines, labels = [], []
    for flops in log_ticks(6 * x_range[0] * y_range[0], 6 * x_range[1] * y_range[1], most=9):
        low, high = max(x_range[0], flops / (6 * y_range[1])), min(x_range[1], flops / (6 * y_range[0]))
        if low >= high:
            continue
        lines += [(flops, end, flops / (6 * end)) for end in (low, high)]
        labels.append((flops, low, flops / (6 * low)))
    drawn = alt.Chart(_points("budgets", "flops", lines))
    words = alt.Chart(_points("budget labels", "flops", labels)).transform_calculate(words=flop("datum.flops"))
    return [
        drawn.mark_line(color=FAINT, strokeDash=[5, 4], strokeWidth=1.3).encode(x=x, y=y, detail="flops:Q"),
        words.mark_text(align="left", dx=4, dy=9, fontSize=10.5, color=MUTED, opacity=0.8).encode(
            x=x, y=y, text="words:N"
        ),
    ]


def _points(name: str, first: str, points: list[tuple[float, float, float]]) -> alt.InlineData:
    """Rows of (`first`, params, tokens)."""
    return rows(name, **dict(zip((first, "params", "tokens"), np.array(points).T, strict=True)))


def _path(path: Path, x: Any, y: Any) -> list[Any]:
    import altair as alt

    flops = path.flops_F
    params = np.concatenate([path.params.low_F, path.params.high_F[::-1]])
    tokens = np.concatenate([flops, flops[::-1]]) / (6 * params)
    band = alt.Chart(rows("path band", order=np.arange(params.size), params=params, tokens=tokens))
    line = alt.Chart(
        rows("path", flops=flops, params=path.params.value_F, tokens=path.tokens.value_F, loss=path.loss.value_F)
    )
    heads = {"flops": "FLOP", "params": "Best params", "tokens": "Best tokens", "loss": "Loss"}
    return [
        band.mark_line(clip=True, filled=True, fill=VERMILLION, fillOpacity=0.22, strokeWidth=0).encode(
            x=x, y=y, order="order:Q"
        ),
        with_tooltips(line.mark_line(clip=True, color=VERMILLION, strokeWidth=2.6).encode(x=x, y=y), heads),
    ]


def _runs(scene: Scene, x: Any, y: Any) -> Any:
    import altair as alt

    shown = scene.shown
    data = {name: scene.columns[name][shown] for name in ("params", "tokens", "flops")}
    chart = alt.Chart(rows("runs", row=scene.row_numbers[shown], **data, loss=scene.columns["observed"][shown]))
    chart = chart.mark_circle(
        clip=True, size=26 if len(shown) < 600 else 10, opacity=0.75, color=BLUE, stroke="white", strokeWidth=0.3
    )
    heads = {"row": "Row", "params": "Params", "tokens": "Tokens", "flops": "FLOP", "loss": scene.target}
    return with_tooltips(chart.encode(x=x, y=y), heads)


def _cloud(plan: Plan, x: Any, y: Any) -> list[Any]:
    """Where some draws put the optimum: along the budget's line, as far as the runs leave it open."""
    import altair as alt

    shown_B3 = plan.cloud_B3[:: max(1, -(-len(plan.cloud_B3) // MOST_DOTS))]
    dots = alt.Chart(rows("cloud", params=shown_B3[:, 0], tokens=shown_B3[:, 1]))
    return [dots.mark_circle(clip=True, size=12, opacity=0.35, color=VERMILLION).encode(x=x, y=y)]


def _plan(plan: Plan, x: Any, y: Any) -> list[Any]:
    import altair as alt

    point = rows("plan", params=[plan.params.value], tokens=[plan.tokens.value], loss=[plan.loss.value])
    star = alt.Chart(point).mark_point(
        shape="M0,-1L0.29,-0.4L0.95,-0.31L0.48,0.15L0.59,0.81L0,0.5L-0.59,0.81L-0.48,0.15L-0.95,-0.31L-0.29,-0.4Z",
        size=220,
        filled=True,
        color=INK,
        opacity=1,
        stroke="white",
        strokeWidth=0.8,
    )
    return [with_tooltips(star.encode(x=x, y=y), {"params": "Params", "tokens": "Tokens", "loss": "Loss"})]
