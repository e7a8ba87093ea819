"""Topology's speed as ratios within one run: our tree against ripser's dimension 0, loops within their budget, a monitor's look.

2,000 units of a network with two layers of rectified units on 1,000 inputs. Dimension 0 by our own spanning tree beside
ripser's and SciPy's; dimension 1 by gudhi in its own process, whose budget is 10 s: as many units as are sampled by default,
more, and 2,000 independent units over 60 inputs, which no budget would do for and which must be refused in time. CPU seconds for
what runs here, wall seconds for the process.

Run: python benchmarks/topology.py
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import importlib.util
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree

from kleiber.diagnose.topology import Monitor, functional_graph, loops, spanning_lengths, topology
from kleiber.diagnose.topology.persistence import CUTOFF, SECONDS
from kleiber.errors import Refusal

UNITS, INPUTS = 2_000, 1_000


def network(seed: int = 0) -> np.ndarray:
    """Two layers of rectified units over inputs of ten signals, `(INPUTS, UNITS)`."""
    rng = np.random.default_rng(seed)
    first = np.maximum(rng.normal(size=(INPUTS, 10)) @ rng.normal(size=(10, UNITS // 2)), 0)
    second = np.maximum(first @ rng.normal(size=(UNITS // 2, UNITS // 2)) / np.sqrt(UNITS / 2), 0)
    return np.hstack([first, second])


def least_seconds(work: Callable[[], object], clock: Callable[[], float], repeats: int = 3) -> float:
    """The least of some repeats."""
    spent = []
    for _ in range(repeats):
        begin = clock()
        work()
        spent.append(clock() - begin)
    return min(spent)


def main() -> None:
    """Print a line per comparison."""
    distance = functional_graph(network()).distance_UU
    ours = least_seconds(lambda: spanning_lengths(distance), time.process_time)
    print(f"dimension 0 of {UNITS} units: {ours:.3f} s by our tree")
    if importlib.util.find_spec("ripser") is not None:
        from ripser import ripser

        theirs = least_seconds(lambda: ripser(distance, distance_matrix=True, maxdim=0), time.process_time, repeats=1)
        print(f"  ripser {theirs:.2f} s: ours is {theirs / ours:.0f}x as quick (target 1x)")
    scipy = least_seconds(lambda: minimum_spanning_tree(distance), time.process_time, repeats=1)
    print(f"  SciPy's tree {scipy:.2f} s: ours is {scipy / ours:.0f}x as quick")
    look()
    if importlib.util.find_spec("gudhi") is None:
        print("dimension 1 is left out: gudhi is not installed")
        return
    order = np.random.default_rng(1).permutation(len(distance))
    for units, cutoff in ((256, CUTOFF), (1000, CUTOFF), (len(distance), 0.3), (len(distance), CUTOFF)):
        some = order[:units]
        within_budget(distance[np.ix_(some, some)], "a network's", cutoff)
    noise = np.random.default_rng(1).normal(size=(60, UNITS))
    within_budget(functional_graph(noise).distance_UU, "independent", CUTOFF)


def within_budget(distance: np.ndarray, what: str, cutoff: float) -> None:
    """Loops under a cut-off, or the refusal, with the time it took."""
    begin = time.perf_counter()
    try:
        answer = f"{len(loops(distance, cutoff=cutoff).births_K)} loops"
    except Refusal as refusal:
        answer = f"refused ({refusal.message})"
    spent = time.perf_counter() - begin
    print(
        f"dimension 1 of {len(distance)} {what} units up to {cutoff:g}: {answer} in {spent:.1f} s (budget {SECONDS:g} s)"
    )


def look() -> None:
    """A look of the monitor at 128 units and 256 inputs, by the tree."""
    activations = network()
    rng = np.random.default_rng(2)
    monitor = Monitor(lambda drawn: topology(drawn, loops_too=False).mean_edge, share=1.0)

    def once() -> None:
        some = np.ix_(rng.permutation(INPUTS)[:256], rng.permutation(UNITS)[:128])
        monitor(0, lambda: activations[some])

    spent = least_seconds(once, time.process_time, repeats=20)
    print(f"a monitor's look at 128 units and 256 inputs: {1e3 * spent:.1f} ms")


if __name__ == "__main__":
    main()
