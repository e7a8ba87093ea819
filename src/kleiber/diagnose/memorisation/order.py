"""Contamination by order: a model that has seen a test set finds its published order likelier than others.

One idea: examples of a test set can stand in any order, so to a model that never saw the file all orders are as likely. The
log-probability of the published order is then one more draw among those of shuffled orders, in every part of the set: an
exact test that needs neither the training text nor the weights.

Shapes: S parts of the test set, P shuffles of each, B draws of the null.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, levels, shown
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME = "order_contamination"
REFERENCE = "Oren et al. 2023, Proving Test Set Contamination in Black Box Language Models, arXiv:2310.17623"
DRAWS = 9999
MOST_RELABELLINGS = 10_000


def order_contamination(
    published_S: ArrayLike, shuffled_SP: ArrayLike, *, level: float = LEVEL, seed: int = 0
) -> Finding:
    """Whether the published order of a test set is likelier to the model than shuffles of it.

    `published_S`: log-probability of each part of the test set (all of it may be one) in the published order; `shuffled_SP`:
    of the same part in P other orders. The statistic is the mean of published less the part's mean; under the null each of the
    P + 1 is as likely to be the published one, independently in each part, so the p-value is exact: over all relabellings
    where they are few, else (1 + #{draws as high}) / (1 + draws). value: nats by which the published order is likelier.

    Raises `InputError` where shapes do not agree or a number is not finite.

    >>> order_contamination([-90.0] * 6, [[-100.0, -100.5, -101.0]] * 6).verdict
    'problem'

    Source: Oren et al. 2023; the relabelling within parts is exact where they use a t-test.
    """
    published_S, shuffled_SP = numbers(published_S, what="log-probabilities"), np.asarray(shuffled_SP, dtype=np.float64)
    if shuffled_SP.ndim != 2 or len(shuffled_SP) != published_S.size:
        raise InputError(
            "shuffled orders are a matrix with one row for each part",
            found=f"{published_S.size} parts and shape {shuffled_SP.shape}",
        )
    numbers(shuffled_SP.reshape(-1), what="log-probabilities of shuffled orders")
    every_SQ = np.concatenate([published_S[:, None], shuffled_SP], axis=1)
    if shuffled_SP.size == 0 or float(every_SQ.shape[1]) ** -len(every_SQ) > levels(level):
        return cannot_tell(
            NAME,
            f"{published_S.size} parts with {shuffled_SP.shape[1]} shuffles each cannot come to a p-value of {level:g}.",
            remedy="score more shuffles, or cut the test set into more parts",
            reference=REFERENCE,
        )
    if np.ptp(every_SQ, axis=1).max() == 0:
        return cannot_tell(NAME, "All orders are equally likely to the model.", reference=REFERENCE)
    p_value = _p_value(every_SQ - every_SQ.mean(axis=1, keepdims=True), np.random.default_rng(seed))
    more_S = published_S - shuffled_SP.mean(axis=1)
    loud = p_value <= level
    return Finding(
        name=NAME,
        verdict="problem" if loud else "ok",
        value=float(more_S.mean()),
        interval=_interval(more_S, shuffled_SP),
        evidence=f"The published order of the test set is {more_S.mean():+.3g} nats likelier than shuffles of it, over "
        f"{published_S.size} parts with {shuffled_SP.shape[1]} shuffles each ({shown(p_value)}).",
        remedy="do not report this test, or report it beside one that the model cannot have seen" if loud else "",
        caveats=("A test set whose published order means something (sorted, grouped) is not exchangeable.",),
        reference=REFERENCE,
    )


def _p_value(rest_SQ: NDArray[np.float64], random: np.random.Generator) -> float:
    """The share of relabellings, one chosen order a part, that come as high as the published one (column 0)."""
    parts, orders = rest_SQ.shape
    seen = rest_SQ[:, 0].sum() - 1e-9 * max(1.0, float(np.abs(rest_SQ).max()))
    if orders**parts <= MOST_RELABELLINGS:
        sums = np.zeros(1)
        for rest_Q in rest_SQ:
            sums = np.add.outer(sums, rest_Q).reshape(-1)
        return float((sums >= seen).mean())
    chosen_BS = random.integers(orders, size=(DRAWS, parts))
    sum_B = rest_SQ[np.arange(parts), chosen_BS].sum(axis=1)
    return float((1 + (sum_B >= seen).sum()) / (1 + DRAWS))


def _interval(more_S: NDArray[np.float64], shuffled_SP: NDArray[np.float64]) -> tuple[float, float] | None:
    """95 % by Student over parts; of a single part, over its shuffles."""
    from scipy.stats import t

    if more_S.size > 1:
        half = t.ppf(0.975, more_S.size - 1) * more_S.std(ddof=1) / np.sqrt(more_S.size)
    elif shuffled_SP.shape[1] > 1:
        shuffles = shuffled_SP.shape[1]
        half = t.ppf(0.975, shuffles - 1) * shuffled_SP.std(ddof=1) * np.sqrt(1 + 1 / shuffles)
    else:
        return None
    return float(more_S.mean() - half), float(more_S.mean() + half)


def _drawn(random: np.random.Generator, shift: float) -> dict[str, NDArray[np.float64]]:
    level_S = -500 + 50 * random.normal(size=10)
    return {
        "published_S": level_S + shift + random.normal(size=10),
        "shuffled_SP": level_S[:, None] + random.normal(size=(10, 12)),
    }


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="Whether a test set's published order is likelier than others.",
    measure=order_contamination,
    null=lambda random: _drawn(random, 0.0),
    planted=lambda random: _drawn(random, 1.2),
    power=0.9,
    reference=REFERENCE,
)
