"""Fluctuation analysis: closed form, noise of known exponent, another package's answers, coverage, invariance, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.diagnose.criticality import Crossover, Dfa, crossover, dfa, self_similarity, spectral_exponent
from kleiber.diagnose.criticality.fluctuation import fluctuations, profile, slope, usual_scales, window_squares
from kleiber.diagnose.criticality.noise import fractional_gaussian_noise, noise_with_exponent, power_law_noise
from kleiber.errors import InputError
from kleiber.finding import Finding

LENGTH = 2**17
SCALES = np.unique(np.rint(np.geomspace(16, LENGTH // 10, 30)).astype(int))


def expected_square(scale: int, order: int) -> float:
    """E F(s)^2 of white noise of unit variance, from the covariance min(i, j) of its profile and the fit's projection."""
    steps = np.arange(1, scale + 1)
    basis, _ = np.linalg.qr(np.vander(steps - steps.mean(), order + 1))
    left = np.eye(scale) - basis @ basis.T
    return float(np.trace(left @ np.minimum.outer(steps, steps)) / scale)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("scale", [8, 31, 100])
def test_white_noise_fluctuates_as_its_covariance_says(order: int, scale: int) -> None:
    found = fluctuations(np.random.default_rng(0).normal(size=LENGTH), [scale], order)[0] ** 2
    # A window's square scatters by about its size; windows are nearly independent.
    assert found == pytest.approx(expected_square(scale, order), rel=5 / np.sqrt(LENGTH / scale))


# Tolerances: four standard deviations of the estimate at this length and these scales, over 40 draws of each noise.
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    ("name", "exponent", "within"),
    [("white", 0.5, 0.03), ("pink", 1.0, 0.06), ("brown", 1.5, 0.09), ("H 0.7", 0.7, 0.05), ("H 0.3", 0.3, 0.02)],
)
def test_noise_of_known_exponent(name: str, exponent: float, within: float, order: int) -> None:
    rng = np.random.default_rng(4)
    beta = {"white": 0, "pink": 1, "brown": 2}
    series = (
        power_law_noise(LENGTH, beta[name], rng) if name in beta else fractional_gaussian_noise(LENGTH, exponent, rng)
    )
    assert slope(SCALES, fluctuations(series, SCALES, order)) == pytest.approx(exponent, abs=within)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("shape", ["walk", "drift", "white"])
def test_kernel_and_numpy_agree(order: int, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several of the kernel's blocks and past their ends, with short windows that it takes side by side."""
    white = np.random.default_rng(1).normal(size=70_003)
    series = {"walk": np.cumsum(white), "drift": white + 0.5 * np.arange(white.size), "white": white}[shape]
    scales = np.append(usual_scales(series.size), [17, 63, 64, 40_000, series.size])
    quick, _ = window_squares(profile(series), scales, order)
    monkeypatch.setenv("KLEIBER_KERNEL", "0")
    plain, _ = window_squares(profile(series), scales, order)
    assert np.allclose(quick, plain, rtol=1e-11 if shape == "white" else 1e-7, atol=0)


@pytest.mark.parametrize("order", [1, 2])
def test_fathon_gives_the_same_fluctuations(order: int) -> None:
    fathon = pytest.importorskip("fathon", reason="fathon is not installed: pip install fathon")
    from fathon import fathonUtils

    series = np.cumsum(np.random.default_rng(2).normal(size=30_000)) * 0.1
    scales, theirs = fathon.DFA(fathonUtils.toAggregated(series)).computeFlucVec(
        usual_scales(series.size), revSeg=False, polOrd=order
    )
    assert np.allclose(fluctuations(series, scales, order), theirs, rtol=1e-10, atol=0)


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3), seed=st.integers(0, 1000))
def test_units_do_not_change_the_exponent(factor: float, shift: float, seed: int) -> None:
    series = np.random.default_rng(seed).normal(size=600)
    scales = usual_scales(series.size)
    plain = slope(scales, fluctuations(series, scales))
    assert slope(scales, fluctuations(factor * (series + shift), scales)) == pytest.approx(plain, abs=1e-6)


def test_beta_is_twice_the_exponent_less_one() -> None:
    rng = np.random.default_rng(3)
    for exponent in (0.6, 0.9, 1.4):
        series = noise_with_exponent(2**15, exponent, rng)
        beta = spectral_exponent(series)
        assert beta.interval is not None
        assert beta.interval[0] - 0.05 < 2 * exponent - 1 < beta.interval[1] + 0.05


def test_what_linear_correlation_explains() -> None:
    found = dfa(fractional_gaussian_noise(2048, 0.8, np.random.default_rng(5)))
    assert isinstance(found, Dfa)
    assert found.finding.verdict == "found"
    assert "which linear correlation accounts for" in found.finding.evidence
    assert abs(found.phase_randomised.mean() - found.exponent) < 0.08
    assert abs(found.shuffled.mean() - 0.5) < 0.03


def test_a_crossover_is_placed() -> None:
    from scipy.signal import lfilter

    walk = np.asarray(lfilter([1.0], [1.0, -0.95], np.random.default_rng(6).normal(size=8192)))
    found = crossover(walk)
    assert isinstance(found, Crossover)
    assert found.p <= 0.02
    assert found.below > 1.1
    assert found.below - found.above > 0.5
    assert 20 < found.scale < 400


def test_ties_are_no_bursts() -> None:
    assert self_similarity(np.random.default_rng(0).integers(0, 3, 3000)).verdict == "ok"


@pytest.mark.parametrize("measure", [dfa, crossover, self_similarity, spectral_exponent])
def test_too_little_is_said(measure) -> None:
    for series in (np.ones(5000), np.random.default_rng(0).normal(size=100), []):
        found = measure(series)
        assert isinstance(found, Finding)
        assert found.verdict == "cannot tell"
        assert found.value is None
    with pytest.raises(InputError, match="nan at row 2"):
        measure([1.0, np.nan, *range(600)])


@pytest.mark.parametrize("series", [[0.0] * 5000 + [1.0], [0.0] * 4000 + [1.0, 2.0, 3.0] * 400])
def test_a_series_that_stands_still_gives_no_number(series: list[float]) -> None:
    found = dfa(series)
    finding = found if isinstance(found, Finding) else found.finding
    assert np.isfinite(finding.value if finding.value is not None else 0.0)


def test_scales_that_do_not_suit_are_named() -> None:
    with pytest.raises(InputError, match="2 to 40 samples"):
        dfa(np.random.default_rng(0).normal(size=600), scales=[2, 40])
    with pytest.raises(InputError, match="order 3"):
        dfa(np.random.default_rng(0).normal(size=600), order=3)


@pytest.mark.slow
@pytest.mark.parametrize(("exponent", "least"), [(0.5, 0.88), (0.8, 0.88), (1.5, 0.88)])
def test_coverage_of_the_interval(exponent: float, least: float) -> None:
    """Stretches of time know little of the longest scales: the 95 % interval holds the truth in 90 to 94 % of series."""
    held = 0
    for rng in np.random.default_rng(7).spawn(400):
        found = dfa(noise_with_exponent(4096, exponent, rng), surrogates=1, phases=False)
        assert isinstance(found, Dfa)
        held += found.interval[0] <= exponent <= found.interval[1]
    assert held / 400 >= least
