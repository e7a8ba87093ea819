"""Branching: each active unit wakes on average m others. Activity whose exponents are known, to hold the instruments against.

At m = 1 a single seed gives avalanches with P(size) ~ size^-3/2, P(duration) ~ duration^-2, mean size ~ duration^2 (mean field).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def branching_avalanches(
    count: int, ratio: float, rng: np.random.Generator, *, longest: int = 10_000
) -> tuple[Array, Array]:
    """Sizes and durations of `count` avalanches of one seed each, each unit waking Poisson(`ratio`) others."""
    active, sizes, durations = np.ones(count, dtype=np.int64), np.ones(count), np.ones(count)
    alive = np.arange(count)
    for _ in range(longest - 1):
        active = rng.poisson(ratio * active)
        alive, active = alive[active > 0], active[active > 0]
        if not alive.size:
            break
        sizes[alive] += active
        durations[alive] += 1
    return sizes, durations


def driven_branching(length: int, ratio: float, drive: float, rng: np.random.Generator, *, seen: float = 1.0) -> Array:
    """Activity `(length,)` of a_(t+1) ~ Poisson(ratio a_t + drive), of which each event is seen with probability `seen`."""
    activity = np.empty(length, dtype=np.int64)
    level = round(drive / max(1 - ratio, 1e-3))
    for step in range(length):
        level = rng.poisson(ratio * level + drive)
        activity[step] = level
    return (rng.binomial(activity, seen) if seen < 1 else activity).astype(np.float64)


def separated_avalanches(count: int, ratio: float, rng: np.random.Generator, *, longest: int = 1000) -> Array:
    """Activity `(n,)` in which single seeds start one avalanche after the other, a silent step between them."""
    steps: list[int] = []
    for _ in range(count):
        active, age = 1, 0
        while active and age < longest:
            steps.append(active)
            active, age = int(rng.poisson(ratio * active)), age + 1
        steps.append(0)
    return np.array(steps, dtype=np.float64)
