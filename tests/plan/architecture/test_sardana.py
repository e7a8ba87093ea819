"""Sardana & Frankle 2024 (arXiv 2401.00448): the smaller model that serves its demand for less, by the geometric program.

Their question: the loss of a Chinchilla-optimal model, reached with the least of 6 N D in training and 2 N T in serving. The
figures are those computed from their printed coefficients; 7B and 17 % for the first row are printed in their section 2.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from kleiber.laws import Posynomial
from kleiber.plan.closed_form import two_power_terms
from kleiber.plan.program import Solution, solve
from kleiber.plan.question import Limit, Question

E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.336, 0.283
# quality of, tokens served: params, tokens trained, times the data, saved
ROWS = [
    (13e9, 2e12, 6.969e9, 1.248e12, None, 0.1745),
    (30e9, 1e13, 13.61e9, None, 2.845, 0.2798),
    (70e9, 1e13, 41.55e9, None, None, 0.1195),
    (1e9, 1e12, 292e6, None, None, 0.567),
]


def chinchilla_optimal(params: float) -> tuple[float, float]:
    """Compute and tokens at which `params` is the optimum."""

    def apart(log_flops: float) -> float:
        return float(np.log(two_power_terms(A, ALPHA, B, BETA, math.exp(log_flops)) / params))

    flops = math.exp(brentq(apart, math.log(1e15), math.log(1e30), xtol=1e-13))  # type: ignore[arg-type]
    return flops, flops / (6 * params)


def cheapest(quality: float, served: float) -> tuple[Solution, float, float]:
    """The program's answer, what the Chinchilla-optimal model costs, and its tokens."""
    flops, tokens = chinchilla_optimal(quality)
    above_floor = A / quality**ALPHA + B / tokens**BETA
    cost = _posynomial([6.0, 2.0 * served], [[1, 1], [1, 0]])
    law = _posynomial([A, B], [[-ALPHA, 0], [0, -BETA]])
    limit = Limit(name="loss", usage=law, bound=above_floor, unit="nats", words="the loss")
    return solve(cost, Question(limits=(limit,))), flops + 2 * quality * served, tokens


def _posynomial(coefficients: list[float], exponents: list[list[float]]) -> Posynomial:
    return Posynomial(
        inputs=("params", "tokens"),
        coefficients_T=np.array(coefficients),
        exponents_TI=np.array(exponents, dtype=float),
    )


@pytest.mark.parametrize(("quality", "served", "params", "tokens", "more_data", "saved"), ROWS)
def test_the_program_finds_their_models(
    quality: float, served: float, params: float, tokens: float | None, more_data: float | None, saved: float
) -> None:
    found, plain, plain_tokens = cheapest(quality, served)
    assert found.values["params"] == pytest.approx(params, rel=0.01)
    if tokens is not None:
        assert found.values["tokens"] == pytest.approx(tokens, rel=0.01)
    if more_data is not None:
        assert found.values["tokens"] / plain_tokens == pytest.approx(more_data, rel=0.01)
    assert 1 - found.objective / plain == pytest.approx(saved, rel=0.01)


def test_the_first_row_in_flops() -> None:
    found, plain, _ = cheapest(13e9, 2e12)
    assert plain == pytest.approx(9.697e22, rel=0.01)
    assert found.objective == pytest.approx(8.005e22, rel=0.01)


def test_without_demand_the_cheapest_is_chinchillas() -> None:
    found, plain, tokens = cheapest(13e9, 1.0)
    assert found.values["params"] == pytest.approx(13e9, rel=1e-3)
    assert found.values["tokens"] == pytest.approx(tokens, rel=1e-3)
    assert found.objective == pytest.approx(plain, rel=1e-6)
