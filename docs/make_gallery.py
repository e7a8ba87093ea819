"""Draw the gallery: every chart, from the ladder that the project trained itself.

Run from the root of the repository: `python docs/make_gallery.py`. The same table gives the same pictures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import kleiber
from kleiber import figures
from kleiber.fit.allocation import allocation
from kleiber.fit.backtest import backtest
from kleiber.fit.published import published
from kleiber.plan import path
from kleiber.plan.architecture.frontier import Frontier

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "ladders" / "sotu-dense" / "runs.parquet"
IMAGES = ROOT / "docs" / "images"
TIMES = 1000.0  # the budget, in largest runs


def main() -> None:
    """Draw every chart to `docs/images/NAME.svg`."""
    runs = kleiber.read(TABLE)
    fit = kleiber.fit(runs, bootstrap=1000, seed=0)
    low, high = fit.runs.ranges["flops"]
    plan = kleiber.plan(fit, flops=TIMES * high)
    outlook = path(fit, np.geomspace(low, TIMES * high, 60))
    split, trial = allocation(fit), backtest(runs, bootstrap=200, seed=0)
    charts = {
        "loss-against-compute": kleiber.chart(fit),
        "loss-at-equal-compute": figures.loss_at_equal_compute(fit),
        "equal-loss": figures.contours(fit, outlook, plan),
        "forecast": figures.forecast_curve(fit, outlook, plan),
        "residuals": figures.residuals(fit),
        "cloud": figures.parameter_cloud(fit),
        "optimum": figures.optimum_cloud(plan),
        "hidden-runs": figures.heldout_errors(trial, runs),
        "split-by-cut": figures.allocation_by_cut(trial, split),
        "rules": figures.rules_against_runs(split),
        "frontier": figures.frontier_chart(kleiber.frontier(fit, flops=TIMES * high, families="all", hardware="h100")),
        "frontier-latency": figures.frontier_chart(quick()),
    }
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, chart in charts.items():
        assert chart is not None, f"the ladder does not support the chart {name!r}"
        print(figures.save(chart, IMAGES / f"{name}.svg").relative_to(ROOT))


def quick() -> Frontier:
    """Quality, cost and speed of what 1e24 FLOP can train, by a published law: on the ladder's scale everything is quick."""
    law, axes = published("chinchilla:besiroglu-2024"), ("loss", "serving_cost", "tpot_ms")
    return kleiber.frontier(law, axes, flops=1e24, loss_target=2.1, context="128k", hardware="h200")


if __name__ == "__main__":
    main()
