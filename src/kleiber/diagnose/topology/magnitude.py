"""Magnitude of a metric space, "the effective number of points", and its positive part.

One idea: with Z = exp(-scale · d) and weights w that solve Z w = 1, magnitude is the sum of the weights; Andreeva et al. take the
sum of the positive ones, which cannot be cancelled by negative ones.

Shapes: N points.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, Refusal

REFERENCE = "Andreeva, Dupuis, Sarkar, Birdal & Simsekli, Topological Generalization Bounds (NeurIPS 2024)"
LEAST_RECIPROCAL_CONDITION = 1e-12


@dataclass(frozen=True, kw_only=True)
class Magnitude:
    """`magnitude`: sum of the weights; `positive`: sum of the positive ones; `points` that differ; `scale` of the distances."""

    magnitude: float
    positive: float
    points: int
    scale: float


def magnitude(distance_NN: NDArray[np.float64], *, scale: float = 1.0) -> Magnitude:
    """Magnitude of points at these distances times `scale`; points at distance 0 count as one.

    One point has magnitude 1; two at distance d have 2 / (1 + e^-d); n far from each other have n. Raises `InputError` where the
    scale is not above 0, and `Refusal` where points are so near at this scale that the weights cannot be solved for.

    >>> near = magnitude(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> round(near.magnitude, 6), round(float(2 / (1 + np.exp(-1))), 6)
    (1.462117, 1.462117)
    """
    if not (scale > 0 and np.isfinite(scale)):
        raise InputError("the scale of a magnitude is a number above 0", found=scale)
    distance = np.asarray(distance_NN, dtype=np.float64)
    # A point that has one equal to it further up is not another point.
    first_N = (distance == 0).argmax(axis=1) == np.arange(len(distance))
    distance = distance[np.ix_(first_N, first_N)]
    similarity_NN = np.exp(-scale * distance)
    weight_N = _weights(similarity_NN, scale)
    positive = float(weight_N[weight_N > 0].sum())
    return Magnitude(magnitude=float(weight_N.sum()), positive=positive, points=len(distance), scale=float(scale))


def _weights(similarity_NN: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """The solution of Z w = 1, where rounding leaves anything of it: an estimate of the condition comes with the factors."""
    lapack: Any = importlib.import_module("scipy.linalg.lapack")

    factors, pivots, failed = lapack.dgetrf(similarity_NN)
    reciprocal, _ = lapack.dgecon(factors, np.abs(similarity_NN).sum(axis=0).max())
    if failed or reciprocal < LEAST_RECIPROCAL_CONDITION:
        raise Refusal(
            f"at the scale {scale:.3g} the points are too near for weights to be solved for", remedy="a larger scale"
        )
    weight_N, _ = lapack.dgetrs(factors, pivots, np.ones(len(similarity_NN)))
    return weight_N
