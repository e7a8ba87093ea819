"""Loads as they come and as they hurt: Zipf, log-normal, one hot, none, ties."""

from __future__ import annotations

import numpy as np


def zipf(exponent: float, *, layers: int = 58, experts: int = 256, seed: int = 0) -> np.ndarray:
    """rank^-exponent, the ranks permuted anew in every layer."""
    rng = np.random.default_rng(seed)
    weight_E = np.arange(1.0, experts + 1) ** -exponent
    return np.stack([rng.permutation(weight_E) for _ in range(layers)])


def lognormal(*, layers: int = 58, experts: int = 256, seed: int = 0) -> np.ndarray:
    """exp of a standard normal."""
    return np.random.default_rng(seed).lognormal(size=(layers, experts))


def one_hot(*, layers: int = 58, experts: int = 256) -> np.ndarray:
    """One expert takes everything, another one in each layer."""
    return np.eye(experts)[np.arange(layers) % experts]
