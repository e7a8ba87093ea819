"""Capacity: bits a model has stored of random strings, bits per parameter, and whether its unique text would fill it.

One idea: nothing about uniformly random tokens can be learnt but the tokens themselves. N strings of S tokens over V hold
N S log2 V bits; what the model still pays for them is missing from that, so the difference is what it stored. For a model that
never saw them, the product of V q(x_t) has expectation 1, so by Markov P(stored >= k bits) <= 2^-k: a p-value without a sample.

Shapes: N strings.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, Evidence, finding_of, levels, logs, untold
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "capacity"
REFERENCE = "Morris et al. 2025, How much do language models memorize?, arXiv:2505.24832"
BITS_PER_PARAM = 3.6
PLATEAUS = (3.51, 3.83)
"""Bits per parameter at saturation of transformers trained in bfloat16 and in float32 (Morris et al. 2025)."""


def stored_bits(logprob_N: ArrayLike, *, tokens: int, vocabulary: int) -> NDArray[np.float64]:
    """Bits stored of each string, `(N,)`: tokens log2 vocabulary + log2 q(string).

    `logprob_N`: natural logarithm of the probability of each whole string of `tokens` uniform tokens.

    >>> stored_bits([-8 * np.log(256), 0.0], tokens=8, vocabulary=256).round(9).tolist()
    [0.0, 64.0]

    Source: Morris et al. 2025: unintended memorisation of uniformly random strings.
    """
    for name, value, least in (("tokens", tokens, 1), ("vocabulary", vocabulary, 2)):
        if value != int(value) or value < least:
            raise InputError(f"the {name} of a random string is a whole number of {least} or more", found=value)
    return tokens * math.log2(vocabulary) + logs(logprob_N, what="log-probabilities of strings") / math.log(2)


def capacity(
    logprob_N: ArrayLike, *, tokens: int, vocabulary: int, params: float | None = None, level: float = LEVEL
) -> Evidence:
    """Bits stored of random strings that were trained on, in all and for each of `params`, and whether that can be chance.

    value: bits per parameter, or bits in all where `params` is not told. The interval is Student's over strings, times N. The
    p-value is min(1, 2^-bits). Only at saturation, with more strings than fit, is the value the model's capacity.

    >>> found = capacity([-30.0] * 10, tokens=8, vocabulary=256, params=100).finding
    >>> round(found.value, 3), found.verdict
    (2.072, 'found')
    """
    from scipy.stats import t

    stored_N = stored_bits(logprob_N, tokens=tokens, vocabulary=vocabulary)
    if params is not None and not params > 0:
        raise InputError("params must be a positive number", found=params)
    if stored_N.size < 5:
        why = f"{stored_N.size} random strings are too few to say how much they differ."
        return untold(NAME, "memorising", why, remedy="score 20 or more", reference=REFERENCE)
    total = float(stored_N.sum())
    half = float(t.ppf(0.975, stored_N.size - 1) * stored_N.std(ddof=1) * math.sqrt(stored_N.size))
    p_value = 2.0 ** -min(max(total, 0.0), 1000.0)
    loud = p_value <= levels(level)
    scale = params or 1.0
    held = stored_N.size * tokens * math.log2(vocabulary)
    per = (
        f", {total / params:.3g} for each parameter (saturated transformers: about {BITS_PER_PARAM})" if params else ""
    )
    chance = f"2^-{total:.0f}" if total > 10 else f"{p_value:.2g}"
    return Evidence(
        finding=Finding(
            name=NAME,
            verdict="found" if loud else "ok",
            value=total / scale,
            interval=((total - half) / scale, (total + half) / scale),
            evidence=f"Of {show(held)} bits in {stored_N.size} random strings the model has stored {show(max(total, 0.0))}"
            f"{per}; the chance of that in strings it never saw is at most {chance}.",
            caveats=("It is the capacity only where more strings were trained on than fit.",) if loud else (),
            reference=REFERENCE,
        ),
        claim="memorising",
        p_value=p_value,
    )


def budget(unique_bits: float, params: float, *, bits_per_param: float = BITS_PER_PARAM) -> Finding:
    """Unique bits of training text against what the parameters can store: below 1 all of it could be known by heart.

    unique_bits / (bits_per_param params), the interval over the plateaus of bfloat16 and float32. `unique_bits`: tokens that
    differ times bits per token, which the held-out loss bounds from above. It says what is possible, not what happened.

    >>> budget(1e6, 1e6).value, budget(1e8, 1e6).verdict
    (0.2777777777777778, 'ok')

    Source: Morris et al. 2025: memorisation gives way to generalisation where the data exceed the capacity.
    """
    for name, value in (("unique bits", unique_bits), ("params", params), ("bits per parameter", bits_per_param)):
        if not (value > 0 and math.isfinite(value)):
            raise InputError(f"{name} must be a positive number", found=value)
    ratio = unique_bits / (bits_per_param * params)
    fits = ratio < 1
    return Finding(
        name="unique_bits_budget",
        verdict="warning" if fits else "ok",
        value=ratio,
        interval=(unique_bits / (PLATEAUS[1] * params), unique_bits / (PLATEAUS[0] * params)),
        evidence=f"The unique text holds {show(unique_bits)} bits and {show(params)} parameters can store about "
        f"{show(bits_per_param * params)}: {ratio:.2g} times as much text as fits"
        + (", so all of it could be known by heart." if fits else ", so most of it cannot be known by heart."),
        remedy=f"{1 / ratio:.2g} times as much unique text, or at most {show(unique_bits / bits_per_param)} parameters"
        if fits
        else "",
        caveats=("3.6 bits per parameter was measured on transformers of 500K to 1.5B parameters.",),
        reference=REFERENCE,
    )


def _null(random: np.random.Generator) -> dict[str, NDArray[np.float64] | int]:
    """A model that predicts tokens by a distribution of its own, and strings that it never saw."""
    chance_V = random.dirichlet(np.full(256, 2.0))
    token_NS = random.integers(256, size=(50, 16))
    return {"logprob_N": np.log(chance_V)[token_NS].sum(axis=1), "tokens": 16, "vocabulary": 256}


def _planted(random: np.random.Generator) -> dict[str, NDArray[np.float64] | int]:
    """One string of ten is known."""
    arrays = _null(random)
    known_N = random.random(50) < 0.1
    return arrays | {"logprob_N": np.where(known_N, -2.0, -16 * math.log(256)), "vocabulary": 256}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="How many bits of random strings are stored.",
    measure=finding_of(capacity),
    null=_null,
    planted=_planted,
    power=0.95,
    reference=REFERENCE,
)
