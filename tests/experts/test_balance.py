"""Balance beside its noise floor: quiet on a uniform router, loud on a planted hot expert."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.experts.balance import balance_of, drift_between, noise_floor, statistics
from kleiber.experts.trace import RoutingTrace


def uniform(tokens: int, seed: int, *, experts: int = 64, layers: int = 20, steps: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(tokens, np.full(experts, 1 / experts), size=(steps, layers))


def test_the_floor_of_a_uniform_router() -> None:
    """research/moe.md, section 3: 32 devices, 32,768 assignments .94; 4.2M .994."""
    assert noise_floor(np.array([32_768.0]), np.eye(32), np.ones(1))[0][0, 1] == pytest.approx(0.94, abs=0.005)
    assert noise_floor(np.array([4.2e6]), np.eye(32), np.ones(1))[0][0, 1] == pytest.approx(0.994, abs=0.001)


@pytest.mark.parametrize("seed", range(4))
def test_a_uniform_router_has_nothing_to_repair(seed: int) -> None:
    assert statistics(RoutingTrace.from_counts(uniform(20_000, seed))).within_noise is True


def test_a_hot_expert_is_seen() -> None:
    count_SLE = uniform(20_000, 0)
    count_SLE[:, :, 3] += 200
    found = statistics(RoutingTrace.from_counts(count_SLE))
    assert found.within_noise is False
    assert found.to_json()["balance"]["experts"]["layers_beyond_noise"] == 20


def test_measures_by_hand() -> None:
    found = balance_of("devices", np.array([[1.0, 2, 3, 6]]), np.array([0, 0, 1, 1]))
    assert found.violation_L[0] == pytest.approx(0.5)
    assert found.balancedness_L[0] == pytest.approx(6 / 9)
    assert found.idle_L[0] == pytest.approx(1 / 3)
    assert found.variation_L[0] == pytest.approx(0.5)
    assert balance_of("experts", np.zeros((1, 4)), np.arange(4)).balancedness_L[0] == 1
    assert balance_of("experts", np.array([[0.5, 1.25]]), np.arange(2)).floor_L3 is None


def test_drift_of_noise_is_what_noise_shows() -> None:
    """The closed form against the mean over fresh pairs of windows."""
    found = [drift_between(uniform(50_000, 2 * seed)[0], uniform(50_000, 2 * seed + 1)[0]) for seed in range(8)]
    seen, expected = np.mean(found, axis=0)
    assert seen == pytest.approx(expected, rel=0.03)


def test_chosen_together() -> None:
    """Experts 0 and 1 always go together, the others by chance."""
    rng = np.random.default_rng(0)
    pairs = np.stack([rng.permutation(np.arange(2, 8))[:2] for _ in range(600)])
    pairs[:200] = [0, 1]
    found = statistics(RoutingTrace.from_choices(pairs[None, None], experts=8)).pairs
    assert found[0][1:3] == (0, 1)
    assert found[0][3] == pytest.approx(3.0)
