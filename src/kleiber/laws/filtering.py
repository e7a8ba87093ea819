"""How far to filter: good text loses worth as it is repeated, until fresh text of a lesser tier is worth more.

The way the data takes: tiers, each with its unique tokens, the worth of a first reading and a half-life in readings -> `fill`,
which reads whatever is worth most next -> effective tokens, to put in the place of tokens in any law of tokens.

filtering (a law, for one tier): error = E + (a W/1e5)^-b, W = U (1 - r^(D/U))/(1 - r), r = (1/2)^(1/half_life): each reading
of the U unique samples is worth r times the one before. Exact at whole readings, a smooth curve in place of straight lines
between them.
`pooled_error` is the authors' preferred form, in which the power b itself decays: after k readings a pool's power is
b (1/2)^(k/half_life), pools seen together have the mean of their powers, and each half-life is as many times longer as there are
pools.

Traps: the authors' code multiplies the floor by the gain of later readings, their equation 3 does not, and this follows the
equation; and the released values come from a search over a grid (steps of .005 in the power and .09 in the half-life, or half
of them).

Source: Goyal, Maini, Lipton, Raghunathan & Kolter 2024, "Scaling Laws for Data Filtering", arXiv 2404.07177, eqs 2 to 4 (read in
notes), and locuslab/scaling_laws_data_filtering: objective.py, results/parameter_values.jsonl.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import inf, prod

from kleiber.errors import InputError
from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients
from kleiber.laws.unknowns import exponent, floor, scale

GOYAL = "Goyal et al. 2024, arXiv 2404.07177"
UNIT = 1e5
MOST_READINGS = 10_000


def _tier(name: str, power: float, half_life: float, what: str) -> Coefficients:
    return Coefficients(
        name=f"goyal-2024-{name}",
        values={"E": 0.1, "a": 0.022, "b": power, "half_life": half_life},
        source=f"{GOYAL}, locuslab/scaling_laws_data_filtering, parameter_values.jsonl (tmars_imagenet1k_data)",
        domain={"tokens": (2.56e7, 1.28e8), "unique_tokens": (1.28e7, 1.28e7)},
        conventions=f"image-text pairs in place of tokens, {what}; zero-shot error of CLIP on ImageNet, 0 to 1",
        tolerance=0.08,
        note="Pictures, not text. Five points, 2 to 10 readings of 12.8M pairs. The floor .1 was set by hand (it is recorded for "
        "the other form only) and a fitted to all tiers at once; the digits of both are most of the tolerance.",
    )


FILTERING = Law(
    """
    U = minimum(unique_tokens, tokens)
    r = exp(-log(2)/half_life)
    worth = U*(1 - r**(tokens/U))/(1 - r)
    E + (a*worth/100000)**(-b)
    """,
    name="filtering",
    title="Repeated data with a half-life: error of one tier of data",
    parameters=(
        floor(upper=1.0, starts=(0.05, 0.2)),
        scale("a", "what a sample counts for, times 1e5", starts=(0.01, 0.1), lower=1e-9, upper=1e9),
        exponent("b", "utility: how fast error falls", starts=(0.1, 0.2), lower=0.001),
        scale("half_life", "readings after which a sample is worth half", starts=(2.0, 8.0), lower=0.05, upper=1e4),
    ),
    target="error",
    source=f"{GOYAL}, in the form with effective data",
    validity="one tier of data; repetition loses worth and never hurts",
    published=(
        _tier("top-10", 0.182273, 4.0, "best tenth of the pool by T-MARS"),
        _tier("top-20", 0.144848, 4.363636, "second tenth by T-MARS"),
        _tier("top-30", 0.135303, 2.909091, "third tenth by T-MARS"),
        _tier("top-40", 0.097576, 1.454545, "fourth tenth by T-MARS"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """One tier as Goyal et al. fit it: the power of its first reading (negative) and its half-life in readings."""

    power: float
    half_life: float


GOYAL_POOLS = (
    Pool(power=-0.16, half_life=6.727273),
    Pool(power=-0.125, half_life=8.545455),
    Pool(power=-0.1, half_life=5.272727),
    Pool(power=-0.085, half_life=2.272727),
)
"""The four tenths of the pool, best first (tmars_imagenet1k_utility: a .025, floor .1, 12.8M pairs each)."""


def pooled_error(
    pools: Sequence[Pool], samples: float, *, pool_size: float = 1.28e7, a: float = 0.025, floor: float = 0.1
) -> float:
    """Error after `samples`, drawn evenly from `pools` of `pool_size` each: floor + (a n_1)^b_0 prod_k (n_(k+1)/n_k)^b_k.

    n_k are the samples seen after k readings of all pools (in 1e5), b_k the mean of power (1/2)^(k/(p half_life)).

    Raises `InputError` for no pool or no samples.

    >>> round(pooled_error(GOYAL_POOLS[:1], 1.28e8), 4), round(pooled_error(GOYAL_POOLS[:2], 1.28e8), 4)
    (0.7361, 0.7229)
    """
    if not pools or not samples > 0:
        raise InputError("an error needs data", found=f"{len(pools)} pools, {samples:g} samples")
    reading = pool_size * len(pools)
    powers = (
        sum(pool.power * 0.5 ** (k / (pool.half_life * len(pools))) for pool in pools) / len(pools) for k in count()
    )
    first = (a * min(reading, samples) / UNIT) ** next(powers)
    later = range(1, int(samples // reading) + 1)
    return floor + first * prod((min(reading * (k + 1), samples) / (reading * k)) ** next(powers) for k in later)


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Tokens of one quality: how many differ, what one is worth at first sight, and readings until that is halved.

    `worth` 1 is the text that the law was fitted on. Muennighoff's text halves in about 10.7 readings (R_D ln 2).
    """

    unique_tokens: float
    worth: float = 1.0
    half_life: float = inf

    def __post_init__(self) -> None:
        if not (self.unique_tokens > 0 and self.worth > 0 and self.half_life > 0):
            raise InputError("a tier needs tokens, worth and a half-life above 0", found=str(self))


