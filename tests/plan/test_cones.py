"""The programs handed to Clarabel directly, against CVXPY's own way from geometric form to cones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from kleiber.laws.posynomial import Posynomial
from kleiber.plan.program import solve
from kleiber.plan.question import Limit, Question

cvxpy = pytest.importorskip("cvxpy")
NAMES = ("width", "depth", "tokens")


def posynomial(generator: np.random.Generator, terms: int, low: float, high: float) -> Posynomial:
    return Posynomial(
        inputs=NAMES,
        coefficients_T=generator.uniform(0.2, 3.0, terms),
        exponents_TI=generator.uniform(low, high, (terms, len(NAMES))),
    )


def program(seed: int) -> tuple[Posynomial, Question]:
    """Falls in every variable, under limits that rise in every one, with a least value for each: feasible and bounded."""
    generator = np.random.default_rng(seed)
    limits = tuple(
        Limit(name=f"limit {number}", usage=posynomial(generator, 3, 0.1, 2.0), bound=10.0, unit="", words="")
        for number in range(generator.integers(1, 4))
    )
    return posynomial(generator, 4, -1.5, -0.1), Question(limits=(*limits, *(least(name) for name in NAMES)))


def least(name: str) -> Limit:
    usage = Posynomial(inputs=(name,), coefficients_T=np.array([0.01]), exponents_TI=np.array([[-1.0]]))
    return Limit(name=f"least {name}", usage=usage, bound=1.0, unit="", words="")


def by_cvxpy(objective: Posynomial, question: Question) -> tuple[float, list[float]]:
    variables = {name: cvxpy.Variable(pos=True) for name in NAMES}

    def expression(found: Posynomial):  # type: ignore[no-untyped-def]
        terms = [
            float(coefficient)
            * cvxpy.prod([variables[name] ** float(power) for name, power in zip(found.inputs, row, strict=True)])
            for coefficient, row in zip(found.coefficients_T, found.exponents_TI, strict=True)
        ]
        return sum(terms[1:], terms[0])

    constraints = [expression(limit.usage) <= limit.bound for limit in question.limits]
    problem = cvxpy.Problem(cvxpy.Minimize(expression(objective)), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(gp=True, solver="CLARABEL")
    return float(problem.value), [float(np.max(constraint.dual_value)) for constraint in constraints]


@pytest.mark.parametrize("seed", range(12))
def test_optimum_and_prices_are_those_of_cvxpy(seed: int) -> None:
    objective, question = program(seed)
    found = solve(objective, question)
    value, duals = by_cvxpy(objective, question)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(value, rel=1e-6)
    assert [-found.prices[limit.name] for limit in question.limits] == pytest.approx(duals, abs=2e-4)
