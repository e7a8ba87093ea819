"""Tao et al. 2024: how large a vocabulary a model deserves, since a larger one shortens the text and costs params.

Losses per token of different vocabularies cannot be compared, so the paper subtracts what a unigram model loses. Its loss L_u is
negative; here the law gives the gain over unigrams, -L_u, which is positive:
gain = E - A1/(N_nv/1e6)^alpha1 - A2/(V d/1e6)^alpha2 - B/(D/1e9)^beta
with N_nv the params outside the vocabulary, V the vocabulary, d the width (V d the vocabulary's params), D the tokens.

A text of H characters holds D = H f(V) tokens, f(V) = a ln(V)^2 + b ln(V) + c (natural logarithm, V held at 200 000).

Three ways to the best vocabulary: along the compute-optimal line (approach 1, `vocabulary-by-compute`), from the params
outside it (approach 2, `vocabulary-by-params`), and where the gain is largest at a given compute (approach 3,
`best_vocabulary`), the only one that answers for models trained on fewer or more tokens than that line.

Source: Tao, Liu, Dou, Muennighoff, Wan, Luo, Lin & Wong 2024, "Scaling Laws with Vocabulary", arXiv 2407.13623, and the authors'
sail-sg/scaling-with-vocab: optimal_Nv_predict.py, approach3_isoloss.py, utils.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log

from kleiber.errors import InputError
from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients, Parameter
from kleiber.laws.unknowns import exponent, scale

PAPER = "Tao et al. 2024, arXiv 2407.13623"
CODE = "sail-sg/scaling-with-vocab"
LARGEST_MEASURED = 200_000
_FERTILITY = (0.00639222, -0.15811069, 1.20470122)
_SIZES = (33e6, 1.13e9)

VOCABULARY = Law(
    "E - A1/(params/1e6)**alpha1 - A2/(vocabulary*width/1e6)**alpha2 - B/(tokens/1e9)**beta",
    name="vocabulary",
    title="Vocabulary: gain over unigrams from params, vocabulary and tokens",
    parameters=(
        Parameter(name="E", lower=0.0, upper=100.0, scale="linear", starts=(3.0, 6.0), meaning="the largest gain"),
        scale("A1", "weight of the params outside the vocabulary, per million", starts=(0.5, 5.0)),
        scale("A2", "weight of the vocabulary's params, per million", starts=(0.1, 1.0)),
        scale("B", "weight of the tokens, per billion", starts=(0.5, 5.0)),
        exponent("alpha1", "how fast the gain answers to params outside the vocabulary"),
        exponent("alpha2", "how fast the gain answers to the vocabulary's params"),
        exponent("beta", "how fast the gain answers to tokens"),
    ),
    target="unigram_gain",
    source=f"{PAPER}, approach 3",
    validity="`params` are those outside the vocabulary; one family of tokenisers, one text",
    published=(
        Coefficients(
            name="tao-2024",
            values={
                "E": 5.5327847,
                "A1": 1.8313852,
                "A2": 0.1958424,
                "B": 2.1241123,
                "alpha1": 0.4466063,
                "alpha2": 0.6707375,
                "beta": 0.4466063,
            },
            source=f"{CODE}, optimal_Nv_predict.py, to seven digits",
            domain={"params": _SIZES, "vocabulary": (4e3, 96e3), "width": (512.0, 2048.0)},
            conventions="params outside the vocabulary; V d params in it (one matrix); tokens; nats per token above unigrams; "
            "FLOPs 6 (N_nv + V d) D",
            tolerance=1.5e-7,
            note="alpha1 and beta are tied by hand. Predicts a best vocabulary of 16K at 302M (10K on a fifth of the compute, "
            "24K on five times) and 37K at 3B; the 43K that the paper trains at 3B is approach 2's.",
        ),
    ),
)


def _line(what: str, meaning: str) -> tuple[Parameter, Parameter]:
    return (
        scale("k", what, starts=(0.1, 1e3, 1e6), lower=1e-20, upper=1e20),
        exponent("a", meaning, starts=(0.4, 0.8)),
    )


VOCABULARY_BY_COMPUTE = Law(
    "k*flops**a",
    name="vocabulary-by-compute",
    title="The vocabulary's params as a power of compute",
    parameters=_line("the vocabulary's params at 1 FLOP, extrapolated", "how they grow with compute"),
    target="vocabulary_params",
    source=f"{PAPER}, approach 1",
    validity="compute-optimal training of the source's recipe; divide by the width for the vocabulary",
    published=(
        Coefficients(
            name="tao-2024",
            values={"k": exp(-1.5890313), "a": 0.4163623},
            source=f"{CODE}, optimal_Nv_predict.py (printed as .20 and .42)",
            domain={"flops": (1.6e17, 1.3e21)},
            conventions="params of one vocabulary matrix; FLOPs 6 (N_nv + V d) D",
            tolerance=3e-6,
            note="Beside N_nv = .0834 C^.50 (optimal-params, tao-2024). The range is that line's compute from 33M to 3B params.",
        ),
    ),
)

VOCABULARY_BY_PARAMS = Law(
    "k*(params/33e6)**a",
    name="vocabulary-by-params",
    title="The vocabulary's params as a power of the others",
    parameters=_line("the vocabulary's params beside 33M others", "how they grow with the others"),
    target="vocabulary_params",
    source=f"{PAPER}, approach 2",
    validity="compute-optimal training of the source's recipe; divide by the width for the vocabulary",
    published=(
        Coefficients(
            name="tao-2024",
            values={"k": 3145728.0, "a": 0.8353974},
            source=f"{CODE}, optimal_Nv_predict.py, to seven digits",
            domain={"params": _SIZES},
            conventions="params outside the vocabulary; params of one vocabulary matrix",
            tolerance=4e-7,
            note="Anchored at one measured point: 33M params, width 512, a vocabulary of 6144.",
        ),
    ),
)


def tokens_per_character(vocabulary: float) -> float:
    """How many tokens a character of text makes: f(V) = .00639 ln(V)^2 - .158 ln(V) + 1.205, V held at 200 000.

    >>> round(tokens_per_character(32_000), 4), tokens_per_character(300_000) == tokens_per_character(200_000)
    (0.2524, True)

    Raises `InputError` unless the vocabulary is at least 1000. Source: sail-sg/scaling-with-vocab, utils.py.
    """
    _check("vocabulary", vocabulary, 1000)
    size = log(min(vocabulary, LARGEST_MEASURED))
    square, linear, constant = _FERTILITY
    return square * size**2 + linear * size + constant


def best_vocabulary(values: Mapping[str, float], params: float, width: float, flops: float) -> float:
    """The vocabulary with the largest gain for a model of `params` outside it, trained with `flops`.

    maximise over V the gain at D = flops / (6 (params + V width)): a larger vocabulary buys its own term and pays with tokens.

    >>> found = VOCABULARY.coefficients("tao-2024").values
    >>> round(best_vocabulary(found, params=302e6, width=1024, flops=1.313e19))
    15760

    Raises `InputError` for a size that is not positive. Source: sail-sg/scaling-with-vocab, optimal_Nv_predict.py (approach 3).
    """
    for name, size in (("params", params), ("width", width), ("flops", flops)):
        _check(name, size, 0)
    low, high = log(1.0), log(1e9)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _lead(values, params, width, flops, exp(middle)) > 0 else (low, middle)
    return exp(low)


def _lead(values: Mapping[str, float], params: float, width: float, flops: float, vocabulary: float) -> float:
    """What a percent more vocabulary brings through its own term less what it costs through the tokens."""
    inside = vocabulary * width
    tokens = flops / (6 * (params + inside))
    own = values["alpha2"] * values["A2"] / (inside / 1e6) ** values["alpha2"]
    cost = values["beta"] * values["B"] / (tokens / 1e9) ** values["beta"] * inside / (params + inside)
    return own - cost


def _check(name: str, value: float, least: float) -> None:
    if not least < value + (least > 0) < float("inf"):
        raise InputError(f"{name} is too small or no number", found=value, expected=f"at least {least:g}")
