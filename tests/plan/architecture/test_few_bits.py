"""Serving in few bits: rounding costs more the longer a model was trained, so that there is a point to stop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kleiber.cost.families import options
from kleiber.laws.precision import QUANTISATION
from kleiber.plan.architecture import brief, plan_life
from kleiber.plan.architecture.loans import Laws, quality
from tests.plan.clouds import UNROUNDED, cloud

FIT = cloud(UNROUNDED, draws=20)
LITTLE: dict[str, Any] = {
    "families": "dense", "hardware": "b200", "max_memory_gb": 5, "max_ttft_ms": 2, "context": 2048, "precision": "int4",
}  # fmt: skip


def test_training_stops_where_the_next_token_harms_as_much_as_it_helps() -> None:
    """B beta / D^beta = C gamma_D e^(-bits / gamma) D^gamma_D / N^gamma_N, by the equations of both laws."""
    wish = brief(flops=1e24, **LITTLE)
    known = quality(options(("dense",), vocabulary=32_768)[-1], Laws(fits=(FIT,)), wish, np.random.default_rng(0))
    params = np.array([1e9, 3e10])
    found = QUANTISATION.coefficients("kumar-2024").values
    level = found["C"] * np.exp(-4 / found["gamma_post"]) / params ** found["gamma_N"]
    expected = (UNROUNDED["B"] * UNROUNDED["beta"] / (level * found["gamma_D"])) ** (
        1 / (UNROUNDED["beta"] + found["gamma_D"])
    )
    np.testing.assert_allclose(known.enough(params), expected, rtol=1e-5)


def test_ten_times_the_budget_is_never_worse() -> None:
    """Where memory and latency bound the size, more tokens would harm: they are left unread."""
    found = [plan_life(FIT, flops=flops, **LITTLE) for flops in (1e23, 1e24, 1e25)]
    losses = [plan.loss.value for plan in found]
    assert losses == sorted(losses, reverse=True)
    assert found[-1].tokens.value == pytest.approx(found[-2].tokens.value)


def test_the_certificate_agrees_that_training_stops() -> None:
    """The program is free to leave compute unused; whole layers and heads cost less than a thousandth of a nat."""
    found = plan_life(FIT, flops=1e25, **LITTLE)
    assert found.snapping is not None
    assert 0 <= found.snapping < 1e-3
    assert found.best.costs.training["flops"] < 0.5e25
    flops = next(constraint for constraint in found.constraints if constraint.name == "flops")
    assert not flops.binding
    assert found.best.binding == "rounding"


def test_bits_as_trained_cost_nothing() -> None:
    wish = brief(flops=1e24, **{**LITTLE, "precision": "bf16"})
    known = quality(options(("dense",), vocabulary=32_768)[-1], Laws(fits=(FIT,)), wish, np.random.default_rng(0))
    assert np.all(np.isinf(known.enough(np.array([1e9]))))
