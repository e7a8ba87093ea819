"""Do values grow by factors or by steps? Products of factors give lognormals; with a floor to start again from, Pareto tails.

The way the data takes: values before and after -> the slope of log |change| over log value: 1 where changes are in
proportion, 0 where they are not -> its rank among the same changes dealt to other values.

With a floor: x -> max(a x, floor) has a Pareto tail of exponent mu where E a^mu = 1 (Kesten 1973), so alpha = mu + 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from kleiber.diagnose.criticality import resample
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME = "generation"
REFERENCE = "Gibrat 1931; Kesten 1973, Acta Mathematica 131:207; Sornette 1998, Physical Review E 57:4811"
FEWEST, SHUFFLES, LEVEL = 100, 99, 0.05
Factors = Callable[[int], Array]


def product_of_factors(count: int, steps: int, factors: Factors) -> Array:
    """`count` values that `steps` independent factors made from 1: lognormal, whatever the factors."""
    values = np.ones(count)
    for _ in range(steps):
        values = values * factors(count)
    return values


def product_with_floor(count: int, steps: int, factors: Factors, floor: float = 1.0) -> Array:
    """The same, but whatever falls under `floor` starts again from it: a Pareto tail where E log factor < 0."""
    values = np.full(count, floor)
    for _ in range(steps):
        values = np.maximum(values * factors(count), floor)
    return values


def kesten_exponent(factors: ArrayLike) -> float:
    """mu > 0 with mean(factor^mu) = 1, the exponent of P(X > x) ~ x^-mu.

    Raises `InputError` where the factors do not shrink on average, or never grow.

    >>> round(kesten_exponent([2.0, 0.25]), 3)  # 2^mu + 4^-mu = 2
    0.694
    """
    logs = np.log(numbers(factors, what="the factors"))
    if not (np.isfinite(logs).all() and logs.mean() < 0 < logs.max()):
        raise InputError(
            "factors that shrink on average and sometimes grow have a Pareto tail",
            found=f"mean log {logs.mean():.3g}, largest factor {np.exp(logs.max()):.3g}",
        )

    def excess(mu: float) -> float:
        top = mu * logs.max()
        return float(np.log(np.mean(np.exp(mu * logs - top))) + top)

    high = 1.0
    while excess(high) <= 0:
        high *= 2
    low = high / 2
    while excess(low) >= 0:
        low /= 2
    root: Any = optimize.brentq(excess, low, high)
    return float(root)


def generation(before: ArrayLike, after: ArrayLike, *, seed: int = 0) -> Finding:
    """Whether positive values `before` `(n,)` changed in proportion to themselves on the way to `after` `(n,)`, n >= 100.

    log |after - before| = c + slope log before; 1 is multiplicative, 0 additive.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> sizes = rng.lognormal(size=500)
    >>> generation(sizes, sizes * rng.lognormal(sigma=0.1, size=500)).verdict
    'found'
    """
    first, second = numbers(before, what="the values before"), numbers(after, what="the values after")
    if first.size != second.size:
        raise InputError("each value is wanted before and after", found=f"{first.size} and {second.size}")
    kept = (first > 0) & (second != first)
    if kept.sum() < FEWEST or np.ptp(first[kept]) == 0:
        return cannot_tell(
            NAME, f"{kept.sum()} positive values changed.", remedy="give 100 or more", reference=REFERENCE
        )
    x, y = np.log(first[kept]), np.log(np.abs(second - first)[kept])
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    left = y - y.mean() - slope * x
    error = float(np.sqrt(x**2 @ left**2) / (x @ x))
    rng = np.random.default_rng(seed)
    share = resample.two_sided(slope, [float(x @ rng.permutation(y) / (x @ x)) for _ in range(SHUFFLES)])
    interval = (slope - 1.96 * error, slope + 1.96 * error)
    loud = share <= LEVEL
    said = f"Changes go as value^{slope:.2f} [{interval[0]:.2f}, {interval[1]:.2f}] (p = {share:.2f})"
    if not loud:
        end = "they do not depend on the value, as where steps are added"
    elif interval[0] <= 1 <= interval[1]:
        end = "in proportion, as where factors are multiplied"
    else:
        end = "they depend on the value, but not in proportion"
    return Finding(
        name=NAME,
        verdict="found" if loud else "ok",
        value=slope,
        interval=interval,
        evidence=f"{said}: {end}.",
        caveats=("Values measured with noise seem to change in steps where they are small.",),
        reference=REFERENCE,
    )


def null(rng: np.random.Generator) -> Arrays:
    """Steps of one size added to values of many sizes."""
    values = rng.lognormal(sigma=1.0, size=300)
    return {"before": values, "after": values + 0.1 * rng.normal(size=300)}


def planted(rng: np.random.Generator) -> Arrays:
    """Factors."""
    values = rng.lognormal(sigma=1.0, size=300)
    return {"before": values, "after": values * np.exp(0.1 * rng.normal(size=300))}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="values that change in proportion to themselves",
    measure=generation,
    null=null,
    planted=planted,
    reference=REFERENCE,
)
