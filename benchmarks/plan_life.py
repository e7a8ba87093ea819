"""Speed of the planner: a full question, one geometric program, the draws of a plan for compute alone, each against its target.

The fit is of a simulated ladder (40 runs of a known law, 0.3 % noise) with 4,000 bootstrap draws. The full question is
"1e24 FLOP, 2T tokens to serve, 128k of context, H200s": four families, every shape that can be built, every draw; `shapes`
says how many that is. A program is one of the tangent programs behind a certificate, after the first. Times are wall clock,
the median of the repeats, beside the CPU seconds; `--profile` prints where the full question spends them.

Run: python benchmarks/plan_life.py [--repeats 5] [--profile]
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import kleiber
from kleiber.cost.families import options
from kleiber.fit import Fit
from kleiber.plan.architecture import LifePlan, brief, plan_life
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.relaxation import Serving, limits_of, tangent_loss
from kleiber.plan.architecture.shapes import Shapes, counts, shapes_of
from kleiber.plan.program import solve
from kleiber.plan.question import Question

DRAWS = 4000
FULL: dict[str, Any] = {"families": "all", "flops": 1e24, "serve_tokens": "2T", "context": "128k", "hardware": "h200"}
TARGETS = {"full question": 5.0, "one program after the first": 0.020, "4,000 draws, compute alone": 0.1}


def fitted() -> Fit:
    """A Chinchilla law fitted to 8 sizes x 5 budgets of simulated runs."""
    rng = np.random.default_rng(0)
    params, ratio = (part.ravel() for part in np.meshgrid(np.geomspace(4e7, 6e9, 8), np.array([4.0, 10, 25, 60, 150])))
    clean = 1.8 + 400 / params**0.35 + 2000 / (params * ratio) ** 0.37
    loss = clean * np.exp(0.003 * rng.normal(size=params.size))
    table = kleiber.RunTable.of({"params": params, "tokens": params * ratio, "loss": loss})
    return kleiber.fit(table, bootstrap=DRAWS)


def every_shape() -> list[Shapes]:
    """All shapes of the full question, option by option."""
    wish = brief(**FULL)
    return [shapes_of(each, counts(wish, "unknown")) for each in options(wish.families, vocabulary=wish.vocabulary)]


def program(found: Fit, shapes: Shapes) -> Callable[[], object]:
    """One geometric program of the full question: the tangent at a shape near the optimum."""
    wish = brief(**FULL)
    known = quality(shapes.option, Laws(fits=(found,)), wish, np.random.default_rng(0))
    loss = tangent_loss(shapes, known, np.array([8192.0, 60.0, 2e12]))
    question = Question(limits=limits_of(shapes, wish, Serving(devices=8, batch=32)))
    return lambda: solve(loss, question)


def full(found: Fit) -> LifePlan:
    """The full question as a new process would ask it: nothing counted before."""
    shapes_of.cache_clear()
    return plan_life(found, **FULL)


def timed(task: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median wall and CPU seconds, after a first run that is not counted."""
    task()
    wall, cpu = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        task()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return float(np.median(wall)), float(np.median(cpu))


def main() -> None:
    """Print every time against its target."""
    parser = argparse.ArgumentParser(description="Speed of the planner, against its targets.")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    found = fitted()
    shapes = every_shape()
    print(f"{sum(map(len, shapes)):,} shapes of {len(shapes)} options in four families, {DRAWS:,} draws")
    tasks: dict[str, tuple[Callable[[], object], int]] = {
        "full question": (lambda: full(found), asked.repeats),
        "one program after the first": (program(found, shapes[3]), 20 * asked.repeats),
        "4,000 draws, compute alone": (lambda: kleiber.plan(found, flops=1e24), 4 * asked.repeats),
    }
    times = {}
    for name, (task, repeats) in tasks.items():
        times[name], cpu = timed(task, repeats)
        met = "met" if times[name] < TARGETS[name] else "MISSED"
        print(
            f"  {name:30}{1e3 * times[name]:9.1f} ms   CPU {1e3 * cpu:9.1f} ms   target {1e3 * TARGETS[name]:7.0f} ms   {met}"
        )
    ratio = times["full question"] / times["4,000 draws, compute alone"]
    print(f"  a shape for life costs {ratio:.0f} times what params and tokens alone cost to plan")
    if asked.profile:
        profile = cProfile.Profile()
        profile.runcall(full, found)
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    main()
