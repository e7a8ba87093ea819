"""Loops of a functional graph (persistent homology of dimension 1) under a time limit, with the refusal where it would not do.

One idea: the cost of dimension 1 hangs on the data, not on its size (300 independent units take a hundred times as long as 300
units of a trained network), so that no rule of thumb can promise an answer. It is computed in another process that is given so
many seconds and bytes, and stopped.

The coefficient field is part of the answer: 1 - |corr| does not tell a unit from its negative, so that units are points of a
projective space, which has torsion, and bars over Z/2 and over Z/11 differ.
"""

from __future__ import annotations

import importlib.util
import io
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.topology import rips
from kleiber.errors import InputError, Refusal

CUTOFF, FIELD, SECONDS, MEMORY_BYTES = 0.7, 2, 10.0, 4 * 2**30
FIELDS = (2, 3, 5, 7, 11, 13)


@dataclass(frozen=True, kw_only=True)
class Loops:
    """Bars of dimension 1 up to a cut-off.

    `births_K`, `deaths_K`: where each loop appears and is filled; one that is alive at the cut-off is given it as its death, and
    `alive` counts these. `field`: the homology is over Z/field.
    """

    births_K: NDArray[np.float64]
    deaths_K: NDArray[np.float64]
    alive: int
    cutoff: float
    field: int


def loops(
    distance_UU: NDArray[np.float64], *, cutoff: float = CUTOFF, field: int = FIELD, seconds: float = SECONDS
) -> Loops:
    """Loops of the Vietoris-Rips filtration of a distance matrix, no edge longer than `cutoff`.

    Raises `Refusal` where it takes more than `seconds` or 4 GiB, and `InputError` where gudhi is not installed or the field is
    none. Source of the algorithm: Bauer, Ripser (2021), in gudhi's fork.
    """
    if field not in FIELDS:
        raise InputError("the coefficient field is Z/p", found=field, expected=f"p one of {FIELDS}")
    if not cutoff > 0:
        raise InputError("the cut-off is a distance above 0", found=cutoff)
    require_gudhi()
    symmetric_UU = np.maximum(distance_UU, distance_UU.T)
    found = _in_a_process(symmetric_UU, cutoff=float(cutoff), field=field, seconds=seconds)
    births_K, deaths_K = found.T
    alive = ~np.isfinite(deaths_K)
    return Loops(
        births_K=births_K,
        deaths_K=np.where(alive, cutoff, deaths_K),
        alive=int(alive.sum()),
        cutoff=float(cutoff),
        field=field,
    )


def require_gudhi() -> None:
    """Raise `InputError` where gudhi is not installed."""
    if importlib.util.find_spec("gudhi") is None:
        raise InputError(
            "loops need gudhi, which is not installed",
            remedy="pip install 'kleiber[diagnose]' (components, from the spanning tree, need nothing)",
        )


def _in_a_process(
    distance_UU: NDArray[np.float64], *, cutoff: float, field: int, seconds: float
) -> NDArray[np.float64]:
    sent = io.BytesIO()
    np.save(sent, distance_UU, allow_pickle=False)
    # -P: the folder of the script is not searched for modules.
    command = [sys.executable, "-P", str(Path(rips.__file__)), f"--cutoff={cutoff!r}", f"--field={field}"]
    command.append(f"--memory-bytes={MEMORY_BYTES}")
    try:
        done = subprocess.run(command, input=sent.getvalue(), capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise _refusal(f"more than {seconds:g} s", len(distance_UU), cutoff) from None
    if done.returncode in (rips.EXHAUSTED, -signal.SIGKILL):  # the system ends what takes more memory than there is
        raise _refusal(f"more than {MEMORY_BYTES // 2**30} GiB", len(distance_UU), cutoff)
    if done.returncode == rips.OTHER_GUDHI:
        raise InputError("this gudhi has no fork of Ripser", remedy="pip install --upgrade 'kleiber[diagnose]'")
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return np.load(io.BytesIO(done.stdout), allow_pickle=False)


def _refusal(spent: str, units: int, cutoff: float) -> Refusal:
    return Refusal(
        f"the loops of {units} units up to the distance {cutoff:g} take {spent}",
        remedy="fewer units (--units), a lower cut-off (--cutoff), or more time (--seconds)",
    )
