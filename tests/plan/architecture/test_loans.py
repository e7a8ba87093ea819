"""Which law speaks for which family: loans and their caveats, fits of a family's own, laws weighed by their back-test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kleiber.cost.families import options
from kleiber.errors import ConventionError, InputError
from kleiber.fit import Fit, fit
from kleiber.plan.architecture import brief, plan_life
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.weights import shares, weighted
from kleiber.runs import RunTable
from tests.plan.clouds import UNROUNDED, cloud

ASKED: dict[str, Any] = {"families": "dense,ssm", "flops": 1e23, "serve_tokens": "1e12", "hardware": "h200"}
DRAWS = 40


def with_conventions(found: Fit, **conventions: str) -> Fit:
    return replace(found, runs=replace(found.runs, conventions=conventions))


def test_a_familys_own_fit_ends_the_loan() -> None:
    own = cloud({**UNROUNDED, "E": 1.7}, draws=DRAWS, seed=5)
    lent = plan_life(cloud(UNROUNDED, draws=DRAWS), **ASKED)
    known = plan_life(cloud(UNROUNDED, draws=DRAWS), family_fits={"ssm": own}, **ASKED)
    assert any(caveat.startswith("ssm:") for caveat in lent.caveats)
    assert not any(caveat.startswith("ssm:") for caveat in known.caveats)
    assert known.family == "ssm", "a floor lower by a tenth of a nat wins"


def test_the_loss_of_a_family_is_that_of_its_own_fit() -> None:
    own = cloud({**UNROUNDED, "E": 1.7, "alpha": 0.3}, draws=DRAWS, seed=5)
    option = options(("ssm",), vocabulary=32_768)[0]
    known = quality(option, Laws(fits=(cloud(UNROUNDED, draws=DRAWS),), own={"ssm": own}), brief(**ASKED), _generator())
    params, tokens = np.array([1e9, 7e10]), np.array([2e10, 1e12])
    expected = own.law.evaluate(np.vstack([own.theta_P, own.draws_BP]), {"params": params, "tokens": tokens})
    np.testing.assert_allclose(known.loss(params, tokens), expected, rtol=1e-12)


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", ["loss", "params", "tokenizer"])
def test_fits_that_measure_differently_are_refused(name: str) -> None:
    words = {"loss": ("nats_per_token", "bits_per_byte"), "params": ("total", "non_embedding"), "tokenizer": ("a", "b")}
    mine, theirs = (with_conventions(cloud(UNROUNDED), **{name: word}) for word in words[name])
    with pytest.raises(ConventionError, match=name):
        plan_life(mine, family_fits={"ssm": theirs}, **ASKED)


def test_a_loan_shrinks_with_the_unit_of_the_loss() -> None:
    """Per byte a token's difference is divided by its 4.0 bytes; the plan of a dense model alone borrows nothing."""
    option = options(("hybrid",), vocabulary=32_768)[0]
    per_token, per_byte, bits = (
        quality(
            option, Laws(fits=(with_conventions(cloud(UNROUNDED), loss=unit),)), brief(**ASKED), _generator()
        ).offset_K[0]
        for unit in ("nats_per_token", "nats_per_byte", "bits_per_byte")
    )
    assert per_token == pytest.approx(-0.0256, abs=1e-4)
    assert per_byte == pytest.approx(per_token / 4.0)
    assert bits == pytest.approx(per_token / 4.0 / np.log(2))


def test_one_draw_is_one_truth_for_every_family() -> None:
    """What two families differ by in a draw is their loan, whatever the number of laws that share the draws."""
    fits = (cloud(UNROUNDED, draws=DRAWS), cloud({**UNROUNDED, "A": 430.0}, draws=DRAWS, seed=9))
    laws = Laws(fits=fits, shares=(0.7, 0.3))
    dense, ssm = (
        quality(options((family,), vocabulary=32_768)[-1], laws, brief(**ASKED), np.random.default_rng(place))
        for place, family in enumerate(("dense", "ssm"))
    )
    params, tokens = np.array([1e9]), np.array([1e11])
    apart = (ssm.loss(params, tokens) - dense.loss(params, tokens))[:, 0]
    np.testing.assert_allclose(apart, ssm.offset_K, rtol=1e-9, atol=1e-12)


def test_the_draws_are_split_by_the_shares() -> None:
    one, other = cloud(UNROUNDED, draws=DRAWS), cloud({**UNROUNDED, "E": 0.5}, draws=DRAWS, seed=9)
    option = options(("dense",), vocabulary=32_768)[-1]
    found = quality(option, Laws(fits=(one, other), shares=(0.75, 0.25)), brief(**ASKED), _generator())
    loss = found.loss(np.array([1e12]), np.array([1e15]))[:, 0]
    assert len(loss) == DRAWS + 1
    assert np.sum(loss[1:] < 1.2) == DRAWS / 4
    assert loss[0] == pytest.approx(0.75 * _at(one) + 0.25 * _at(other))


def _at(found: Fit) -> float:
    return float(found.law.evaluate(found.theta_P, {"params": 1e12, "tokens": 1e15}))


def ladder(seed: int = 0, coupling: float = 1.0) -> RunTable:
    """Runs of a law; where its terms are coupled, chinchilla's form is wrong and another right."""
    rng = np.random.default_rng(seed)
    params, ratio = (part.ravel() for part in np.meshgrid(np.geomspace(4e7, 6e9, 8), np.array([4.0, 10, 25, 60, 150])))
    tokens = params * ratio
    clean = 1.8 + (400 / params**0.35 + 2000 / tokens**0.37) ** coupling
    return RunTable.of(
        {"params": params, "tokens": tokens, "loss": clean * np.exp(0.001 * rng.normal(size=params.size))}
    )


@pytest.fixture(scope="module")
def laws_of_the_same_runs() -> tuple[Fit, Fit]:
    """The true law of a ladder, and one that misses its floor."""
    table = ladder()
    return tuple(fit(table, law=law, bootstrap=30) for law in ("chinchilla", "A/params**alpha + B/tokens**beta"))  # type: ignore[return-value]


def test_the_law_that_forecasts_better_weighs_more(laws_of_the_same_runs: tuple[Fit, Fit]) -> None:
    found = weighted(laws_of_the_same_runs)
    assert sum(found) == pytest.approx(1.0)
    assert found[0] > 0.9
    assert weighted(laws_of_the_same_runs[::-1])[1] == pytest.approx(found[0])
    assert weighted(laws_of_the_same_runs[:1]) == (1.0,)


def test_a_plan_of_two_laws_lies_between_their_own(laws_of_the_same_runs: tuple[Fit, Fit]) -> None:
    first, second = laws_of_the_same_runs
    asked: dict[str, Any] = {"families": "dense", "flops": 1e23}
    alone = [plan_life(each, **asked).loss.value for each in (first, second)]
    both = plan_life(first, also=(second,), **asked)
    assert min(alone) - 1e-3 <= both.loss.value <= max(alone) + 1e-3
    assert both.snapping is None, "two laws make no one program"


def test_laws_of_different_runs_are_not_weighed() -> None:
    first, second = (fit(ladder(seed), bootstrap=0) for seed in (0, 1))
    with pytest.raises(InputError, match="same runs"):
        weighted((first, second))


def test_shares_go_by_squared_errors() -> None:
    assert shares([0.01, 0.02, 0.02]) == pytest.approx((4 / 6, 1 / 6, 1 / 6))
