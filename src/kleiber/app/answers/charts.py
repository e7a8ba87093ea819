"""Charts: the specifications that the report and `kleiber chart` draw, for the browser to draw."""

from __future__ import annotations

from typing import Any

from kleiber.app.answers.plan import decided
from kleiber.app.memory import DRAWN, fit_of, key_of
from kleiber.app.repeat import Repeat
from kleiber.errors import InputError, Refusal, did_you_mean

STEPS = 30
OF_PLAN = ("contours", "optimum", "forecast")


def chart(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber chart`: one Vega-Lite specification. Those of a plan are drawn for the plan that was asked."""
    return DRAWN.get(key_of(asked), lambda: _chart(asked))


def _chart(asked: dict[str, Any]) -> dict[str, Any]:
    from kleiber.cli.chart import KINDS
    from kleiber.cli.options import budget
    from kleiber.figures.files import specification

    kind = asked["kind"]
    if kind not in KINDS:
        raise InputError(f"no chart {kind!r}", remedy=did_you_mean(kind, KINDS))
    found = fit_of(asked)
    found.usable()
    flops = budget(asked["flops"] or "1000x", "--flops", found)
    drawn = _of_plan(kind, found, asked) if kind in OF_PLAN else KINDS[kind](found, flops)
    if drawn is None:
        raise Refusal(f"This fit has no {kind} chart", remedy="more draws, and a law of params and tokens")
    repeat = Repeat(asked, "chart").say(kind).option("--flops", asked["flops"]).say("-o", f"{kind}.svg")
    return repeat.answer(
        {"schema": "kleiber/chart/1", "kind": kind}, "{fit}\nkleiber.chart(fit)", spec=specification(drawn)
    )


def _of_plan(kind: str, found: Any, asked: dict[str, Any]) -> Any:
    from kleiber import figures

    decision = decided(asked | {"life": dict.fromkeys(asked["life"]), "flops": asked["flops"] or "1000x"})
    if kind == "optimum":
        return figures.optimum_cloud(decision)
    path = _path(found, asked, decision)
    if kind == "contours":
        return figures.contours(found, path, decision, cloud=True)
    return figures.forecast_curve(found, path, decision)


def _path(found: Any, asked: dict[str, Any], decision: Any) -> Any:
    """The optimum from the smallest run's compute to ten times the budget."""
    import numpy as np

    from kleiber.plan import path

    low = found.runs.ranges["flops"][0] if "flops" in found.runs.ranges else decision.flops / 1e6
    return path(found, np.geomspace(low, max(10 * decision.flops, 10 * low), STEPS), at=dict(asked["at"]))
