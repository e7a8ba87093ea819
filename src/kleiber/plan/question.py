"""Question: what is asked of a plan, an objective under limits.

One idea: every limit is a posynomial of the decision variables with a bound, g(params, tokens, ...) <= bound. Memory,
latency, money and deadlines join by adding a `Limit`; nothing that solves a question needs to know what a limit means.

Source: Boyd, Kim, Vandenberghe, Hassibi (2007), "A tutorial on geometric programming", sections 2 and 3.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kleiber.errors import InputError, did_you_mean
from kleiber.laws.posynomial import Posynomial
from kleiber.quantity import read, show

OBJECTIVES = ("loss",)
FLOPS_PER_PARAM_TOKEN = 6.0  # training, forward and backward: Kaplan et al. (2020), section 2.1
SERVING_FLOPS_PER_PARAM_TOKEN = 2.0  # forward only


@dataclass(frozen=True, kw_only=True, eq=False)
class Limit:
    """One limit `usage(decision) <= bound`; `words` says in a sentence what is limited.

    >>> max_params("7B").bound
    7000000000.0
    """

    name: str
    usage: Posynomial
    bound: float
    unit: str
    words: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.bound) and self.bound > 0):
            raise InputError(f"the limit {self.name!r} needs a positive bound", found=self.bound)
        if not np.all(self.usage.coefficients_T > 0):
            raise InputError(f"the limit {self.name!r} is no posynomial", expected="positive coefficients only")


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """An objective to minimise under limits; names of limits are unique.

    Raises `InputError` for an unknown objective, a repeated limit or no limit at all.
    """

    limits: tuple[Limit, ...]
    objective: str = "loss"

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InputError("unknown objective", found=self.objective, remedy=did_you_mean(self.objective, OBJECTIVES))
        names = [limit.name for limit in self.limits]
        if not names or len(set(names)) < len(names):
            raise InputError("a question needs limits with different names", found=names)


def flops_limit(flops: float | str, serve_tokens: float | str = 0.0) -> Limit:
    """All compute of the model's life: 6 * params * tokens + 2 * params * serve_tokens <= flops.

    Source: Sardana & Frankle (2024, arXiv 2401.00448), equation 1; without serving, Kaplan et al. (2020), section 2.1.

    >>> float(flops_limit(1e21).usage.value({"params": 1e9, "tokens": 1e10}).round(-10))
    6e+19
    """
    served = positive(serve_tokens, "serve_tokens", zero=True)
    coefficients, exponents = [FLOPS_PER_PARAM_TOKEN], [[1.0, 1.0]]
    if served:
        coefficients, exponents = [*coefficients, SERVING_FLOPS_PER_PARAM_TOKEN * served], [*exponents, [1.0, 0.0]]
    usage = Posynomial(
        inputs=("params", "tokens"), coefficients_T=np.array(coefficients), exponents_TI=np.array(exponents)
    )
    words = f"training plus serving {show(served)} tokens" if served else "training compute"
    return Limit(name="flops", usage=usage, bound=positive(flops, "flops"), unit="FLOP", words=words)


def max_params(bound: float | str) -> Limit:
    """At most `bound` params, for instance what fits the devices that will serve the model."""
    return _monomial("max_params", "params", positive(bound, "max_params"), "params", "model size")


def max_tokens(bound: float | str) -> Limit:
    """At most `bound` training tokens: the data there is."""
    return _monomial("max_tokens", "tokens", positive(bound, "max_tokens"), "tokens", "data")


def _monomial(name: str, variable: str, bound: float, unit: str, words: str) -> Limit:
    usage = Posynomial(inputs=(variable,), coefficients_T=np.ones(1), exponents_TI=np.ones((1, 1)))
    return Limit(name=name, usage=usage, bound=bound, unit=unit, words=words)


def positive(value: float | str, name: str, *, zero: bool = False) -> float:
    """`value` as a number; raises `InputError` naming it where it is not positive and finite."""
    number = read(value)
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise InputError(f"{name} must be a positive number", found=value, expected="a number such as 5.76e23 or 70B")
    return number


def min_params(bound: float | str) -> Limit:
    """At least `bound` params, written as bound / params <= 1."""
    least = positive(bound, "min_params")
    usage = Posynomial(inputs=("params",), coefficients_T=np.array([least]), exponents_TI=-np.ones((1, 1)))
    return Limit(name="min_params", usage=usage, bound=1.0, unit="1", words="the smallest model size")
