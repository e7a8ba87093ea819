"""Compute at test time: how much repeated sampling solves, and how much of it a smaller model may spend.

Coverage: the share of problems that at least one of n samples solves, exp(-a n^-b): ever more samples solve ever more, as a
power law in the logarithm. There are no universal constants: a and b belong to a model and a set of problems, so there are no
published sets; fit your own.

Matching: a model M times smaller, trained on as many tokens, may spend k = M + 3 (D_pre/D_inf) (M - 1) times the inference
tokens for the same total FLOPs: M because each of its tokens is that much cheaper, the rest from the training it saved.

Sources: Brown et al. 2024, "Large Language Monkeys", arXiv 2407.21787, for the form (there log c = a n^b with a and b negative);
Snell et al. 2024, "Scaling LLM Test-Time Compute Optimally", arXiv 2408.03314, for the comparison at equal FLOPs; the formula
for k follows from 6 N D of training and 2 N D of inference.
"""

from __future__ import annotations

from math import log

from kleiber.errors import InputError
from kleiber.laws.law import Law
from kleiber.laws.unknowns import exponent, scale

COVERAGE = Law(
    "exp(-a*samples**(-b))",
    name="coverage",
    title="Repeated sampling: the share of problems solved by n samples",
    parameters=(
        scale("a", "minus the log of the share that one sample solves", starts=(0.5, 2.0), lower=1e-6, upper=1e3),
        exponent("b", "how fast more samples help", starts=(0.2, 0.5)),
    ),
    target="coverage",
    source="Brown et al. 2024, arXiv 2407.21787",
    validity="one model, one set of problems whose answers can be checked; coverage is not what a vote or a judge would pick",
)


def samples_for(coverage: float, a: float, b: float) -> float:
    """The samples at which `coverage` of the problems are solved: n = (a / -ln(coverage))^(1/b).

    >>> round(samples_for(0.9, a=1.5, b=0.4))
    765

    Raises `InputError` unless coverage lies between 0 and 1 and a and b are positive.
    """
    if not 0 < coverage < 1:
        raise InputError("coverage must lie between 0 and 1", found=coverage)
    if not (a > 0 and b > 0):
        raise InputError("a and b must be positive", found=(a, b), expected="a fit of the law `coverage`")
    return (a / -log(coverage)) ** (1 / b)


def matching_samples(smaller: float, pretraining_tokens: float, inference_tokens: float) -> float:
    """How many times the inference tokens a model `smaller` times smaller may spend for the same total FLOPs.

    k = M + 3 (D_pre/D_inf) (M - 1), with both models trained on `pretraining_tokens` and the larger serving `inference_tokens`.

    >>> matching_samples(smaller=14, pretraining_tokens=1e12, inference_tokens=1e12)
    53.0

    Raises `InputError` for a factor below 1 or tokens that are not positive.
    """
    if not smaller >= 1:
        raise InputError("the smaller model must be smaller", found=smaller, expected="a factor of at least 1")
    if not (pretraining_tokens > 0 and inference_tokens > 0):
        raise InputError("tokens must be positive", found=(pretraining_tokens, inference_tokens))
    return smaller + 3 * (pretraining_tokens / inference_tokens) * (smaller - 1)
