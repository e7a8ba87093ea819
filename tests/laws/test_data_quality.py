"""Quality and repetition: effective tokens in closed form, the authors' recursion, and a filter that depends on compute."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import InputError
from kleiber.fit.fitting import fit
from kleiber.laws import find
from kleiber.laws.filtering import GOYAL_POOLS, Pool, Tier, fill, pooled_error
from kleiber.runs import RunTable
from tests.laws.sparse_designs import quality

SIZE = 1.28e7
TOP = dict(find("filtering").coefficients("goyal-2024-top-10").values)


# Quality as a factor on tokens ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(share=st.floats(0.1, 1.0), tokens=st.floats(1e8, 1e12))
def test_lesser_text_counts_as_fewer_tokens_of_clean_text(share: float, tokens: float) -> None:
    """D tokens of quality Q have the loss of D Q^(gamma/beta) clean ones."""
    law = find("quality-tokens")
    values = law.coefficients("subramanyam-2025").values
    clean = tokens * share ** (values["gamma"] / values["beta"])
    lesser = float(law.evaluate(values, {"tokens": tokens, "quality": share}))
    assert float(law.evaluate(values, {"tokens": clean, "quality": 1.0})) == pytest.approx(lesser, rel=1e-12)


def test_a_tenth_of_spoilt_samples_costs_a_tenth_of_the_tokens() -> None:
    """The published gamma and beta are nearly equal, so tokens count by their quality: .9 is worth .899."""
    values = find("quality-tokens").coefficients("subramanyam-2025").values
    assert 0.9 ** (values["gamma"] / values["beta"]) == pytest.approx(0.899, abs=5e-4)


def test_isolated_effect_of_quality() -> None:
    """Equation 4 of the source: L(Q) - L(1) = B D^-beta (Q^-gamma - 1)."""
    law = find("quality-tokens")
    values = law.coefficients("subramanyam-2025").values
    half, clean = (float(law.evaluate(values, {"tokens": 1e9, "quality": q})) for q in (0.5, 1.0))
    assert half - clean == pytest.approx(1441.51 / 1e9**0.3959 * (0.5**-0.4007 - 1), rel=1e-9)


def test_clean_text_of_any_size_is_chinchilla() -> None:
    base = find("chinchilla").coefficients("muennighoff-2023").values
    inputs = {"params": np.geomspace(1e7, 1e10, 5), "tokens": np.geomspace(1e9, 1e12, 5)}
    clean = find("quality").evaluate(dict(base) | {"gamma": 0.4}, {**inputs, "quality": np.ones(5)})
    assert clean == pytest.approx(find("chinchilla").evaluate(base, inputs), rel=1e-13)


def test_planted_quality_comes_back() -> None:
    design = quality()
    law = find("quality")
    noise = np.random.default_rng(3).normal(scale=design.noise, size=len(design.inputs["params"]))
    runs = RunTable.of({**design.inputs, "loss": law.evaluate(design.theta, design.inputs) * np.exp(noise)})
    found = fit(runs, law, bootstrap=0, seed=0, starts=16)
    errors = dict(zip(law.names, found.theta_P - law.theta(design.theta), strict=True))
    assert abs(errors["gamma"]) < 0.03
    assert abs(errors["E"]) < 0.03
    assert abs(errors["beta"]) < 0.03


# Repetition with a half-life -----------------------------------------------------------------------------------------


def effective_by_readings(tokens: float, unique: float, half_life: float) -> float:
    """Reading by reading, the last one in part: what the closed form sums."""
    whole = int(tokens // unique)
    worth = sum(unique * 0.5 ** (k / half_life) for k in range(whole))
    return worth + (tokens - whole * unique) * 0.5 ** (whole / half_life)


@pytest.mark.parametrize("readings", [1, 2, 5, 10, 40])
def test_filtering_is_the_sum_over_readings(readings: int) -> None:
    error = float(find("filtering").evaluate(TOP, {"tokens": readings * SIZE, "unique_tokens": SIZE}))
    worth = effective_by_readings(readings * SIZE, SIZE, TOP["half_life"])
    assert error == pytest.approx(0.1 + (0.022 * worth / 1e5) ** -0.182273, rel=1e-12)


@pytest.mark.parametrize("readings", [1.5, 2.5, 5.47])
def test_filtering_between_readings_is_near_the_straight_lines(readings: float) -> None:
    error = float(find("filtering").evaluate(TOP, {"tokens": readings * SIZE, "unique_tokens": SIZE}))
    worth = effective_by_readings(readings * SIZE, SIZE, TOP["half_life"])
    assert error == pytest.approx(0.1 + (0.022 * worth / 1e5) ** -0.182273, rel=3e-3)


def test_fresh_samples_all_count() -> None:
    law = find("filtering")
    fresh = law.evaluate(TOP, {"tokens": np.array([1e6, 1e7]), "unique_tokens": np.array([1e9, 1e9])})
    assert fresh == pytest.approx(0.1 + (0.022 * np.array([1e6, 1e7]) / 1e5) ** -0.182273, rel=1e-12)


# Pools: the power itself decays --------------------------------------------------------------------------------------


def test_pooled_error_of_one_reading_is_a_power_law() -> None:
    assert pooled_error([Pool(power=-0.2, half_life=3.0)], 5e6) == pytest.approx(0.1 + (0.025 * 50) ** -0.2, rel=1e-12)


def test_pooled_error_of_an_endless_half_life_is_one_power_law() -> None:
    lasting = Pool(power=-0.15, half_life=1e12)
    for samples in (SIZE, 3.3 * SIZE, 20 * SIZE):
        assert pooled_error([lasting], samples) == pytest.approx(0.1 + (0.025 * samples / 1e5) ** -0.15, rel=1e-9)


def test_equation_3_written_out_for_three_readings() -> None:
    first, second, third = (-0.16 * 0.5 ** (k / 6.727273) for k in range(3))
    by_hand = 0.1 + (0.025 * 128) ** first * 2**second * 1.5**third
    assert pooled_error(GOYAL_POOLS[:1], 3 * SIZE) == pytest.approx(by_hand, rel=1e-12)


def test_pools_that_are_alike_are_one_larger_pool() -> None:
    """Theorem 1's half-lives: p equal pools read as often lose as much per reading as one of them, p times longer each."""
    two = pooled_error([Pool(power=-0.16, half_life=2.0)] * 2, 6 * SIZE)
    one = pooled_error([Pool(power=-0.16, half_life=4.0)], 6 * SIZE, pool_size=2 * SIZE)
    assert two == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize(("samples", "best"), [(3.2e7, 1), (6.4e7, 1), (1.28e8, 2), (6.4e8, 2)])
