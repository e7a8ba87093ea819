"""Data that repeats: the published worth of epochs, and its inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.plan.architecture import plan_life
from kleiber.plan.architecture.supply import Supply, Tier, seen, worth
from tests.plan.clouds import UNROUNDED, cloud

# Muennighoff et al. 2023, equation 5. The digits lie between those of the printed R_D of 15.39 and of the notebook's 15.387756,
# which end on 15.1691 and 15.1675: they are met to 6e-4.
EPOCHS = {1: 1.0, 2: 1.968, 4: 3.726, 7: 5.969, 16: 10.583, 40: 15.168}


@pytest.mark.parametrize(("epochs", "expected"), EPOCHS.items())
def test_epochs_are_worth_what_muennighoff_found(epochs: int, expected: float) -> None:
    assert float(worth(np.array(3e9 * epochs), 3e9)) / 3e9 == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(("epochs", "expected"), EPOCHS.items())
def test_what_is_worth_so_much_was_seen_so_often(epochs: int, expected: float) -> None:
    exact = float(worth(np.array(float(epochs)), 1.0))
    assert float(seen(np.array(exact), 1.0)) == pytest.approx(epochs, rel=1e-12)
    slope = np.exp(-(epochs - 1) / 15.387756)
    assert float(seen(np.array(expected), 1.0)) == pytest.approx(epochs, abs=1.2e-3 / slope)


@given(st.floats(1e-3, 300.0), st.floats(1e6, 1e14))
def test_seen_undoes_worth(epochs: float, unique: float) -> None:
    tokens = np.array(epochs * unique)
    # Where repeats are worth next to nothing the inverse keeps fewer digits.
    digits = 1e-14 * np.exp(min(epochs, 300) / 15.387756)
    assert float(seen(worth(tokens, unique), unique)) == pytest.approx(float(tokens), rel=max(1e-11, digits))


def test_no_number_of_repeats_is_worth_more_than_all_they_can_be() -> None:
    most = 1 + 15.387756
    assert float(worth(np.array(np.inf), 1.0)) == pytest.approx(most)
    assert np.isinf(float(seen(np.array(most * 1.001), 1.0)))


@given(st.floats(0.01, 60.0))
def test_two_tiers_of_equal_text_are_one(epochs: float) -> None:
    one, two = Supply((Tier(unique_tokens=3e11),)), Supply((Tier(unique_tokens=1e11), Tier(unique_tokens=2e11)))
    tokens = np.array(epochs * 3e11)
    assert float(two.worth(tokens)) == pytest.approx(float(one.worth(tokens)), rel=3e-5)  # the steps of the table


def test_lesser_text_is_read_once_good_text_has_been_repeated_to_its_worth() -> None:
    """A token of the best text at its r-th repeat is worth exp(-r/R): at 0.6 after 15.39 ln(1/0.6) = 7.86 repeats."""
    tiers = Supply.of("1e11:1,1e12:0.6")
    turn = 1e11 * (1 + 15.387756 * np.log(1 / 0.6))
    alone = Supply.of("1e11").worth(np.array(turn))
    assert float(tiers.worth(np.array(turn))) == pytest.approx(float(alone), rel=1e-4)
    assert float(tiers.worth(np.array(turn + 5e11))) == pytest.approx(float(alone) + 0.6 * 5e11, rel=1e-4)


def test_scarce_data_makes_models_larger_and_losses_higher() -> None:
    found = [
        plan_life(cloud(UNROUNDED), families="dense", flops=1e24, unique_tokens=unique)
        for unique in ("100T", "500B", "100B")
    ]
    losses, sizes = [plan.loss.value for plan in found], [plan.params.value for plan in found]
    assert losses == sorted(losses)
    assert sizes == sorted(sizes)
    assert found[0].loss.value == plan_life(cloud(UNROUNDED), families="dense", flops=1e24).loss.value
