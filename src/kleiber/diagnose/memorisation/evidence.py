"""A finding with what it is evidence for: its p-value, and which of two claims about a run it bears on.

One idea: a run can memorise, generalise, do both or neither, so these are two claims and not two ends of one scale. Every
diagnostic of this room that tests one of them gives an `Evidence`; `verdict` weighs many with one error rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

Claim = Literal["memorising", "generalising"]
LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A finding, the claim it tests, and the p-value of the data where the claim is false (None: not tested).

    `material` is False where the effect, however sure, is too small to change what is done with the run; `informative` is False
    where a large effect would not have been seen either, so that its absence means nothing.
    """

    finding: Finding
    claim: Claim
    p_value: float | None = None
    material: bool = True
    informative: bool = True


def untold(name: str, claim: Claim, why: str, *, remedy: str = "", reference: str = "") -> Evidence:
    """No evidence, and why there is none."""
    return Evidence(finding=cannot_tell(name, why, remedy=remedy, reference=reference), claim=claim)


def finding_of(tested: Callable[..., Evidence]) -> Callable[..., Finding]:
    """The same measurement, its finding alone: what a `Diagnostic` measures by."""

    def measure(**arrays: Any) -> Finding:
        return tested(**arrays).finding

    return measure


def levels(level: float) -> float:
    """A level of a test, between 0 and 1 and neither."""
    if not 0 < level < 1:
        raise InputError("a level of a test lies between 0 and 1", found=level)
    return level


def logs(values: ArrayLike, *, what: str) -> NDArray[np.float64]:
    """A series of log-probabilities, none above 0; a row that is, is named."""
    series = numbers(values, what=what)
    above = np.flatnonzero(series > 1e-6)
    if above.size:
        raise InputError(
            f"{what} are no log-probabilities",
            found=f"{series[above[0]]:g} at row {above[0] + 1}",
            expected="natural logarithms of probabilities, 0 or less",
            remedy="negate losses; take logarithms of probabilities",
        )
    return np.minimum(series, 0.0)


def more_often(hits: int, of: int, other_hits: int, other_of: int) -> float:
    """Fisher's exact test, one-sided: P of so many of all the hits falling on the first side where both are alike.

    >>> round(more_often(3, 4, 1, 4), 4)
    0.2429
    """
    from scipy.stats import hypergeom

    return float(min(1.0, hypergeom.sf(hits - 1, of + other_of, hits + other_hits, of)))


def shown(p_value: float) -> str:
    """A p-value as a sentence gives it.

    >>> shown(0.0123), shown(3e-7)
    ('p = 0.012', 'p < 0.001')
    """
    return f"p = {p_value:.2g}" if p_value >= 0.001 else "p < 0.001"
