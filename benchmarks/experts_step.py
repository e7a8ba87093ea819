"""Speed of the step simulator: the clock over many chunks, reach from loads, and a whole step, each beside its target.

The clock runs 1F1B over ever more micro-batches: time per chunk must stay the same (linear). The reach of a token is that of
58 layers of 256 experts over 64 devices. The step is DeepSeek-V3's published configuration with a power law of loads. CPU
seconds, the least of the repeats; ratios are within one run.

Run: python benchmarks/experts_step.py [--repeats 3]
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import time
from collections.abc import Callable

import numpy as np

from kleiber.experts.pipeline import find_pipeline, timeline
from kleiber.experts.pipeline.timeline import even
from kleiber.experts.published import deepseek_job, training_hours
from kleiber.experts.reach import reach
from kleiber.experts.simulate import simulate

CHUNKS = (5_000, 50_000)


def least(repeats: int, work: Callable[[], object]) -> float:
    """CPU seconds of the fastest run."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def main() -> None:
    """Print every time and its ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    loads = np.stack([rng.permutation(np.arange(1, 257) ** -0.6) for _ in range(58)])
    each = []
    for chunks in CHUNKS:
        orders = find_pipeline("1f1b").orders(16, chunks // 32)
        seconds = least(repeats, lambda orders=orders: timeline(orders, even(16, 1.0, 2.0)))
        each.append(seconds / chunks)
        print(f"clock, {chunks:,} chunks: {1e3 * seconds:.1f} ms, {1e6 * each[-1]:.2f} us a chunk")
    print(f"  per chunk, ten times as many over one: x{each[1] / each[0]:.2f} (target: below 2)")
    seconds = least(repeats, lambda: reach(loads, 8, np.arange(256) // 4, 64))
    print(f"reach, 58 layers, 256 experts, 64 devices: {seconds:.2f} s")
    job = deepseek_job()
    plain, traced = (least(repeats, lambda given=given: simulate(job, given)) for given in (None, loads))
    print(f"step of DeepSeek-V3: {plain:.3f} s even, {traced:.2f} s from a trace (target: below 5)")
    print(f"hours of DeepSeek-V3: {training_hours().error:+.1%} of the published ones")


if __name__ == "__main__":
    main()
