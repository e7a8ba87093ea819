"""A linear map from features of a run to its gap, judged on families that it was not fitted on.

The way the data takes: reference runs -> least squares with one family left out at a time -> errors on that family ->
the interval of an estimate (their quantile) and the mean error beside that of other maps.

One idea: the map with no feature is "the mean gap of my other runs", and any feature whatever (the norm of the weights, the
margin, the training loss) makes a map of the same kind, so that topology and its rivals are judged by one function.

Shapes: R runs, F features, P permutations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.topology.reference_runs import ReferenceRuns
from kleiber.errors import Refusal

PERMUTATIONS = 199


@dataclass(frozen=True, kw_only=True)
class GapMap:
    """gap = weights · (1, features), with its errors on families left out.

    `errors_R`: for each reference run, its gap less the estimate of a map that was not fitted on its family. `reach`: the largest
    leverage among the reference runs; a run with more is beyond them.
    """

    features: tuple[str, ...]
    weights: NDArray[np.float64]
    errors_R: NDArray[np.float64]
    inverse: NDArray[np.float64]
    reach: float

    @property
    def mean_error(self) -> float:
        """Mean absolute error on families left out."""
        return float(np.abs(self.errors_R).mean())

    @property
    def rms_error(self) -> float:
        """Root of the mean squared error on families left out."""
        return float(np.sqrt(np.square(self.errors_R).mean()))

    def estimate(self, values: Mapping[str, float | None]) -> float:
        """The gap of a run with these features.

        Raises `Refusal` where a feature is missing, or where the run lies beyond the reference runs: its leverage
        h = z' (Z'Z)^-1 z exceeds that of every one of them.
        """
        missing = [name for name in self.features if values.get(name) is None]
        if missing:
            raise Refusal(
                f"the run has no {' and no '.join(missing)}",
                remedy="a higher cut-off or more units may show loops; or calibrate on --features mean_edge,edge_spread",
            )
        point = np.array([1.0, *(float(values[name] or 0.0) for name in self.features)])
        leverage = float(point @ self.inverse @ point)
        if leverage > self.reach * (1 + 1e-9):
            raise Refusal(
                f"the run lies beyond the reference runs in {' and '.join(self.features)} "
                f"(leverage {leverage:.2g}, theirs up to {self.reach:.2g})",
                remedy="reference runs that are more like this one",
            )
        return float(point @ self.weights)

    def half_width(self, level: float = 0.95) -> float:
        """Half the width of the interval: the ceil(level (R + 1))-th smallest absolute error on families left out.

        It holds at `level` if the run is to its family, and its family to the reference families, as these are to each other.
        Raises `Refusal` where there are too few runs for that level.
        """
        rank = math.ceil(level * (len(self.errors_R) + 1))
        if rank > len(self.errors_R):
            raise Refusal(
                f"{len(self.errors_R)} reference runs are too few for an interval at {100 * level:g} %",
                remedy=f"at least {math.ceil(level / (1 - level))} reference runs",
            )
        return float(np.sort(np.abs(self.errors_R))[rank - 1])


def gap_map(runs: ReferenceRuns, features: Sequence[str] = ()) -> GapMap:
    """Fit the map on all reference runs, and judge it with each family left out.

    Raises `Refusal` where a fold has fewer runs than twice its coefficients, or features that are no more than one.

    >>> from kleiber.diagnose.topology.reference_runs import reference_runs
    >>> life = np.linspace(0.1, 0.4, 12)
    >>> runs = reference_runs(0.5 * life + 0.1, ["a", "b", "c"] * 4, {"life": life})
    >>> round(gap_map(runs, ["life"]).estimate({"life": 0.3}), 6)
    0.25
    """
    design_RF = _design(runs, features)
    errors_R = _left_out(runs, design_RF) @ runs.gap_R
    inverse = np.linalg.inv(design_RF.T @ design_RF)
    return GapMap(
        features=tuple(features),
        weights=inverse @ design_RF.T @ runs.gap_R,
        errors_R=errors_R,
        inverse=np.asarray(inverse, dtype=np.float64),
        reach=float(np.einsum("rf,fg,rg->r", design_RF, inverse, design_RF).max()),
    )


def chance(runs: ReferenceRuns, features: Sequence[str], *, times: int = PERMUTATIONS, seed: int = 0) -> float:
    """How often gaps dealt anew within each family are foretold as well as the true ones: a p-value, 1 / (times + 1) at least.

    Exact where features say nothing about the gap of a run beyond its family, whatever the families' own means: a relation
    between a handful of families comes about by chance.
    """
    residual_RR = _left_out(runs, _design(runs, features))
    rng = np.random.default_rng(seed)
    dealt_PR = np.tile(runs.gap_R, (times + 1, 1))
    for fold in runs.folds():
        dealt_PR[1:, fold] = rng.permuted(dealt_PR[1:, fold], axis=1)
    squares_P = np.square(dealt_PR @ residual_RR.T).sum(axis=1)
    return float((squares_P <= squares_P[0] * (1 + 1e-12)).mean())


def labels_worth(error: float, share_wrong: float) -> float:
    """How many labelled examples give a standard error as small as `error`: n = p (1 - p) / error^2.

    >>> round(labels_worth(0.025, 0.5))
    400
    """
    return share_wrong * (1 - share_wrong) / error**2 if error > 0 else math.inf


def _design(runs: ReferenceRuns, features: Sequence[str]) -> NDArray[np.float64]:
    design_RF = np.column_stack([np.ones(len(runs)), runs.features(features)])
    for fold in runs.folds():
        rest = design_RF[~fold]
        if len(rest) < 2 * rest.shape[1]:
            raise Refusal(
                f"{len(rest)} reference runs are left where one family is left out, for {rest.shape[1]} coefficients",
                remedy="more reference runs, or fewer features (--features)",
            )
        scale_F = np.abs(rest).max(axis=0)
        if (scale_F == 0).any() or np.linalg.cond(rest / scale_F) > 1e8:
            raise Refusal(
                f"the features {', '.join(features)} of the reference runs are constant, or one follows from the others",
                remedy="reference runs that differ, or fewer features (--features)",
            )
    return design_RF


def _left_out(runs: ReferenceRuns, design_RF: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix that takes gaps to errors on families left out: linear in the gaps, so that permutations cost a product."""
    residual_RR = np.eye(len(runs))
    for fold in runs.folds():
        residual_RR[np.ix_(fold, ~fold)] -= design_RF[fold] @ np.linalg.pinv(design_RF[~fold])
    return residual_RR
