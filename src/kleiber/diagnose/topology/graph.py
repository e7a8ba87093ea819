"""The functional graph of a network: units are points, and two are near where their activations rise and fall together.

The way the data takes: activations (inputs x units) on *training* inputs -> units that never change are set aside by name -> a
sample of the others -> distance 1 - |correlation|. A graph from test inputs is another measurement, and would need the test set
that this is to do without.

Shapes: N inputs, U units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import InputError, Refusal

REFERENCE = "Corneanu, Escalera & Martinez, Computing the Testing Error Without a Testing Set (CVPR 2020)"
LEAST_INPUTS, LEAST_UNITS, MOST_UNITS = 20, 8, 6_000


@dataclass(frozen=True, kw_only=True)
class FunctionalGraph:
    """Distances between units, and what was left out of them.

    `units_U`: the columns that the rows of `distance_UU` stand for; `dead`: the columns that are the same number for every input;
    `live`: how many are not.
    """

    distance_UU: NDArray[np.float64]
    units_U: NDArray[np.intp]
    dead: tuple[int, ...]
    live: int
    inputs: int

    def left_out(self) -> str:
        """A sentence on the dead units, empty where there are none (columns counted from 1).

        >>> functional_graph(np.column_stack([np.eye(20, 9), np.ones(20)])).left_out()
        '1 of 10 units never changes and is left out (column 10).'
        """
        if not self.dead:
            return ""
        shown = ", ".join(str(unit + 1) for unit in self.dead[:8]) + (", ..." if len(self.dead) > 8 else "")
        verb, noun = ("changes and is", "column") if len(self.dead) == 1 else ("change and are", "columns")
        return f"{len(self.dead)} of {self.live + len(self.dead)} units never {verb} left out ({noun} {shown})."


def functional_graph(activations_NU: ArrayLike, *, units: int | None = None, seed: int = 0) -> FunctionalGraph:
    """The graph of the units, at most `units` of them drawn at random; `d = 1 - |corr|`, in [0, 1].

    Raises `InputError` where a value is not a finite number (with row and column), and `Refusal` where fewer than 20 inputs or
    8 units that change are left: correlations over so few say nothing. Units that never change are set aside, not given the
    correlation 0, which would make them points like any other.
    """
    activations = matrix(activations_NU)
    inputs, total = activations.shape
    if inputs < LEAST_INPUTS:
        raise Refusal(
            f"{inputs} inputs are too few for correlations between units",
            remedy=f"record the activations of at least {LEAST_INPUTS} training inputs, better 500",
        )
    low_U, high_U = activations.min(axis=0), activations.max(axis=0)
    size_U = np.maximum(np.abs(low_U), np.abs(high_U))
    # A unit that differs from a constant in its last digits only has no correlation that means anything.
    changes_U = high_U - low_U > 1e-12 * size_U
    live = np.flatnonzero(changes_U)
    if live.size < LEAST_UNITS:
        raise Refusal(
            f"{live.size} of {total} units change from input to input",
            remedy=f"record at least {LEAST_UNITS} live units: more layers, or before the activation function",
        )
    chosen = live
    if units is not None and live.size > units:
        if units < LEAST_UNITS:
            raise InputError("too few units are asked for", found=units, expected=f"at least {LEAST_UNITS}")
        chosen = np.sort(np.random.default_rng(seed).choice(live, size=units, replace=False))
    if chosen.size > MOST_UNITS:
        raise InputError(
            "too many units for one graph",
            found=chosen.size,
            expected=f"at most {MOST_UNITS}",
            remedy="sample them: --units 500",
        )
    dead = tuple(int(unit) for unit in np.flatnonzero(~changes_U))
    distance_UU = _distance(activations[:, chosen])
    return FunctionalGraph(distance_UU=distance_UU, units_U=chosen, dead=dead, live=int(live.size), inputs=inputs)


def matrix(values: ArrayLike, *, what: str = "the activations", columns: str = "units") -> NDArray[np.float64]:
    """`values` as a matrix of finite 64-bit floats; the first that is not is named by row and column, from 1."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise InputError(f"{what} must be a matrix of rows x {columns}", found=f"shape {array.shape}")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        row, column = bad[0]
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise InputError(
            f"not all of {what} are finite numbers",
            found=f"{array[row, column]} at row {row + 1}, column {column + 1}{more}",
            remedy="a network that gives such numbers is broken: look for where they begin, or leave the row out",
        )
    return array


def _distance(activations_NU: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - |correlation|, exactly symmetric and never below 0."""
    centred_NU = activations_NU - activations_NU.mean(axis=0)
    # Twice, so that units of very small or very large numbers neither vanish nor overflow when squared.
    centred_NU = centred_NU / np.abs(centred_NU).max(axis=0)
    centred_NU /= np.sqrt(np.square(centred_NU).sum(axis=0))
    correlation_UU = centred_NU.T @ centred_NU
    distance_UU = 1 - np.abs(correlation_UU + correlation_UU.T) / 2
    np.clip(distance_UU, 0, None, out=distance_UU)
    np.fill_diagonal(distance_UU, 0)
    return distance_UU
