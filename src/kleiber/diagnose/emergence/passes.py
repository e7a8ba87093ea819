"""Rates too small for a test set: sample until so many answers are right, and count the samples.

One idea: a model that is right once in 10,000 scores 0 of 100 and is not at 0. Sampling until r passes sees any rate, given
patience;
the unbiased estimate is (r - 1)/(K - 1), while r/K (what PassUntil itself uses) is too large by about a factor r/(r - 1).

Formula: K ~ negative binomial (r, p). Interval by inversion: low = beta quantile (r, K - r + 1), high = beta quantile (r, K - r).
Sources: Hu et al. 2023 (arXiv 2310.03262), PassUntil; Haldane 1945, Biometrika 33, 222, for the unbiased estimate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.quantiles import beta
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.fit.estimate import Estimate
from kleiber.quantity import show

NAME = "pass rate"
REFERENCE = "Hu et al. 2023 (arXiv 2310.03262); Haldane 1945, Biometrika 33, 222"


def pass_rate(samples: int, passes: int, *, level: float = 0.95) -> Estimate:
    """The rate behind `passes` reached at the `samples`-th sample; `passes` was fixed beforehand, 2 or more.

    >>> rate = pass_rate(2001, 3)
    >>> round(rate.value, 6), [round(end, 6) for end in rate.interval]
    (0.001, [0.000309, 0.003608])
    """

    _check(samples, passes)
    tail = (1 - level) / 2
    low = float(beta(tail, passes, samples - passes + 1))
    high = float(beta(1 - tail, passes, samples - passes)) if samples > passes else 1.0
    return Estimate(value=(passes - 1) / (samples - 1), interval=(low, high), level=level)


def _check(samples: int, passes: int) -> None:
    if passes < 2 or samples < passes:
        raise InputError(
            "sampling until r passes needs r of 2 or more, and at least as many samples",
            found=f"{passes} passes in {samples} samples",
        )


def pass_rates(samples: ArrayLike, passes: int, *, level: float = 0.95, seed: int = 0) -> Finding:
    """The mean rate over Q questions, each sampled until `passes` passes; `samples` `(Q,)`.

    The interval resamples questions (they differ) where there are ten or more; fewer cannot tell.
    """
    counts = numbers(samples, what="samples")
    for count in counts:
        _check(int(count), passes)
    if counts.size < 10:
        return cannot_tell(
            NAME, f"{counts.size} questions are too few for an interval; 10 is the least.", reference=REFERENCE
        )
    rate_Q = (passes - 1) / (counts - 1)
    draws = np.random.default_rng(seed).integers(counts.size, size=(2000, counts.size))
    low, high = (float(end) for end in np.quantile(rate_Q[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2]))
    value = float(rate_Q.mean())
    return Finding(
        name=NAME,
        verdict="ok",
        evidence=f"Over {counts.size} questions a sample passes with probability {show(value)} ({show(low)} - {show(high)}).",
        value=value,
        interval=(low, high),
        reference=REFERENCE,
    )
