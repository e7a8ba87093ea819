"""Tails: the powerlaw package's own samples and answers, recovery, draws, rivals by quadrature, bad input."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate
from scipy.special import zeta

from kleiber.diagnose.criticality import PowerLaw, power_law
from kleiber.diagnose.criticality.rivals import CUT_OFF, RIVALS, contest, density, lognormal
from kleiber.diagnose.criticality.rivals import power_law as power_law_likelihoods
from kleiber.diagnose.criticality.sample import sample_of
from kleiber.diagnose.criticality.tails import draw_power_law
from kleiber.diagnose.criticality.xmin import LEAST_TAIL, _exponents, _gap, find_start, start_at
from kleiber.errors import InputError
from kleiber.finding import Finding

# Made with powerlaw 2.0.0: alpha, xmin, distance, samples in the tail, Vuong's statistic against a lognormal and its p.
# Terrorism and words as integers with estimate_discrete=False, the others as continuous; three of them in thousands.
PUBLISHED = {
    "words": (True, 1, 1.952728, 7.0, 0.008257, 2958, None),
    "blackouts": (False, 1e3, 2.272637, 230.0, 0.060674, 59, (-0.415719, 0.677616)),
    "terrorism": (True, 1, 2.36996, 12.0, 0.01769, 547, (-0.278, 0.781)),
    "cities": (False, 1e3, 2.369952, 52.457, 0.018848, 580, (-0.091459, 0.927128)),
    "flares": (False, 1, 1.788407, 323.0, 0.008293, 1711, (-0.803846, 0.421486)),
    "fires": (False, 1, 2.163629, 6324.0, 0.035698, 521, (-1.783, 0.075)),
    "surnames": (False, 1e3, 2.200416, 14.9226, 0.031141, 2280, None),
}


def shipped(name: str) -> np.ndarray:
    """One of the samples that the powerlaw package ships."""
    found = importlib.util.find_spec("powerlaw")
    if found is None or found.origin is None:
        pytest.skip("powerlaw, which ships this sample, is not installed: pip install powerlaw")
    values = np.genfromtxt(Path(found.origin).parent / "reference_data" / f"{name}.txt") / PUBLISHED[name][1]
    return values[values > 0]


@pytest.mark.parametrize("name", PUBLISHED)
def test_shipped_samples(name: str) -> None:
    discrete, _, alpha, xmin, distance, tail, vuong = PUBLISHED[name]
    sample = sample_of(shipped(name), discrete=discrete)
    start = find_start(sample)
    assert start.xmin == pytest.approx(xmin, rel=1e-4)
    assert start.alpha == pytest.approx(alpha, rel=1e-4)
    assert start.distance == pytest.approx(distance, abs=1e-4)
    assert start.tail == tail
    against = contest("lognormal", sample.beyond(start.xmin), start.xmin, start.alpha)
    assert against.p > 0.05
    if vuong is not None:
        assert against.ratio == pytest.approx(vuong[0], abs=1e-3)
        assert against.p == pytest.approx(vuong[1], abs=1e-3)


@pytest.mark.parametrize("name", ["words", "surnames"])
def test_where_the_answers_differ_our_lognormal_is_the_likelier(name: str) -> None:
    """There the likelihood rises as the lognormal turns into the power law, and the package stops on the way."""
    powerlaw = pytest.importorskip("powerlaw")
    discrete, _, alpha, xmin, *_ = PUBLISHED[name]
    values = shipped(name)
    tail = sample_of(values, discrete=discrete).beyond(xmin)
    theirs = powerlaw.Lognormal(xmin=xmin, discrete=discrete, data=values, verbose=0)
    own_T, _ = lognormal(tail, xmin, alpha)
    assert tail.counts_U @ own_T >= theirs.loglikelihoods(values).sum() - 1e-6


def test_the_quick_search_is_the_full_one() -> None:
    for seed, discrete in ((0, False), (1, True), (2, False)):
        values = np.random.default_rng(seed).lognormal(2, 1.2, size=800)
        sample = sample_of(np.ceil(values) if discrete else values)
        ends = np.cumsum(sample.counts_U[::-1])[::-1]
        alphas = _exponents(sample, ends)
        tails = np.flatnonzero(ends[:-1] >= LEAST_TAIL)
        full = [np.abs(_gap(sample, ends, alphas, int(place), slice(place, None))).max() for place in tails]
        start = find_start(sample)
        assert start.distance == pytest.approx(min(full), abs=1e-15)
        assert start.xmin == sample.values_U[tails[int(np.argmin(full))]]


@pytest.mark.parametrize(("discrete", "xmin"), [(False, 2.5), (True, 3.0)])
def test_a_planted_exponent_is_covered(discrete: bool, xmin: float) -> None:
    held, times = 0, 200
    for rng in np.random.default_rng(8).spawn(times):
        start = start_at(sample_of(draw_power_law(500, xmin, 2.3, discrete, rng), discrete=discrete), xmin)
        held += abs(start.alpha - 2.3) <= 1.96 * start.alpha_error
    assert 0.90 <= held / times <= 0.99


def test_discrete_draws_have_their_probabilities() -> None:
    draws = draw_power_law(200_000, 2.0, 2.2, True, np.random.default_rng(9))
    for value in (2, 3, 10, 100, 30_000):
        expected = zeta(2.2, value) / zeta(2.2, 2)
        assert np.mean(draws >= value) == pytest.approx(expected, abs=4.5 * np.sqrt(expected / draws.size) + 1e-9)


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("discrete", [False, True])
def test_rivals_are_probabilities(name: str, discrete: bool) -> None:
    """Each sums or integrates to one over the tail; so does the power law."""
    rng = np.random.default_rng(10)
    values = np.exp(rng.normal(1.5, 0.8, size=3000))
    values = np.ceil(values) if discrete else values
    tail = sample_of(values, discrete=discrete).beyond(3.0)
    likelihoods, parameters = RIVALS[name](tail, 3.0, 2.5)
    at = tail.values_U[0], tail.values_U[5]
    ratio = likelihoods[5] - likelihoods[0]
    if discrete:
        support = np.arange(3.0, 10_000.0)
        everywhere = sample_of(support, discrete=True)
        # The whole support beside the tail, weighted so lightly that it does not move the fit.
        light = type(tail)(
            values_U=support,
            counts_U=1e-12 + np.isin(support, tail.values_U) * np.interp(support, tail.values_U, tail.counts_U),
            discrete=True,
        )
        assert everywhere.size == support.size
        whole, _ = RIVALS[name](light, 3.0, 2.5)
        assert np.exp(whole).sum() == pytest.approx(1, abs=1e-3)
        return
    heights = density(name, np.array(at), 3.0, 2.5, parameters)
    assert np.log(heights[1] / heights[0]) == pytest.approx(ratio, abs=1e-8)

    def height(log: float) -> float:
        return float(np.exp(log) * density(name, np.array([np.exp(log)]), 3.0, 2.5, parameters)[0])

    mass, _ = integrate.quad(height, np.log(3), np.log(1e6), limit=400)
    first = density(name, np.array([at[0]]), 3.0, 2.5, parameters)[0]
    assert likelihoods[0] == pytest.approx(np.log(first / mass), abs=1e-5)


def test_the_power_law_sums_to_one() -> None:
    support = sample_of(np.arange(4.0, 1e6), discrete=True)
    assert np.exp(power_law_likelihoods(support, 4.0, 2.5)).sum() == pytest.approx(1, abs=1e-6)


def test_units_do_not_change_the_verdict() -> None:
    values = np.random.default_rng(11).lognormal(0, 1.5, size=600)
    one, other = (power_law(factor * values, draws=0) for factor in (1.0, 1e-3))
    assert isinstance(one, PowerLaw)
    assert isinstance(other, PowerLaw)
    assert one.start.alpha == pytest.approx(other.start.alpha, rel=1e-9)
    for name in RIVALS:
        assert one.contests[name].ratio == pytest.approx(other.contests[name].ratio, abs=2e-3)


def test_a_cut_off_and_a_lognormal_are_found_out() -> None:
    rng = np.random.default_rng(12)
    pareto = draw_power_law(40_000, 1.0, 1.5, False, rng)
    kept = pareto[rng.random(pareto.size) < np.exp(-(pareto - 1) / 50)][:4000]
    found = power_law(kept, xmin=1.0, draws=0)
    assert isinstance(found, PowerLaw)
    assert CUT_OFF in found.finding.evidence
    assert found.finding.verdict == "found"
    assert found.contests[CUT_OFF].parameters["alpha"] == pytest.approx(1.5, abs=0.08)
    assert found.contests[CUT_OFF].parameters["rate"] == pytest.approx(0.02, rel=0.25)


def test_the_default_sentence_is_the_cautious_one() -> None:
    found = power_law(np.random.default_rng(13).pareto(1.2, size=1500) + 1, draws=50)
    assert isinstance(found, PowerLaw)
    contest_, heavy, fit = found.findings
    assert contest_.verdict == "cannot tell"
    assert "not distinguishable from a lognormal" in contest_.evidence
    assert heavy.verdict == "found"
    assert fit.verdict == "ok"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 2.0, np.nan], "nan at row 3"),
        ([1.0, 0.0, 2.0], "0 at row 2"),
        ([1.0, -1.0, -2.0], "-1 at row 2 and 1 more"),
        ([[1.0]], "one dimension"),
    ],
)
def test_bad_values_are_named(values: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        power_law(values)


@pytest.mark.parametrize("values", [[1.0] * 500, list(range(1, 40)), [1.0, 2.0] * 100, []])
def test_too_little_is_said(values: list[float]) -> None:
    found = power_law(values)
    assert isinstance(found, Finding)
    assert found.verdict == "cannot tell"
    assert found.value is None
