"""Words, ways of growing and weight spectra: monkeys, Kesten's exponent, Marchenko and Pastur's law, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.diagnose.criticality import PowerLaw, Spectrum, Words, generation, kesten_exponent, power_law
from kleiber.diagnose.criticality import weight_spectrum as spectrum
from kleiber.diagnose.criticality.generation import product_of_factors, product_with_floor
from kleiber.diagnose.criticality.words import _monkey, heaps_exponent, planted, words
from kleiber.errors import InputError
from kleiber.finding import Finding


def test_products_are_lognormal_and_with_a_floor_pareto() -> None:
    rng = np.random.default_rng(0)

    def factors(count: int) -> np.ndarray:
        return np.exp(rng.normal(-0.05, 0.3, size=count))

    logs = np.log(product_of_factors(20_000, 50, factors))
    assert logs.mean() == pytest.approx(-2.5, abs=0.06)
    assert logs.std() == pytest.approx(0.3 * np.sqrt(50), rel=0.03)
    # Gaussian log factors: E a^mu = exp(mu mean + mu^2 var / 2) = 1 at mu = -2 mean / var.
    exponent = 2 * 0.05 / 0.3**2
    assert kesten_exponent(factors(400_000)) == pytest.approx(exponent, rel=0.04)
    values = product_with_floor(8_000, 600, factors)
    found = power_law(values[values > 1], draws=0)
    assert isinstance(found, PowerLaw)
    assert found.start.alpha - 1 == pytest.approx(exponent, rel=0.12)


def test_changes_in_proportion_are_told_from_steps() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.lognormal(sigma=1.0, size=2000)
    grown = generation(sizes, sizes * np.exp(0.1 * rng.normal(size=sizes.size)))
    assert grown.value == pytest.approx(1, abs=0.1)
    assert "in proportion" in grown.evidence
    moved = generation(sizes, sizes + rng.normal(size=sizes.size))
    assert moved.verdict == "ok"
    assert moved.value == pytest.approx(0, abs=0.1)
    assert generation([1.0] * 200, [2.0] * 200).verdict == "cannot tell"
    with pytest.raises(InputError, match="200 and 100"):
        generation(np.ones(200), np.ones(100))
    with pytest.raises(InputError, match="shrink on average"):
        kesten_exponent([2.0, 3.0])


def test_the_vocabulary_of_a_zipf_source_grows_as_heaps_says() -> None:
    """Words drawn with p ~ rank^-s have a vocabulary that grows with length^(1/s) (s > 1)."""
    rng = np.random.default_rng(2)
    ranks = rng.zipf(1.6, size=300_000)
    assert heaps_exponent(np.unique(ranks, return_inverse=True)[1]) == pytest.approx(1 / 1.6, abs=0.04)


def test_monkeys_have_the_letters_and_the_length() -> None:
    rng = np.random.default_rng(3)
    text = ["ab", "a", "abb"] * 500
    typed = _monkey(text, rng)
    assert typed.size == len(text)
    # P(a word is "a") = P(one letter) x P(a) = (1/2) x (1/2): the most frequent word, or "b" is.
    assert np.bincount(typed).max() / typed.size == pytest.approx(0.25, abs=0.05)


def test_words_of_a_lexicon_are_told_from_monkeys() -> None:
    found = words(**planted(np.random.default_rng(4)))
    assert isinstance(found, Words)
    assert found.finding.verdict == "found"
    assert found.zipf == pytest.approx(1.0, abs=0.25)
    for text in (["a"] * 50, ["a", "b"] * 1000):
        short = words(text)
        assert isinstance(short, Finding)
        assert short.verdict == "cannot tell"


@pytest.mark.parametrize(("rows", "columns"), [(400, 100), (100, 400), (300, 300)])
def test_noise_stays_within_its_edge(rows: int, columns: int) -> None:
    """Edge: variance (1 + sqrt(q))^2, q = shorter / longer side; no exponent is given."""
    found = spectrum(0.3 * np.random.default_rng(5).normal(size=(rows, columns)))
    assert isinstance(found, Spectrum)
    q = min(rows, columns) / max(rows, columns)
    assert found.edges[1] == pytest.approx(0.09 * (1 + np.sqrt(q)) ** 2, rel=0.03)
    assert found.eigenvalues_E[-1] == pytest.approx(found.edges[1], rel=0.06)
    assert found.eigenvalues_E[0] == pytest.approx(found.edges[0], abs=0.02)
    assert found.tail is None
    assert found.finding.verdict == "ok"
    assert "no tail" in found.finding.evidence


def test_spikes_are_counted() -> None:
    rng = np.random.default_rng(6)
    noise = rng.normal(size=(300, 150))
    left, right = np.linalg.qr(rng.normal(size=(300, 3)))[0], np.linalg.qr(rng.normal(size=(150, 3)))[0]
    found = spectrum(noise + left @ np.diag([60.0, 50.0, 40.0]) @ right.T)
    assert isinstance(found, Spectrum)
    assert found.beyond == 3
    assert found.finding.verdict == "found"
    assert found.tail is None
    assert found.findings[1].verdict == "cannot tell"
    assert found.findings[1].value is None
    assert "Of 3 eigenvalues" in found.findings[1].evidence


def test_a_tail_of_many_eigenvalues_has_the_exponent_that_was_planted() -> None:
    """Seventy eigenvalues by a power law of exponent 4 among noise, from four times its edge on; the edge is that of both."""
    rng = np.random.default_rng(7)
    left, right = np.linalg.qr(rng.normal(size=(800, 70)))[0], np.linalg.qr(rng.normal(size=(700, 70)))[0]
    eigenvalues = 4 * (1 + np.sqrt(7 / 8)) ** 2 * (1 - rng.random(70)) ** (-1 / 3)
    found = spectrum(rng.normal(size=(800, 700)) + left @ np.diag(np.sqrt(800 * eigenvalues)) @ right.T)
    assert isinstance(found, Spectrum)
    tail = found.findings[1]
    assert tail.verdict == "found"
    assert tail.interval is not None
    assert tail.interval[0] < 4 < tail.interval[1]


def test_bad_matrices() -> None:
    for matrix in (np.ones((50, 50)), np.random.default_rng(0).normal(size=(100, 5))):
        found = spectrum(matrix)
        assert isinstance(found, Finding)
        assert found.verdict == "cannot tell"
    with pytest.raises(InputError, match="not a finite number"):
        spectrum(np.full((30, 30), np.nan))
    with pytest.raises(InputError, match="matrix"):
        spectrum(np.ones(30))
