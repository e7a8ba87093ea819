"""Draw the gallery: every chart, from what the project trained and recorded itself, or from what was planted.

Run from the root of the repository: `python docs/make_gallery.py`. The same table gives the same pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import kleiber
from kleiber import figures
from kleiber.cost import find_hardware
from kleiber.cost.models import find_model
from kleiber.diagnose import by_name
from kleiber.diagnose.criticality import dfa, power_law
from kleiber.diagnose.emergence import emergence
from kleiber.diagnose.limits import limits
from kleiber.experts.cluster import cluster_of
from kleiber.experts.placement import find
from kleiber.experts.read import read_trace
from kleiber.experts.simulate import Job, simulate
from kleiber.fit.allocation import allocation
from kleiber.fit.backtest import backtest
from kleiber.fit.published import published
from kleiber.plan import path
from kleiber.plan.architecture.frontier import Frontier

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "ladders" / "sotu-dense" / "runs.parquet"
TRACE = ROOT / "examples" / "traces" / "experts-64.parquet"
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
        "ladder-underway": underway(runs),
        "device-loads": loads(),
        "step": step(),
        "limits": figures.limits_chart(limits(kleiber.fit(runs, bootstrap=1000, cluster="trunk"), "832d6ae728b9")),
        "emergence": jump(),
        "fluctuations": figures.fluctuation_chart(dfa(walk())),
        "tail": figures.tail_chart(power_law(sizes())),
    }
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, chart in charts.items():
        assert chart is not None, f"the ladder does not support the chart {name!r}"
        print(figures.save(chart, IMAGES / f"{name}.svg").relative_to(ROOT))


def quick() -> Frontier:
    """Quality, cost and speed of what 1e24 FLOP can train, by a published law: on the ladder's scale everything is quick."""
    law, axes = published("chinchilla:besiroglu-2024"), ("loss", "serving_cost", "tpot_ms")
    return kleiber.frontier(law, axes, flops=1e24, loss_target=2.1, context="128k", hardware="h200")


def loads() -> Any:
    """What each device serves before and after a placement, from the routing trace of one of the lab's models."""
    trace, cluster = (
        read_trace(TRACE),
        cluster_of({"nodes": 1, "devices_per_node": 8, "slots_per_device": 9}, where="the gallery"),
    )
    before, after = (find(name).place(trace.load_LE, cluster) for name in ("static", "window-fill"))
    pair = [("Experts in order", before.device_load_LG()), ("Placed by window-fill", after.device_load_LG())]
    return figures.device_loads(pair, "What each device serves", ["The darkest cell of a row sets its pace."])


def step() -> Any:
    """A training step of a sparse model over four pipeline devices, with the routing of that trace."""
    job = Job(shape=find_model("olmoe-1b-7b").shape, device=find_hardware("h100"), nodes=1, devices_per_node=8,
              context=4096, sequences=128, pipeline=4)  # fmt: skip
    return figures.pipeline_timeline(
        simulate(job, read_trace(TRACE).load_LE).run, "olmoe-1b-7b: 1f1b, 16 micro-batches"
    )


def underway(runs: kleiber.RunTable) -> Any:
    """The ladder as it stood before its eight largest runs: what was measured, and where the law expected the rest."""
    order = np.argsort(runs.column("flops"))
    known = kleiber.fit(runs.take(np.sort(order[:-8])), bootstrap=1000, seed=0)
    told = []
    for at in order:
        params, tokens, loss = (float(runs.column(name)[at]) for name in ("params", "tokens", "loss"))
        row = {"label": f"{params:.3g} params", "tokens": tokens, "state": "done", "loss": loss}
        if at in order[-8:]:
            foretold = known.forecast(params=params, tokens=tokens)
            low, high = foretold.new_run_interval or (foretold.loss, foretold.loss)
            row |= {"loss": None, "state": "queued", "expected": foretold.loss, "low": low, "high": high}
        told.append(row)
    return figures.ladder_chart(told, "The ladder so far")


def jump() -> Any:
    """Answers of models in which a break was planted at a known scale."""
    planted = by_name.find("jump").planted(np.random.default_rng(0))
    return figures.emergence_chart(emergence(**planted))


def walk() -> np.ndarray:
    """A random walk: the sum of 4,096 independent steps."""
    return np.cumsum(np.random.default_rng(0).standard_normal(4096))


def sizes() -> np.ndarray:
    """Two thousand draws of a power law with exponent 2.5 from 1 on."""
    return (1 - np.random.default_rng(0).random(2000)) ** (-1 / 1.5)


if __name__ == "__main__":
    main()
