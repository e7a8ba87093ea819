"""Parameters that no losses of these runs could tell apart, and that a bootstrap shows as if they were known."""

import numpy as np
import pytest

import kleiber
from kleiber.runs import RunTable
from tests.fit.simulated import TRUTH, ladder


def grid(sizes: int, budgets: int, *, noise: float = 0.005, jitter: float = 0.0, seed: int = 0) -> RunTable:
    """Every size at the same budgets, as a ladder that is trained to fixed numbers of tokens."""
    rng = np.random.default_rng(seed)
    params = np.repeat(np.geomspace(2e7, 3e9, sizes), budgets)
    tokens = np.tile(np.geomspace(2e9, 2e10, budgets), sizes) * np.exp(jitter * rng.normal(size=params.size))
    mean = TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
    return RunTable.of(
        {"params": params, "tokens": tokens, "loss": mean * np.exp(rng.normal(scale=noise, size=params.size))}
    )


@pytest.mark.parametrize("draws", [0, 100])
@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_two_budgets_leave_the_floor_and_the_data_term_to_each_other(noise, draws):
    fit = kleiber.fit(grid(8, 2, noise=noise), bootstrap=draws, starts=16)
    assert fit.outcome.label == "unidentified"
    assert (
        fit.outcome_detail
        == "other values of E, B and beta would predict the same losses: the runs have 2 different tokens"
    )


def test_two_sizes_leave_the_floor_and_the_size_term_to_each_other():
    fit = kleiber.fit(grid(2, 8), bootstrap=0, starts=16)
    assert "E, A and alpha" in fit.outcome_detail
    assert "2 different params" in fit.outcome_detail


@pytest.mark.parametrize("seed", range(5))
def test_budgets_that_differ_by_rounding_are_two_budgets(seed):
    fit = kleiber.fit(grid(8, 2, jitter=1e-4, seed=seed), bootstrap=0, starts=16)
    assert fit.outcome.refused
    assert "beta" in fit.outcome_detail or "B is on its bound" in fit.outcome_detail


@pytest.mark.parametrize("fixed", [{"beta": TRUTH["beta"]}, {"E": TRUTH["E"]}])
def test_a_parameter_that_is_known_from_elsewhere_frees_the_others(fixed):
    assert kleiber.fit(grid(8, 2), bootstrap=0, starts=16, fixed=fixed).outcome.label == "solved"


@pytest.mark.parametrize("seed", range(5))
def test_three_budgets_and_budgets_that_grow_with_size_are_told_apart(seed):
    assert kleiber.fit(grid(8, 3, noise=0.001, seed=seed), bootstrap=0, starts=16).outcome.label == "solved"
    assert kleiber.fit(ladder(seed, sizes=6, budgets=2), bootstrap=0, starts=16).outcome.label == "solved"


def test_a_formula_that_says_one_thing_twice_is_refused():
    fit = kleiber.fit(ladder(0), law="E + F + A/params**alpha + B/tokens**beta", bootstrap=0, starts=16)
    assert fit.outcome.label == "unidentified"
    assert "E and F" in fit.outcome_detail
