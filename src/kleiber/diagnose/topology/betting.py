"""Alarms that may be looked at after every checkpoint: capital of a gambler who bets that the null is false.

One idea: under the null the capital is a non-negative supermartingale from 1, so that it ever reaches 1/level with probability
at most `level`, however often one looks and whenever one stops (Ville's inequality). Bets use the past alone.

Two nulls. `capital_above`: the expected estimate has never been above a ceiling; bets on a bounded mean (Waudby-Smith & Ramdas,
J. R. Stat. Soc. B 86, 2024, section 4). `capital_of_growth`: estimates are exchangeable, so no later one tends to be higher;
bets on ranks (Vovk, Nouretdinov & Gammerman, Testing Exchangeability On-Line, ICML 2003: power martingales, mixed).

Shapes: T checkpoints, G powers of the mixture.
"""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.series import numbers
from kleiber.errors import InputError

REFERENCE = "Waudby-Smith & Ramdas, Estimating Means of Bounded Random Variables by Betting (2024); Vovk et al. (2003)"
MEMORY, BOLDEST = 12, 0.75
"""Checkpoints over which a bet remembers, and the share of the capital that is staked at most."""
POWERS_G = np.array([0.1, 0.2, 0.35, 0.5, 0.7])


def capital_above(estimates_T: ArrayLike, ceiling: float) -> NDArray[np.float64]:
    """Capital after each estimate in [0, 1] of a gambler who bets that the mean is above `ceiling`, `(T,)`.

    K_t = prod_i (1 + lambda_i (x_i - ceiling)), with lambda_i between 0 and 0.75 / ceiling from estimates before the i-th:
    Kelly's bet on what the last dozen or so came to. Capital rests at 1 while they stay below. Estimates outside [0, 1] are
    taken to its ends. Raises `InputError` where the ceiling is not between 0 and 1.

    >>> capital_above([0.1] * 50, 0.2).max(), bool(capital_above([0.4] * 50, 0.2).max() > 20)
    (np.float64(1.0), True)
    """
    if not 0 < ceiling < 1:
        raise InputError("the tolerated gap is a share between 0 and 1", found=ceiling)
    values_T = np.clip(numbers(estimates_T, what="the estimates"), 0, 1)
    capital, mean, variance = 1.0, ceiling, 0.05
    found = np.empty(len(values_T))
    for place, value in enumerate(values_T):
        edge = max(0.0, mean - ceiling)
        stake = min(edge / (variance + edge**2), BOLDEST / ceiling)
        capital *= 1 + stake * (value - ceiling)
        found[place] = capital
        step = 1 / min(place + 2, MEMORY)
        variance += step * ((value - mean) ** 2 - variance)
        mean += step * (value - mean)
    return found


def capital_of_growth(estimates_T: ArrayLike, *, seed: int = 0) -> NDArray[np.float64]:
    """Capital after each estimate of a gambler who bets that later ones are higher, `(T,)`.

    p_t is the share of estimates so far that are above the t-th, ties broken at random; under exchangeability the p_t are
    independent and uniform, and prod_t epsilon p_t^(epsilon - 1) is a martingale for each epsilon; here the mean of five.

    >>> bool(capital_of_growth(np.arange(30.0)).max() > 20), bool(capital_of_growth(-np.arange(30.0)).max() > 20)
    (True, False)
    """
    values_T = numbers(estimates_T, what="the estimates")
    shares_T = np.random.default_rng([seed, 2]).random(len(values_T))
    past: list[float] = []
    rank_T = np.empty(len(values_T))
    for place, value in enumerate(values_T.tolist()):
        bisect.insort(past, value)
        not_above, below = bisect.bisect_right(past, value), bisect.bisect_left(past, value)
        rank_T[place] = (len(past) - not_above + shares_T[place] * (not_above - below)) / len(past)
    log_T = np.log(np.maximum(rank_T, 1e-12))
    log_TG = np.cumsum(np.log(POWERS_G) + (POWERS_G - 1) * log_T[:, None], axis=0)
    return np.exp(np.logaddexp.reduce(log_TG, axis=1) - np.log(len(POWERS_G)))


def highest_excluded(estimates_T: ArrayLike, *, level: float = 0.05) -> float:
    """The lower end of a confidence sequence: the expected estimate has at some time been above this, 0 where that is not shown.

    The largest ceiling whose capital has ever reached 1 / level; the share of runs in which it is ever too high is at most
    `level`.

    >>> 0.2 < highest_excluded([0.4] * 50) < 0.4
    True
    """
    shown = 0.0
    for ceiling in np.linspace(0.01, 0.99, 99):
        if capital_above(estimates_T, float(ceiling)).max(initial=0.0) < 1 / level:
            break
        shown = float(ceiling)
    return shown
