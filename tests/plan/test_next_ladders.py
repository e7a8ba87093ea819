"""Do the runs that are asked for lead to better decisions than a uniform isoFLOP grid of equal cost? True regrets.

The simulation is that of `benchmarks/next_runs.py`, which says how the truths are made.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.scripts import script


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    return script("benchmarks/next_runs.py")


def test_a_grid_costs_what_it_is_said_to_cost(simulation: ModuleType) -> None:
    params, tokens = simulation.isoflop(3e19, (5.0, 80.0))
    assert params.size == 15
    assert (6 * params * tokens).sum() == pytest.approx(3e19)
    assert (tokens / params).min() == pytest.approx(5)
    assert (tokens / params).max() == pytest.approx(80)


def test_the_true_regret_is_zero_at_the_optimum_only(simulation: ModuleType) -> None:
    from kleiber.plan.closed_form import two_power_terms

    real = simulation.truth(np.random.default_rng(0), "law")
    best = float(two_power_terms(real.A, real.alpha, real.B, real.beta, 1e22))
    assert real.regret(best, 1e22) == pytest.approx(0.0, abs=1e-9)
    assert real.regret(2 * best, 1e22) > 1e-3


def test_on_a_few_truths(simulation: ModuleType) -> None:
    found = simulation.trials(4, "law")
    assert found["next, 1-500"].mean() < 0.5 * found["no more runs"].mean()
    assert found["next, 1-500"].mean() < found["isoFLOP, 5-80"].mean()
    assert (found["spent"] <= 1 + 1e-9).all()


@pytest.mark.slow
def test_against_grids_of_equal_cost(simulation: ModuleType) -> None:
    """The paired 95 % interval of the ratio of mean regrets lies below one, in the same ratios and in the usual ones."""
    found = simulation.trials(150, "law")
    for first, second in (
        ("next, 1-500", "isoFLOP, 1-500"),
        ("next, 1-500", "isoFLOP, 5-80"),
        ("next, 5-80", "isoFLOP, 5-80, same cost"),
    ):
        ratio, _, high = simulation.ratio_of_means(found[first], found[second])
        assert ratio < high < 1, (first, second, ratio, high)
