"""Carry-over: how much of what a model learnt on its training text holds on text of the same kind that it never saw.

One idea: the bits a model gains over a reference that knows neither side (byte frequencies, a smaller model, itself before
training) are what it learnt. Their ratio, held out to trained on, is 1 where all of it is rule and 0 where all of it is rote, and
both ends can be tested: that at least 90 % carries over, and that at most 10 % does.

Shapes: D documents trained on, H held out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, Evidence, levels, shown, untold
from kleiber.diagnose.series import numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME_ROTE, NAME_RULE = "does_not_carry_over", "carries_over"
REFERENCE = "Welch 1947 (the tests), Fieller 1954 (the interval)"
MATERIAL = 0.1
"""A tenth: less than that of what was learnt is neither rote nor rule enough to change what is done."""
FEWEST = 10


@dataclass(frozen=True, kw_only=True)
class CarryOver:
    """The share that carries over with its interval, and evidence for either claim.

    `share` is None where nothing can be told.
    """

    share: float | None
    interval: tuple[float, float] | None
    memorising: Evidence
    generalising: Evidence


def carry_over(
    train_gain_D: ArrayLike, held_out_gain_H: ArrayLike, *, material: float = MATERIAL, level: float = LEVEL
) -> CarryOver:
    """mean(held-out gain) / mean(training gain), tested against 1 - material (from above) and against material (from below).

    A gain is a document's loss under the reference less its loss under the model, nats per token; both sides must be random
    parts of one text, with one gain for each document. Tests are Welch's on mean(held out) - c mean(train), with c = 1 -
    material (memorising) and c = material (generalising); the interval is Fieller's, 95 %.

    Raises `InputError` where a gain is not finite.

    >>> found = carry_over(2.0 + 0.01 * np.arange(20), 1.0 + 0.01 * np.arange(20))
    >>> round(found.share, 2), found.memorising.finding.verdict, found.generalising.finding.verdict
    (0.52, 'warning', 'found')

    Source: the ratio is ours; Welch 1947 (Biometrika 34), Fieller 1954 (J. R. Stat. Soc. B 16).
    """
    train_D, held_H = (
        numbers(train_gain_D, what="gains on training text"),
        numbers(held_out_gain_H, what="held-out gains"),
    )
    levels(level)
    if not 0 < material < 0.5:
        raise InputError("what is material is a share below a half", found=material)
    why, remedy = _untold(train_D, held_H)
    if why:
        return CarryOver(
            share=None,
            interval=None,
            memorising=untold(NAME_ROTE, "memorising", why, remedy=remedy, reference=REFERENCE),
            generalising=untold(NAME_RULE, "generalising", why, remedy=remedy, reference=REFERENCE),
        )
    share = float(held_H.mean() / train_D.mean())
    interval = _fieller(train_D, held_H)
    rote, rule = _welch(held_H, train_D, 1 - material), 1 - _welch(held_H, train_D, material)
    gains = f"{train_D.mean():.3g} nats per token learnt on training text, {held_H.mean():.3g} hold on text held out"
    span = f"{_percent(share)} (95 % interval {_percent(interval[0])} to {_percent(interval[1])})"
    return CarryOver(
        share=share,
        interval=interval,
        memorising=Evidence(
            finding=Finding(
                name=NAME_ROTE,
                verdict="warning" if rote <= level else "ok",
                value=share,
                interval=interval,
                evidence=f"Of {gains}: {span}; that {_percent(1 - material)} or more carry over has {shown(rote)}.",
                remedy="train on more unique text, or on this text fewer times" if rote <= level else "",
                caveats=("It holds only where both sides are random parts of one text.",),
                reference=REFERENCE,
            ),
            claim="memorising",
            p_value=rote,
            informative=interval[0] > 0.5,
        ),
        generalising=Evidence(
            finding=Finding(
                name=NAME_RULE,
                verdict="found" if rule <= level else "ok",
                value=share,
                interval=interval,
                evidence=f"Of {gains}: {span}; that {_percent(material)} or less carry over has {shown(rule)}.",
                caveats=("Held out by row, not by structure: it does not say that a rule was learnt.",),
                reference=REFERENCE,
            ),
            claim="generalising",
            p_value=rule,
            informative=interval[1] < 0.5,
        ),
    )


def _untold(train_D: NDArray[np.float64], held_H: NDArray[np.float64]) -> tuple[str, str]:
    """Why nothing can be told and what would help, if so."""
    from scipy.stats import t

    if min(train_D.size, held_H.size) < FEWEST:
        return (
            f"{train_D.size} training and {held_H.size} held-out documents are too few; {FEWEST} of each are needed.",
            "score more documents",
        )
    if np.ptp(train_D) == 0 and np.ptp(held_H) == 0:
        return "Every document has the same gain: such numbers were not measured.", "score documents one by one"
    error = train_D.std(ddof=1) / math.sqrt(train_D.size)
    if train_D.mean() <= t.ppf(0.975, train_D.size - 1) * error:
        return (
            f"The model has learnt nothing on its training text that the reference did not know (gain {train_D.mean():.3g} "
            f"+- {error:.2g} nats per token), so there is nothing that could carry over.",
            "train on, or take a weaker reference",
        )
    return "", ""


def _welch(held_H: NDArray[np.float64], train_D: NDArray[np.float64], share: float) -> float:
    """P of so low a held-out mean where it is `share` of the training mean."""
    from scipy.stats import ttest_ind

    if np.ptp(held_H) == 0 and np.ptp(train_D) == 0:
        return float(held_H.mean() >= share * train_D.mean())
    test: Any = ttest_ind(held_H, share * train_D, equal_var=False, alternative="less")
    return float(test.pvalue)


def _fieller(train_D: NDArray[np.float64], held_H: NDArray[np.float64]) -> tuple[float, float]:
    """Fieller's interval of a ratio of two independent means, the lower one being significantly above 0."""
    from scipy.stats import t

    one, other = held_H.var(ddof=1) / held_H.size, train_D.var(ddof=1) / train_D.size
    quantile = t.ppf(0.975, min(train_D.size, held_H.size) - 1)
    ratio = held_H.mean() / train_D.mean()
    g = quantile**2 * other / train_D.mean() ** 2
    root = math.sqrt(max(0.0, one * (1 - g) + ratio**2 * other))
    half = quantile * root / train_D.mean()
    return float((ratio - half) / (1 - g)), float((ratio + half) / (1 - g))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _drawn(random: np.random.Generator, share: float) -> dict[str, NDArray[np.float64]]:
    """80 documents to train on and 60 held out, whose gains vary as much as they do on real text."""
    return {"train_gain_D": random.gamma(16.0, 1 / 16, 80), "held_out_gain_H": share * random.gamma(16.0, 1 / 16, 60)}


def _rote_measured(**arrays: ArrayLike) -> Finding:
    return carry_over(**arrays).memorising.finding  # type: ignore[arg-type]


def _rule_measured(**arrays: ArrayLike) -> Finding:
    return carry_over(**arrays).generalising.finding  # type: ignore[arg-type]


DIAGNOSTICS = (
    Diagnostic(
        name=NAME_ROTE,
        title="Whether a tenth or more of what was learnt does not hold on text held out.",
        measure=_rote_measured,
        null=lambda random: _drawn(random, 1 - MATERIAL),
        planted=lambda random: _drawn(random, 0.7),
        power=0.95,
        reference=REFERENCE,
    ),
    Diagnostic(
        name=NAME_RULE,
        title="Whether a tenth or more of what was learnt holds on text held out.",
        measure=_rule_measured,
        null=lambda random: _drawn(random, MATERIAL),
        planted=lambda random: _drawn(random, 0.3),
        power=0.95,
        reference=REFERENCE,
    ),
)
