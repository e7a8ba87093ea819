"""Quantiles and tails of the few distributions that verdicts rest on.

One idea: `scipy.special` has them all, and loading `scipy.stats` for three numbers takes longer than most diagnostics.
"""

from __future__ import annotations

from typing import Any


def student(tail: float, freedom: float) -> float:
    """The value that Student's t exceeds with probability `tail`.

    >>> round(student(0.025, 10), 4)
    2.2281
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - tail))


def fisher_tail(value: float, above: float, below: float) -> float:
    """The probability that F with `above` and `below` degrees of freedom exceeds `value`.

    >>> round(fisher_tail(4.1028, 2, 10), 4)
    0.05
    """
    from scipy.special import fdtrc

    return float(fdtrc(above, below, value))


def beta(share: Any, first: Any, second: Any) -> Any:
    """The quantile of the beta distribution at `share`, arrays in and out.

    >>> round(float(beta(0.5, 2.0, 2.0)), 4)
    0.5
    """
    from scipy.special import betaincinv

    return betaincinv(first, second, share)
