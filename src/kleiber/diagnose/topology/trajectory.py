"""The path of the weights through training: how rough it is, how long its tree, how many points it is worth.

The way the data takes: iterates (steps x weights) -> distances -> dimension from the tree lengths of growing subsets (Birdal et
al. 2021), sum of powers of the tree's edges and positive magnitude (Andreeva et al. 2024) -> each beside the same of random
walks with the run's own step lengths (`walks`).

One idea: lives of dimension 0 are edges of a minimum spanning tree, so that no library of topology is needed, and all subsets
of one size of many paths are done side by side.

Shapes: B paths, T iterates, P weights, S sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.topology.spanning_tree import spanning_lengths
from kleiber.errors import InputError, Refusal

REFERENCE = "Birdal, Lou, Guibas & Simsekli, Intrinsic Dimension, Persistent Homology and Generalization (NeurIPS 2021)"
SIZES, SMALLEST, LARGEST = 16, 0.2, 0.95
"""Subsets of a trajectory: from a fifth of it to 95 %, 200 to 950 of 1,000 iterates as in the published code."""
LEAST_ITERATES = 40


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """`slope` m of log E(n) on log n, and the dimension alpha / (1 - m); None where m >= 1, which no dimension has."""

    slope: float
    dimension: float | None
    alpha: float


def distances(points_TP: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean distances between rows, `(T, T)`, exactly symmetric with a zero diagonal; `(B, T, P)` gives `(B, T, T)`."""
    centred = points_TP - points_TP.mean(axis=-2, keepdims=True)
    squares = np.square(centred).sum(axis=-1)
    found = squares[..., :, None] + squares[..., None, :] - 2 * centred @ np.swapaxes(centred, -1, -2)
    found = np.sqrt(np.clip((found + np.swapaxes(found, -1, -2)) / 2, 0, None))
    places = np.arange(found.shape[-1])
    found[..., places, places] = 0
    return found


def dimension(distance_TT: NDArray[np.float64], *, alpha: float = 1.0, seed: int = 0) -> Dimension:
    """Persistent-homology dimension of a finite set of points, from the growth of its tree with the size of a random subset.

    E(n) = sum of edge^alpha over the tree of n points grows as n^m, and the dimension is alpha / (1 - m). For uniform points in
    a cube it is near the cube's dimension, and low above 3 (table in the docs). Raises `Refusal` below 40 points or where all
    are equal.

    >>> line = np.sort(np.random.default_rng(0).random(1000))[:, None]
    >>> round(dimension(distances(line)).dimension, 1)
    1.0
    """
    slope = float(slopes(np.asarray(distance_TT)[None], alpha=alpha, seed=seed)[0])
    return Dimension(slope=slope, dimension=alpha / (1 - slope) if slope < 1 else None, alpha=alpha)


def slopes(distance_BTT: NDArray[np.float64], *, alpha: float, seed: int) -> NDArray[np.float64]:
    """The slope m for each path, `(B,)`, from the same random subsets of each."""
    if not alpha > 0:
        raise InputError("the power of the edges is a number above 0", found=alpha)
    iterates = distance_BTT.shape[-1]
    if iterates < LEAST_ITERATES:
        raise Refusal(
            f"{iterates} iterates are too few for a dimension",
            remedy=f"at least {LEAST_ITERATES}, better the last 1,000 of training",
        )
    rng = np.random.default_rng(seed)
    sizes = np.unique(np.linspace(SMALLEST * iterates, LARGEST * iterates, SIZES).round().astype(int))
    sums_SB = []
    for size in sizes:
        some = np.sort(rng.choice(iterates, size=size, replace=False))
        sums_SB.append(lifetime_sum(distance_BTT[:, some[:, None], some], alpha=alpha))
    total_SB = np.array(sums_SB)
    if (total_SB <= 0).any():
        raise Refusal("the iterates are all the same", remedy="iterates that moved: was the learning rate 0?")
    log_n = np.log(sizes) - np.log(sizes).mean()
    return log_n @ np.log(total_SB) / (log_n @ log_n)


def lifetime_sum(distance_BTT: NDArray[np.float64], *, alpha: float = 1.0) -> NDArray[np.float64]:
    """E_alpha, the sum of edge^alpha over the minimum spanning tree, for each path.

    >>> float(lifetime_sum(distances(np.array([[0.0], [1.0], [3.0]])), alpha=2.0))
    5.0
    """
    return (spanning_lengths(distance_BTT) ** alpha).sum(axis=-1)
