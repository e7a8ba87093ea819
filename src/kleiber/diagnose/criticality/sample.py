"""A sample as its distinct values with how often each occurs: what tails are fitted to.

One idea: logs, sums and distances over 100,000 samples are those over their distinct values with weights, which are often few.

Legend: U distinct values, ascending.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.series import numbers
from kleiber.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Distinct positive values, ascending, and how often each occurs."""

    values_U: Array
    counts_U: Array
    discrete: bool

    @property
    def size(self) -> int:
        """How many samples there are."""
        return int(self.counts_U.sum())

    def beyond(self, xmin: float) -> Sample:
        """The samples from `xmin` on."""
        first = int(np.searchsorted(self.values_U, xmin))
        return Sample(values_U=self.values_U[first:], counts_U=self.counts_U[first:], discrete=self.discrete)


def sample_of(values: ArrayLike, *, discrete: bool | None = None) -> Sample:
    """The sample; discrete where every value is an integer, unless that is said.

    Raises `InputError` where a value is not finite, is not positive, or is no integer in a discrete sample.

    >>> sample_of([3, 1, 3]).counts_U.tolist()
    [1.0, 2.0]
    """
    found = numbers(values, what="the sample")
    bad = np.flatnonzero(found <= 0)
    if bad.size:
        raise InputError(
            "a power law is about positive values",
            found=f"{found[bad[0]]:g} at row {bad[0] + 1}" + (f" and {bad.size - 1} more" if bad.size > 1 else ""),
            remedy="leave zeros out, or take sizes rather than differences",
        )
    whole = bool((found == np.rint(found)).all())
    if discrete and not whole:
        raise InputError("a discrete sample holds integers", found=f"{found[found != np.rint(found)][0]:g}")
    distinct, counts = np.unique(found, return_counts=True)
    return Sample(
        values_U=distinct, counts_U=counts.astype(np.float64), discrete=whole if discrete is None else discrete
    )
