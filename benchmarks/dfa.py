"""Fluctuation analysis of a million samples at 30 scales: this engine against fathon, antropy and MFDFA, as ratios in one run.

The scales divide the million, so that all of them cut the same windows (MFDFA also counts windows from the end); antropy, which
chooses its scales itself, is given them by replacing that choice in its own compiled function. Absent packages are named.
Run: python benchmarks/dfa.py
"""

from __future__ import annotations

import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from kleiber.diagnose.criticality.fluctuation import fluctuations, slope

LENGTH, ROUNDS, THEIR_ROUNDS = 10**6, 5, 2
DIVISORS = [scale for scale in range(16, 100_001) if LENGTH % scale == 0]
SCALES = np.array(DIVISORS[:30])


def by_fathon(series: np.ndarray) -> Callable[[], np.ndarray]:
    """fathon 1.4: compiled C."""
    import fathon
    from fathon import fathonUtils

    return lambda: fathon.DFA(fathonUtils.toAggregated(series)).computeFlucVec(SCALES, revSeg=False, polOrd=1)[1]


def by_mfdfa(series: np.ndarray) -> Callable[[], np.ndarray]:
    """MFDFA 0.4: NumPy."""
    from MFDFA import MFDFA

    return lambda: MFDFA(series - series.mean(), lag=SCALES, q=np.array([2.0]), order=1)[1][:, 0]


def by_antropy(series: np.ndarray) -> Callable[[], float]:
    """antropy 0.2: numba; gives the exponent alone."""
    import numba
    from antropy import fractal

    scales = SCALES
    python = fractal._dfa.py_func
    chosen = numba.njit(lambda smallest, largest, factor: scales)
    own: dict[str, Any] = {**python.__globals__, "_log_n": chosen}
    compiled = numba.njit(types.FunctionType(python.__code__, own))
    compiled(series[:200_000])
    return lambda: compiled(series)


PACKAGES = {"fathon": by_fathon, "antropy": by_antropy, "MFDFA": by_mfdfa}


def seconds(way: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """The best CPU time of several rounds, and the answer."""
    best, answer = float("inf"), None
    for _ in range(rounds):
        begin = time.process_time()
        answer = way()
        best = min(best, time.process_time() - begin)
    return best, answer


def main() -> None:
    """Print a line per package."""
    series = np.random.default_rng(0).normal(size=LENGTH)
    fluctuations(series[:200_000], SCALES)  # compiles
    own, found = seconds(lambda: fluctuations(series, SCALES), ROUNDS)
    print(f"{LENGTH} samples, {SCALES.size} scales {SCALES[0]}-{SCALES[-1]}: {1e3 * own:.0f} ms")
    for name, prepare in PACKAGES.items():
        try:
            way = prepare(series)
        except ImportError:
            print(f"{name}: not installed")
            continue
        theirs, answer = seconds(way, THEIR_ROUNDS)
        mine = found if np.ndim(answer) else slope(SCALES, found)
        differ = float(np.max(np.abs(np.asarray(answer) / mine - 1)))
        print(f"{name}: {theirs:.2f} s, {theirs / own:.0f}x our time; answers differ by {differ:.0e}")


if __name__ == "__main__":
    main()
