"""Does exact match behave as p^L, tokens right independently of each other?

The way the data takes: exact matches, the rate per token measured apart (or the loss per token, p = exp(-CE)), answer lengths
-> accuracy against p^(k L) -> k with its interval, 1 where tokens fail independently.

The one idea: the argument that a metric made the jump rests on p^L. It can be checked where both were measured: k below 1
says that
a model which gets one token right gets the next right, too (an answer has fewer independent steps than tokens), and k above
1 that
one slip spoils more than itself.

Source: Schaeffer et al. 2023 (arXiv 2304.15004), section 2: accuracy = p^L with p = exp(-CE).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.emergence.binomial import regress
from kleiber.diagnose.emergence.scores import Scores, scores
from kleiber.diagnose.quantiles import student
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "exact match"
REFERENCE = "Schaeffer et al. 2023 (arXiv 2304.15004)"
FEWEST = 4


def exact_match(
    correct: ArrayLike, asked: ArrayLike, length: ArrayLike, token_rate: ArrayLike, *, level: float = 0.95
) -> Finding:
    """k of accuracy = token_rate^(k length), all arrays `(M,)`; `value` is k and `interval` its interval.

    `token_rate` is the share of right tokens, or exp(-loss per token of the answer). Rates of 0 or 1 leave a model out; fewer
    than four that remain cannot tell.
    """
    rate = numbers(token_rate, what="token_rate")
    bad = np.flatnonzero((rate < 0) | (rate > 1))
    if bad.size:
        raise InputError("a rate lies from 0 to 1", found=f"{rate[bad[0]]:g} at row {bad[0] + 1}")
    given = scores(np.arange(1.0, rate.size + 1), correct, asked, length)
    usable = (rate > 0) & (rate < 1)
    if (usable & given.inner_M).sum() < FEWEST:
        why = f"Only {int((usable & given.inner_M).sum())} models have both an accuracy and a rate per token between 0 and 1."
        return cannot_tell(NAME, why, remedy="more models on the way up", reference=REFERENCE)
    kept = given.keep(usable)
    # The offset of the regression is log length; here it is log of what independent tokens would lose.
    of = Scores(
        x_M=kept.x_M,
        correct_M=kept.correct_M,
        asked_M=kept.asked_M,
        length_M=kept.length_M * -np.log(rate[usable]),
        chance=0.0,
    )
    return _judge(of, level)


def _judge(of: Scores, level: float) -> Finding:

    found = regress(of, np.ones((of.x_M.size, 1)))
    half = float(student((1 - level) / 2, found.freedom) * found.error_K[0])
    k, low, high = (float(np.exp(found.b_K[0] + shift)) for shift in (0.0, -half, half))
    off = low > 1 or high < 1
    said = f"Exact match goes as p^({show(k)} L) ({show(low)} - {show(high)})"
    meaning = (
        "tokens of an answer are right together: it has fewer independent steps than tokens"
        if high < 1
        else "one slip spoils more than its own token"
        if low > 1
        else "as if its tokens were right independently"
    )
    return Finding(
        name=NAME,
        verdict="found" if off else "ok",
        evidence=f"{said}: {meaning}.",
        value=k,
        interval=(low, high),
        reference=REFERENCE,
    )


def _answers(rng: np.random.Generator, k: float) -> Arrays:
    rate_M = np.linspace(0.6, 0.97, 12)
    length_M = rng.integers(3, 8, size=12)
    return {
        "correct": rng.binomial(500, rate_M ** (k * length_M)),
        "asked": np.full(12, 500),
        "length": length_M,
        "token_rate": rate_M,
    }


def independent(rng: np.random.Generator) -> Arrays:
    """Tokens that are right independently."""
    return _answers(rng, 1.0)


def together(rng: np.random.Generator) -> Arrays:
    """Answers with 0.8 independent steps a token."""
    return _answers(rng, 0.8)


EXACT_MATCH = Diagnostic(
    name=NAME,
    title="Does exact match behave as p^L?",
    measure=exact_match,
    null=independent,
    planted=together,
    level=0.05,
    power=0.9,
    reference=REFERENCE,
)
