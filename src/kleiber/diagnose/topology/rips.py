"""Bars of dimension 1 of a Vietoris-Rips filtration, in a process of its own that can be stopped and that may run out of memory.

The way the data takes: stdin (a distance matrix as .npy) -> gudhi -> stdout (births and deaths as .npy). Run by
`kleiber.diagnose.topology.persistence` as a script, so that nothing but NumPy and gudhi is loaded.

One idea: gudhi's `RipsPersistence` is a wrapper that needs scikit-learn around its fork of Ripser, and its default coefficient
field is 11. The fork is called here directly, with the field stated.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXHAUSTED, OTHER_GUDHI = 3, 4
"""Exit codes: the memory did not suffice; gudhi is there, but without the fork of Ripser that is asked for here."""


def bars(distance_UU: NDArray[np.float64], *, cutoff: float, field: int) -> NDArray[np.float64]:
    """Births and deaths of dimension 1, `(bars, 2)`; a bar that is alive at the cut-off dies at infinity."""
    ripser: Any = importlib.import_module("gudhi._ripser_ext")

    # Beyond this radius every complex is a cone over one point, and nothing happens any more.
    radius = float(distance_UU.max(axis=1).min())
    if cutoff >= radius:
        found = ripser._full(distance_UU, max_dimension=1, max_edge_length=radius, homology_coeff_field=field)
    else:
        row, column = np.triu_indices(len(distance_UU), k=1)
        near = distance_UU[row, column] <= cutoff
        found = ripser._sparse(
            row[near].astype(np.int32),
            column[near].astype(np.int32),
            distance_UU[row[near], column[near]],
            len(distance_UU),
            max_dimension=1,
            max_edge_length=cutoff,
            homology_coeff_field=field,
        )
    return np.asarray(found[1], dtype=np.float64).reshape(-1, 2) if len(found) > 1 else np.empty((0, 2))


def main() -> int:
    """Read, compute, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cutoff", type=float, required=True)
    parser.add_argument("--field", type=int, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    asked = parser.parse_args()
    _limit_memory(asked.memory_bytes)
    distance_UU = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    try:
        found = bars(distance_UU, cutoff=asked.cutoff, field=asked.field)
    except MemoryError:
        return EXHAUSTED
    except ImportError:
        return OTHER_GUDHI
    answer = io.BytesIO()
    np.save(answer, found, allow_pickle=False)
    sys.stdout.buffer.write(answer.getvalue())
    return 0


def _limit_memory(most_bytes: int) -> None:
    """Have an allocation beyond the limit fail, where the system knows such limits."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, resource.RLIM_INFINITY))


if __name__ == "__main__":
    sys.exit(main())
