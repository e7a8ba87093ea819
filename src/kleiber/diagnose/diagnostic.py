"""What every diagnostic is: arrays in, a `Finding` out; a null on which it is quiet, a planted effect on which it is loud.

One idea: a verdict is worth what its error rates are worth, so an instrument ships with the means to measure them. `null` draws
data without the effect, `planted` data with it; the share of loud verdicts on the first is its false-positive rate, held against
the `level` it states, and on the second its power (`tests/diagnose`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.finding import LOUD, Finding

Arrays = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One diagnostic: `measure(**arrays)` gives a finding; `null(rng)` and `planted(rng)` give such arrays.

    `level` is the stated rate of loud verdicts on nulls, `power` the least rate on planted effects that it answers for,
    `reference` the source of the method.
    """

    name: str
    title: str
    measure: Callable[..., Finding]
    null: Callable[[np.random.Generator], Arrays]
    planted: Callable[[np.random.Generator], Arrays]
    level: float = 0.05
    power: float = 0.8
    reference: str = ""


def rate(diagnostic: Diagnostic, draw: Callable[[np.random.Generator], Arrays], *, times: int, seed: int = 0) -> float:
    """Share of loud verdicts over `times` independent draws."""
    streams = np.random.default_rng(seed).spawn(times)
    return sum(diagnostic.measure(**draw(stream)).verdict in LOUD for stream in streams) / times
