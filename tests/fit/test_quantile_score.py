"""The quantile score against the closed forms of a Gaussian and a uniform."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.fit.quantile_score import LEVELS, crps, place

NORMAL = NormalDist()


def gaussian_crps(y: float, mean: float, sd: float) -> float:
    """Gneiting and Raftery 2007, eq. 21."""
    z = (y - mean) / sd
    return sd * (z * (2 * NORMAL.cdf(z) - 1) + 2 * NORMAL.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize("z", [-4.0, -1.3, -0.2, 0.0, 0.5, 1.0, 2.5])
def test_crps_of_a_gaussian(z: float) -> None:
    quantiles = [1.9 + 0.02 * NORMAL.inv_cdf(level) for level in LEVELS]
    found = crps(quantiles, 1.9 + 0.02 * z)
    assert found == pytest.approx(gaussian_crps(1.9 + 0.02 * z, 1.9, 0.02), rel=0.01)
    fine = (np.arange(4000) + 0.5) / 4000
    many = [NORMAL.inv_cdf(level) for level in fine]
    assert crps(many, z, fine) == pytest.approx(gaussian_crps(z, 0.0, 1.0), rel=2e-4)


def test_crps_of_a_uniform_is_exact() -> None:
    """(x - F) integrated over [0, 1]: y^3/3 + (1 - y)^3/3, the straight line through the quantiles being F itself."""
    levels = np.linspace(0.0, 1.0, 5)
    for y in (0.0, 0.1, 0.5, 0.83, 1.0):
        assert crps(levels, y, levels) == pytest.approx((y**3 + (1 - y) ** 3) / 3, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(0.5, 4.0), min_size=21, max_size=21), y=st.floats(0.1, 6.0), scale=st.floats(0.1, 10.0)
)
def test_crps_scales_with_the_unit(values: list[float], y: float, scale: float) -> None:
    quantiles = np.sort(values)
    found = crps(quantiles, y)
    assert found >= 0
    assert crps(scale * quantiles, scale * y) == pytest.approx(scale * found, rel=1e-9, abs=1e-12)
    assert 0 < place(quantiles, y) < 1


def test_place_is_the_distribution_function() -> None:
    quantiles = [NORMAL.inv_cdf(level) for level in LEVELS]
    for z in (-1.9, -0.7, 0.0, 0.4, 1.8):
        assert place(quantiles, z) == pytest.approx(NORMAL.cdf(z), abs=0.004)
    assert place(quantiles, -9.0) == pytest.approx(0.0125)
    assert place([1.0] * 21, 1.0) == pytest.approx(0.5)
