"""Extraction: how many training passages a model would say word for word within n tries, beside passages it never saw.

One idea: sampling a passage has a probability q that the model itself states, the product over its tokens given the prefix. So
the chance of at least one success in n tries is 1 - (1 - q)^n, without sampling anything.

Shapes: D passages trained on, H passages held out; q is per passage.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, Evidence, finding_of, levels, logs, more_often, shown, untold
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME = "extraction"
REFERENCE = "Hayes et al. 2024, probabilistic discoverable extraction, arXiv:2410.19482"


def queries_needed(logprob_D: ArrayLike, *, probability: float = 0.5) -> NDArray[np.float64]:
    """Tries until each passage has come at least once with that probability, `(D,)`: log(1 - p) / log(1 - q), at least 1.

    `logprob_D` is ln q: the sum over the tokens to be said, given the prefix, under the way of sampling meant.

    >>> queries_needed([-0.1, np.log(0.01)]).round(2).tolist()
    [1.0, 68.97]

    Source: Hayes et al. 2024, arXiv:2410.19482: a passage is (n, p)-discoverably extractable where 1 - (1 - q)^n >= p.
    """
    log_D = logs(logprob_D, what="log-probabilities of passages")
    _share(probability)
    with np.errstate(divide="ignore"):
        # log1p(-q) underflows to 0 below q = 1e-308: such a passage is never said.
        return np.maximum(1.0, math.log1p(-probability) / np.log1p(-np.exp(log_D)))


def extraction(
    train_logprob_D: ArrayLike,
    held_out_logprob_H: ArrayLike,
    *,
    queries: int = 100,
    probability: float = 0.5,
    level: float = LEVEL,
) -> Evidence:
    """The share of training passages said word for word within `queries` tries with `probability`, and whether it is memory.

    Passages held out tell what could be said without having been seen (formulas, lists, set phrases): the p-value is Fisher's
    exact test of the two shares, one-sided. The interval is Clopper-Pearson, 95 %.

    Raises `InputError` where a log-probability is above 0 or not finite.

    >>> extraction([-0.5] * 9 + [-200.0], [-200.0] * 10).finding.verdict
    'warning'
    """
    from scipy.stats import binomtest

    levels(level)
    if queries < 1:
        raise InputError("at least one try is needed", found=queries)
    train_D = queries_needed(train_logprob_D, probability=probability) <= queries
    held_H = queries_needed(held_out_logprob_H, probability=probability) <= queries
    if min(train_D.size, held_H.size) < 5:
        return untold(
            NAME,
            "memorising",
            f"{train_D.size} passages trained on and {held_H.size} held out are too few to compare two shares.",
            remedy="score 20 or more of each",
            reference=REFERENCE,
        )
    counts = [int(train_D.sum()), int(held_H.sum())]
    p_value = more_often(counts[0], train_D.size, counts[1], held_H.size)
    found = binomtest(counts[0], train_D.size).proportion_ci()
    loud = p_value <= level
    return Evidence(
        finding=Finding(
            name=NAME,
            verdict="warning" if loud else "ok",
            value=counts[0] / train_D.size,
            interval=(float(found.low), float(found.high)),
            evidence=f"{counts[0]} of {train_D.size} training passages would be said word for word within {queries} tries "
            f"(probability {probability:g} or more), and {counts[1]} of {held_H.size} passages held out ({shown(p_value)}).",
            remedy="remove repeated passages, or train on them fewer times" if loud else "",
            rows=tuple(int(row) + 1 for row in np.flatnonzero(train_D)[:50]) if loud else (),
            reference=REFERENCE,
        ),
        claim="memorising",
        p_value=p_value,
    )


def _share(probability: float) -> None:
    if not 0 < probability < 1:
        raise InputError("a probability of success lies between 0 and 1", found=probability)


def _null(random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Some passages are easy on both sides."""
    log_N = -random.gamma(2.0, 12.0, size=400)
    return {"train_logprob_D": log_N[:200], "held_out_logprob_H": log_N[200:]}


def _planted(random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """One training passage in seven is known."""
    arrays = _null(random)
    known_D = random.random(200) < 1 / 7
    return arrays | {"train_logprob_D": np.where(known_D, -1.0, arrays["train_logprob_D"])}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="Whether training passages can be had word for word.",
    measure=finding_of(extraction),
    null=_null,
    planted=_planted,
    reference=REFERENCE,
)
