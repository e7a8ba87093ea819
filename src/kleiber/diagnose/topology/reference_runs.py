"""The user's own runs whose gap between test and train error is known: what an estimate of a gap is calibrated on.

One idea: a map from topology to the gap holds for the kind of run that it was fitted on and for no other, so that each run names
its family, and the map is judged on families that it has not seen.

Shapes: R runs, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import ColumnError, InputError, Refusal, did_you_mean

LEAST_FAMILIES = 3


@dataclass(frozen=True, kw_only=True)
class ReferenceRuns:
    """Runs with a known gap.

    `gap_R`: test error less train error, as a share. `families`: a word for each run. `columns`: whatever was measured of each
    run, by name (`life`, `midlife`, `norm`, `margin`, `train_loss`, ...); NaN where a run lacks it.
    """

    gap_R: NDArray[np.float64]
    families: tuple[str, ...]
    columns: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.gap_R)

    def features(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Columns side by side, `(R, F)`; raises `ColumnError` where one is missing, `Refusal` where a run lacks a value."""
        for name in names:
            if name not in self.columns:
                raise ColumnError(f"the reference runs have no column {name}", remedy=did_you_mean(name, self.columns))
        if not names:
            return np.empty((len(self), 0))
        found_RF = np.stack([self.columns[name] for name in names], axis=1)
        lacking = np.flatnonzero(~np.isfinite(found_RF).all(axis=1))
        if lacking.size:
            raise Refusal(
                f"{lacking.size} of {len(self)} reference runs lack {', '.join(names)} (first: row {lacking[0] + 1})",
                remedy="measure them, leave these runs out, or calibrate on other features (--features mean_edge,edge_spread)",
            )
        return found_RF

    def folds(self) -> list[NDArray[np.bool_]]:
        """For each family, which runs are its own, `(R,)`."""
        names = np.array(self.families)
        return [names == family for family in dict.fromkeys(self.families)]


def reference_runs(
    gap: ArrayLike, families: Sequence[str], columns: Mapping[str, ArrayLike] | None = None
) -> ReferenceRuns:
    """Check and gather reference runs.

    Raises `InputError` where lengths differ or a gap is no share of 1, and `Refusal` where there are fewer than three families or
    all gaps are equal: then there is nothing to learn a map from, or to judge it by.

    >>> len(reference_runs([0.1, 0.2, 0.3], ["small", "wide", "deep"]))
    3
    """
    gap_R = np.asarray(gap, dtype=np.float64)
    named = {name: np.asarray(values, dtype=np.float64) for name, values in (columns or {}).items()}
    for name, values in {"families": np.array(families), **named}.items():
        if values.shape != gap_R.shape or gap_R.ndim != 1:
            raise InputError(f"{name} and gap differ in length", found=f"{values.shape} and {gap_R.shape}")
    bad = np.flatnonzero(~(np.abs(gap_R) <= 1))
    if bad.size:
        raise InputError(
            "a gap is a share between -1 and 1, test error less train error",
            found=f"{gap_R[bad[0]]:g} at row {bad[0] + 1}",
            remedy="give errors as shares, not percent",
        )
    found = ReferenceRuns(gap_R=gap_R, families=tuple(map(str, families)), columns=named)
    if len(found.folds()) < LEAST_FAMILIES:
        raise Refusal(
            f"the reference runs are of {len(found.folds())} families, and each must be foretold from the others",
            remedy=f"reference runs of at least {LEAST_FAMILIES} families, a dozen runs or more each",
        )
    if np.ptp(gap_R) < 1e-9:
        raise Refusal(
            "all reference runs have the same gap",
            remedy="runs that overfit and runs that do not: fewer data, noisy labels, longer training",
        )
    return found
