"""Canary exposure: how much likelier a model finds a random string it was trained on than random strings it never saw.

The way the data takes: losses of canaries, and of strings drawn the same way and never trained on -> the rank of each
canary among those -> exposure in bits -> a p-value. One idea: a canary that was never seen is one more random string, so its
rank is uniform: P(exposure >= k) = 2^-k, with a mean of log2 e = 1.44 bits. That null needs no assumption about the model.

Shapes: C canaries, R reference strings, B draws of the null.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, Evidence, finding_of, levels, shown, untold
from kleiber.diagnose.series import numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME = "canary_exposure"
REFERENCE = "Carlini et al. 2019, The Secret Sharer, arXiv:1802.08232"
NULL_MEAN_BITS = math.log2(math.e)
DRAWS = 1999


def exposures(canary_loss_C: ArrayLike, reference_loss_R: ArrayLike) -> NDArray[np.float64]:
    """Exposure of each canary in bits, `(C,)`: log2 (R + 1) - log2 rank, its rank being 1 + how many references are as likely.

    Losses are of whole strings, in any one unit. At most log2 (R + 1) bits can be seen with R references.

    >>> exposures([1.0, 5.0], [2.0, 3.0, 4.0]).tolist()
    [2.0, 0.0]

    Source: Carlini et al. 2019, arXiv:1802.08232: exposure estimated by sampling.
    """
    canary_C, reference_R = _losses(canary_loss_C, reference_loss_R)
    return math.log2(reference_R.size + 1) - np.log2(1 + _as_likely(canary_C, reference_R))


def exposure(
    canary_loss_C: ArrayLike,
    reference_loss_R: ArrayLike,
    *,
    space_bits: float | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Evidence:
    """Whether canaries are remembered: their mean exposure in bits, and how often unseen strings would reach it.

    The p-value is exact at any C and R: (1 + #{draws as high}) / (1 + draws), over draws of where C strings fall among C + R of
    the same kind; of a single canary, rank / (R + 1). Ties count against the canary. The interval is simultaneous over the
    canaries (Clopper-Pearson). `space_bits`, log2 of how many strings there could be, caps it; otherwise log2 (R + 1) does.

    Raises `InputError` where a loss is not finite.

    >>> exposure([1.0, 1.2], range(5, 105)).finding.verdict
    'found'
    """
    canary_C, reference_R = _losses(canary_loss_C, reference_loss_R)
    seen_most = math.log2(reference_R.size + 1)
    cap = min(space_bits, 64.0) if space_bits is not None else seen_most
    if canary_C.size < 1 or 1 / (reference_R.size + 1) ** canary_C.size > levels(level):
        return untold(
            NAME,
            "memorising",
            f"{canary_C.size} canaries among {reference_R.size} references cannot come to a p-value of {level:g}.",
            remedy=f"score {math.ceil(1 / level) - 1} or more strings drawn like the canaries and never trained on",
            reference=REFERENCE,
        )
    rank_C = 1 + _as_likely(canary_C, reference_R)
    bits_C = seen_most - np.log2(rank_C)
    p_value = _p_value(bits_C, reference_R.size, np.random.default_rng(seed))
    value = float(bits_C.mean())
    canaries = "One canary has" if bits_C.size == 1 else f"{bits_C.size} canaries have a mean"
    return Evidence(
        finding=Finding(
            name=NAME,
            verdict="found" if p_value <= level else "ok",
            value=value,
            interval=_interval(rank_C - 1, reference_R.size, cap),
            evidence=f"{canaries} exposure of {value:.2f} bits, where strings never trained on have {NULL_MEAN_BITS:.2f} "
            f"({shown(p_value)}); {int((bits_C >= seen_most - 1e-9).sum())} of {bits_C.size} are likelier than all "
            f"{reference_R.size} references.",
            remedy="train on each such string fewer times: exposure grows with repetition" if p_value <= level else "",
            caveats=(f"With {reference_R.size} references no more than {seen_most:.1f} bits can be seen.",),
            reference=REFERENCE,
        ),
        claim="memorising",
        p_value=p_value,
    )


def _losses(canary: ArrayLike, reference: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    canary_C, reference_R = numbers(canary, what="losses of canaries"), numbers(reference, what="losses of references")
    if canary_C.size + reference_R.size > 2 and np.ptp(np.concatenate([canary_C, reference_R])) == 0:
        raise InputError("all losses are the same, so there is no rank", found=f"{canary_C[:1]} throughout")
    return canary_C, reference_R


def _as_likely(canary_C: NDArray[np.float64], reference_R: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many references each canary does not beat."""
    return np.searchsorted(np.sort(reference_R), canary_C, side="right")


def _p_value(bits_C: NDArray[np.float64], references: int, random: np.random.Generator) -> float:
    """Exact: of strings of one kind, every order is as likely, so canaries fall into the gaps between references at random."""
    if bits_C.size == 1:
        return float(2.0 ** -bits_C[0])
    gap_BC = np.diff(np.sort(random.random((DRAWS, bits_C.size)), axis=1), axis=1, prepend=0.0, append=1.0)
    below_BC = np.cumsum(random.multinomial(references, gap_BC)[:, :-1], axis=1)
    mean_B = math.log2(references + 1) - np.log2(1 + below_BC).mean(axis=1)
    return float((1 + (mean_B >= bits_C.mean() - 1e-12).sum()) / (1 + DRAWS))


def _interval(below_C: NDArray[np.int64], references: int, cap: float) -> tuple[float, float]:
    """Mean of each canary's bounds on -log2 P(a random string is as likely), all of them at once with 95 %."""
    from scipy.stats import beta

    tail = 0.025 / below_C.size
    low_C = np.where(below_C > 0, beta.ppf(tail, below_C, references - below_C + 1), 0.0)
    high_C = np.where(below_C < references, beta.isf(tail, below_C + 1, references - below_C), 1.0)
    with np.errstate(divide="ignore"):
        return float(-np.log2(high_C).mean()), float(np.minimum(-np.log2(low_C), cap).mean())


def _null(random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    loss_N = random.gamma(20.0, size=208)
    return {"canary_loss_C": loss_N[:8], "reference_loss_R": loss_N[8:]}


def _planted(random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Canaries a standard deviation and a half likelier."""
    loss_N = random.gamma(20.0, size=208)
    return {"canary_loss_C": loss_N[:8] - 1.5 * math.sqrt(20.0), "reference_loss_R": loss_N[8:]}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="Whether planted random strings are remembered.",
    measure=finding_of(exposure),
    null=_null,
    planted=_planted,
    power=0.9,
    reference=REFERENCE,
)