def test_the_best_share_to_keep_grows_with_compute(samples: float, best: int) -> None:
    """From the released values of the four tenths; at 640M samples the best tenth alone has become the worst choice."""
    errors = [pooled_error(GOYAL_POOLS[:kept], samples) for kept in (1, 2, 3, 4)]
    assert int(np.argmin(errors)) + 1 == best
    if samples == 6.4e8:
        assert int(np.argmax(errors)) == 0


def test_no_pool_and_no_samples_are_refused() -> None:
    for pools, samples in (([], 1e7), (GOYAL_POOLS, 0.0), (GOYAL_POOLS, float("nan"))):
        with pytest.raises(InputError):
            pooled_error(pools, samples)


# Tiers for a plan ----------------------------------------------------------------------------------------------------

GOOD = Tier(unique_tokens=1e9, worth=1.0, half_life=2.0)
REST = Tier(unique_tokens=5e9, worth=0.6, half_life=2.0)


def test_good_text_is_read_until_fresh_lesser_text_is_worth_more() -> None:
    """Readings of the good tier are worth 1, .707, .5; the rest is worth .6 at first: so it is read twice, then the rest."""
    assert fill([GOOD, REST], 1e9).tokens == (1e9, 0.0)
    assert fill([GOOD, REST], 2e9).tokens == (2e9, 0.0)
    found = fill([GOOD, REST], 7e9)
    assert found.tokens == (2e9, 5e9)
    assert found.effective_tokens == pytest.approx(1e9 * (1 + 0.5**0.5) + 0.6 * 5e9, rel=1e-12)
    assert found.last_worth == 0.6


@given(
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    worths=st.lists(st.floats(0.2, 1.5), min_size=3, max_size=3),
    half_lives=st.lists(st.floats(0.5, 8.0), min_size=3, max_size=3),
    tokens=st.integers(1, 12),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_no_other_reading_is_worth_more(
    sizes: list[int], worths: list[float], half_lives: list[float], tokens: int
) -> None:
    """Against every split of the tokens into whole units among the tiers."""
    tiers = [
        Tier(unique_tokens=float(size), worth=worth, half_life=half)
        for size, worth, half in zip(sizes, worths, half_lives, strict=False)
    ]
    found = fill(tiers, float(tokens))
    splits = (split for split in itertools.product(range(tokens + 1), repeat=len(tiers)) if sum(split) == tokens)
    best = max(
        sum(
            tier.worth * effective_by_readings(float(part), tier.unique_tokens, tier.half_life)
            for tier, part in zip(tiers, split, strict=True)
        )
        for split in splits
    )
    assert found.effective_tokens == pytest.approx(best, rel=1e-12)
    assert sum(found.tokens) == pytest.approx(tokens)


def test_text_that_never_wears_out_counts_in_full() -> None:
    assert fill([Tier(unique_tokens=1e9)], 7.5e9).effective_tokens == pytest.approx(7.5e9)


@pytest.mark.parametrize("wrong", [{"unique_tokens": 0.0}, {"worth": -1.0}, {"half_life": float("nan")}])
def test_a_tier_of_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Tier(**({"unique_tokens": 1e9} | wrong))


def test_nothing_to_read_and_endless_reading_are_refused() -> None:
    with pytest.raises(InputError, match="nothing to read"):
        fill([], 1e9)
    with pytest.raises(InputError, match="too many readings"):
        fill([GOOD], 1e15)
