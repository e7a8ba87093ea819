"""Kumar's factors, the meeting of the law with its full-precision form, and where more tokens begin to harm."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.laws import find
from kleiber.laws.precision import PRECISION, QUANTISATION, effective_share, tokens_before_harm

TRAINING = PRECISION.coefficients("kumar-2024").values
ROUNDING = QUANTISATION.coefficients("kumar-2024").values


@pytest.mark.parametrize(("bits", "share"), [(2, 0.527), (4, 0.776), (8, 0.950), (16, 0.997)])
def test_weights_in_few_bits_keep_this_share(bits: int, share: float) -> None:
    """1 - e^(-bits/2.6745), to three digits; activations and cache at no limit."""
    assert effective_share(TRAINING, bits, activations=1e9, cache=1e9) == pytest.approx(share, abs=5e-4)


def test_all_in_eight_bits_keep_the_product() -> None:
    assert effective_share(TRAINING, 8, 8, 8) == pytest.approx(0.924, abs=5e-4)


def test_the_law_sees_effective_params() -> None:
    plain = find("chinchilla")
    share = effective_share(TRAINING, 4, 6, 3)
    at = {"params": 2e8, "tokens": 1e10}
    few = PRECISION.evaluate(TRAINING, {**at, "bits": 4, "activation_bits": 6, "cache_bits": 3})
    values = plain.coefficients("kumar-2024").values
    assert float(few) == pytest.approx(float(plain.evaluate(values, {**at, "params": share * 2e8})), rel=1e-12)
    many = PRECISION.evaluate(TRAINING, {**at, "bits": 500, "activation_bits": 500, "cache_bits": 500})
    assert float(many) == pytest.approx(float(plain.evaluate(values, at)), rel=1e-12)


def test_the_penalty_falls_by_e_every_gamma_bits_and_grows_with_tokens() -> None:
    at = {"params": 2e8, "tokens": 1e10}
    four, more = (float(QUANTISATION.evaluate(ROUNDING, {**at, "bits": bits})) for bits in (4.0, 4.0 + 0.5907))
    assert four / more == pytest.approx(np.e, rel=1e-9)
    longer = float(QUANTISATION.evaluate(ROUNDING, {**at, "tokens": 4e10, "bits": 4.0}))
    assert longer / four == pytest.approx(4**0.5068, rel=1e-9)


@pytest.mark.parametrize("bits", [3.0, 4.0, 5.0])
@pytest.mark.parametrize("params", [3e7, 2e8, 1.7e9])
def test_the_rounded_loss_is_least_where_the_closed_form_says(params: float, bits: float) -> None:
    tokens_R = tokens_before_harm(TRAINING, ROUNDING, params, bits) * np.geomspace(0.01, 100, 40001)
    full = find("chinchilla").evaluate(
        {name: TRAINING[name] for name in ("E", "A", "B", "alpha", "beta")}, {"params": params, "tokens": tokens_R}
    )
    rounded = full + QUANTISATION.evaluate(ROUNDING, {"params": params, "tokens": tokens_R, "bits": bits})
    assert abs(int(rounded.argmin()) - 20000) <= 1
