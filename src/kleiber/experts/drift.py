"""Traces that drift in a known way, to try a rule of re-planning on before there is a trace of one's own.

Shapes: S steps, L layers, E experts.
"""

from __future__ import annotations

import numpy as np

from kleiber.experts.trace import Floats, RoutingTrace


def random_walk(
    *, steps: int, layers: int, experts: int, spread: float, walk: float, tokens: int, seed: int
) -> RoutingTrace:
    """Log loads that start normal with deviation `spread` and take normal steps of deviation `walk`; counts are multinomial."""
    rng = np.random.default_rng(seed)
    start_LE = spread * rng.normal(size=(layers, experts))
    log_SLE = start_LE + np.cumsum(walk * rng.normal(size=(steps, layers, experts)), axis=0)
    return _counted(np.exp(log_SLE), tokens, rng)


def rotating_zipf(
    *, steps: int, layers: int, experts: int, exponent: float, every: int, tokens: int, seed: int
) -> RoutingTrace:
    """Zipf loads, rank^-exponent, whose ranks change hands by one place every `every` steps: the hot experts rotate."""
    rng = np.random.default_rng(seed)
    weight_E = np.arange(1.0, experts + 1) ** -exponent
    order_LE = np.stack([rng.permutation(experts) for _ in range(layers)])
    load_SLE = np.stack([weight_E[(order_LE + step // every) % experts] for step in range(steps)])
    return _counted(load_SLE.astype(np.float64), tokens, rng)


def _counted(load_SLE: Floats, tokens: int, rng: np.random.Generator) -> RoutingTrace:
    return RoutingTrace.from_counts(
        rng.multinomial(tokens, load_SLE / load_SLE.sum(axis=2, keepdims=True)), source="planted"
    )
