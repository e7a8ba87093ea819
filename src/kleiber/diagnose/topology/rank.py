"""Rank correlation with other things held equal: does a measure follow the gap, or do both follow the learning rate?

One idea: Tan et al. (2024) found topological measures of generalisation confounded by hyperparameters. Two answers: Kendall's tau
over pairs of runs of one cell only (equal learning rate and batch size), and Spearman's coefficient of what is left when the
ranks of the controls are regressed out. Both get a p-value from permutations within cells.

Shapes: R runs, C controls, P permutations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import Refusal


@dataclass(frozen=True, kw_only=True)
class WithinCells:
    """Kendall's tau over pairs of runs that share a cell; `chance` is two-sided."""

    tau: float
    chance: float
    pairs: int


def within_cells(
    measure_R: ArrayLike, gap_R: ArrayLike, cells: Sequence[object], *, times: int = 999, seed: int = 0
) -> WithinCells:
    """Tau-b over pairs within cells: (concordant - discordant) / sqrt(pairs untied in one · pairs untied in the other).

    With a single cell it is Kendall's tau-b. Raises `Refusal` where no pair within a cell differs in both.

    >>> within_cells([1, 2, 3, 30, 10, 20], [1, 2, 3, 3, 1, 2], ["a", "a", "a", "b", "b", "b"]).tau
    1.0
    """
    first_R, second_R = np.asarray(measure_R, dtype=np.float64), np.asarray(gap_R, dtype=np.float64)
    kinds = {cell: place for place, cell in enumerate(dict.fromkeys(cells))}
    cell_R = np.array([kinds[cell] for cell in cells])
    left, right = np.triu_indices(len(first_R), k=1)
    same = cell_R[left] == cell_R[right]
    left, right = left[same], right[same]
    one = np.sign(first_R[left] - first_R[right])
    rng = np.random.default_rng(seed)
    dealt_PR = np.tile(second_R, (times + 1, 1))
    for kind in range(len(kinds)):
        dealt_PR[1:, cell_R == kind] = rng.permuted(dealt_PR[1:, cell_R == kind], axis=1)
    other_P = np.sign(dealt_PR[:, left] - dealt_PR[:, right])
    scale = np.sqrt(np.abs(one).sum() * np.abs(other_P[0]).sum())
    if scale == 0:
        raise Refusal(
            "no two runs of one cell differ in measure and gap", remedy="more runs per learning rate and batch"
        )
    tau_P = other_P @ one / scale
    chance = float((np.abs(tau_P) >= abs(tau_P[0]) - 1e-12).mean())
    return WithinCells(tau=float(tau_P[0]), chance=chance, pairs=int(np.count_nonzero(one * other_P[0])))


def partial_spearman(measure_R: ArrayLike, gap_R: ArrayLike, controls_RC: ArrayLike) -> float:
    """Pearson's coefficient of the ranks of `measure` and `gap` after the ranks of the controls are regressed out of both.

    Source: Conover & Iman's rank transform on the usual partial correlation. Raises `Refusal` where nothing is left of one.
    """
    from scipy.stats import rankdata

    controls = np.asarray(controls_RC, dtype=np.float64)
    design = np.column_stack([np.ones(len(controls)), rankdata(controls, axis=0)])
    kept = [_left(rankdata(values), design) for values in (measure_R, gap_R)]
    norms = [float(np.linalg.norm(values)) for values in kept]
    if min(norms) < 1e-9 * len(controls):
        raise Refusal("the controls explain every rank", remedy="runs that differ in more than the controls")
    return float(kept[0] @ kept[1] / (norms[0] * norms[1]))


def _left(ranks_R: NDArray[np.float64], design: NDArray[np.float64]) -> NDArray[np.float64]:
    return ranks_R - design @ np.linalg.lstsq(design, ranks_R, rcond=None)[0]
