"""Persistent homology of dimension 0 without a library: its bars are the edges of a minimum spanning tree.

One idea: components of a Vietoris-Rips filtration are born at 0 and die where an edge of the minimum spanning tree joins them, so
that Prim's algorithm on the full matrix, one row per step and many matrices side by side, is all that is needed. Its cost is the
number of points squared, which a dense matrix takes to be read.

Shapes: B matrices, N points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def spanning_lengths(distance_BNN: Floats) -> Floats:
    """The N - 1 edge lengths of a minimum spanning tree, ascending: the finite deaths of dimension 0.

    `distance_BNN` is `(N, N)` or `(..., N, N)`, symmetric; only its rows are read and the diagonal is ignored. The lengths are
    the same for every minimum spanning tree, so ties do not matter. Source: R. C. Prim, Bell System Technical Journal 36 (1957).

    >>> spanning_lengths(np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 2.0], [4.0, 2.0, 0.0]]))
    array([1., 2.])
    """
    distance = np.asarray(distance_BNN)
    *batch, points, _ = distance.shape
    if points < 2:
        return np.empty((*batch, 0))
    if not batch:
        return np.sort(_one(distance))
    lengths = _many(distance.reshape(-1, points, points))
    return np.sort(lengths, axis=-1).reshape(*batch, points - 1)


def _one(distance_NN: Floats) -> Floats:
    points = len(distance_NN)
    nearest_N = distance_NN[0].astype(np.float64)
    taken_N = np.zeros(points)
    taken_N[0] = np.inf
    lengths = np.empty(points - 1)
    for step in range(points - 1):
        new = int((nearest_N + taken_N).argmin())
        lengths[step] = nearest_N[new]
        taken_N[new] = np.inf
        np.minimum(nearest_N, distance_NN[new], out=nearest_N)
    return lengths


def _many(distance_BNN: Floats) -> Floats:
    count, points, _ = distance_BNN.shape
    every = np.arange(count)
    nearest_BN = distance_BNN[:, 0].astype(np.float64)
    taken_BN = np.zeros((count, points))
    taken_BN[:, 0] = np.inf
    lengths = np.empty((count, points - 1))
    for step in range(points - 1):
        new_B = (nearest_BN + taken_BN).argmin(axis=1)
        lengths[:, step] = nearest_BN[every, new_B]
        taken_BN[every, new_B] = np.inf
        np.minimum(nearest_BN, distance_BNN[every, new_B], out=nearest_BN)
    return lengths
