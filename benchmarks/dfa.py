"""Fluctuation analysis of a million samples at 30 scales: this engine against fathon, antropy and MFDFA, as ratios in one run.

The scales divide the million, so that all of them cut the same windows (MFDFA also counts windows from the end). antropy chooses
its scales itself, 55 from 4 samples on: it is given ours by leaving the line that chooses out of its own function, compiled by
numba as it is, and is met on its own scales besides. Absent packages are named. Run: python benchmarks/dfa.py
"""

from __future__ import annotations

import inspect
import re
import time
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

    python = fractal._dfa.py_func
    text = inspect.getsource(python)
    chosen = re.search(r"^ *nvals = .*\n", text, re.MULTILINE)
    if chosen is None:
        raise ImportError("antropy chooses its scales in another way")
    text = text[text.index("def _dfa(x)") :].replace(chosen.group(), "").replace("def _dfa(x)", "def given(x, nvals)")
    own: dict[str, Any] = dict(python.__globals__)
    exec(text, own)
    compiled = numba.njit(own["given"])
    compiled(series[:200_000], SCALES)
    return lambda: compiled(series, SCALES)


def antropy_alone(series: np.ndarray) -> None:
    """A line for antropy as it is, on the scales that it chooses."""
    from antropy import detrended_fluctuation
    from antropy.utils import _log_n

    scales = _log_n(4, 0.1 * series.size, 1.2)
    detrended_fluctuation(series[:1000])
    theirs, answer = seconds(lambda: detrended_fluctuation(series), THEIR_ROUNDS)
    own, found = seconds(lambda: fluctuations(series, scales), ROUNDS)
    differ = abs(float(answer) / slope(scales, found) - 1)
    span = f"{scales.size} scales {scales[0]}-{scales[-1]}"
    print(f"antropy on its own {span}: {theirs:.2f} s, {theirs / own:.0f}x our time; answers differ by {differ:.0e}")


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
        if name == "antropy":
            antropy_alone(series)


if __name__ == "__main__":
    main()