@dataclass(frozen=True, kw_only=True)
class Filling:
    """How a number of tokens is best drawn from tiers: tokens of each, what they count for together, and the last one's worth."""

    tokens: tuple[float, ...]
    effective_tokens: float
    last_worth: float


def fill(tiers: Sequence[Tier], tokens: float) -> Filling:
    """The reading of `tiers` that makes `tokens` worth most: at every point the text that is worth most next.

    Reading k of a tier (from 0) is worth `worth` (1/2)^(k/half_life) a token.

    Raises `InputError` for no tier, no tokens, or more than 10000 readings.

    >>> good, rest = Tier(unique_tokens=1e9, worth=1.0, half_life=2.0), Tier(unique_tokens=5e9, worth=0.6, half_life=2.0)
    >>> found = fill([good, rest], 4e9)
    >>> found.tokens, f"{found.effective_tokens:.4g}"
    ((2000000000.0, 2000000000.0), '2.907e+09')
    """
    if not tiers or not tokens > 0:
        raise InputError("nothing to read", found=f"{len(tiers)} tiers, {tokens:g} tokens")
    waiting = [(-tier.worth, index, 0) for index, tier in enumerate(tiers)]
    heapq.heapify(waiting)
    drawn, effective, left, last = [0.0] * len(tiers), 0.0, float(tokens), 0.0
    for _ in range(MOST_READINGS):
        minus, index, readings = heapq.heappop(waiting)
        tier, last = tiers[index], -minus
        taken = min(left, tier.unique_tokens)
        drawn[index] += taken
        effective += last * taken
        left -= taken
        if left <= 0:
            return Filling(tokens=tuple(drawn), effective_tokens=effective, last_worth=last)
        heapq.heappush(waiting, (-tier.worth * 0.5 ** ((readings + 1) / tier.half_life), index, readings + 1))
    raise InputError("too many readings", found=f"more than {MOST_READINGS}", remedy="state more unique tokens")
