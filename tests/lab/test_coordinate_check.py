"""Does a learning rate transfer: yes by the rule in every family, no by each way of breaking it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

from kleiber.errors import InputError
from kleiber.lab import FAMILIES, weights
from kleiber.lab.coordinate_check import TOLERANCE, WIDTHS, CoordinateCheck, _slope, coordinate_check
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.dial import Dial
from kleiber.lab.models.roles import Role
from kleiber.lab.models.roles import rate_and_decay as rule
from kleiber.lab.recipe import Recipe

NARROW = (16, 64, 256)
RECIPE = Recipe(context=32, batch_windows=4, lr=0.01, transfer=True)
ONE_RATE = replace(RECIPE, transfer=False, lr_exponent=0.0)
DIALS = {family: Dial(family=family, depth=2, attention_every=2) for family in FAMILIES}


@pytest.fixture(scope="module")
def corpus(text_folder: Path) -> Corpus:
    return read_corpus(text_folder)


def drawn(change: Callable[[np.ndarray], np.ndarray], *, noise: float = 0.02) -> CoordinateCheck:
    """A check of a single layer whose change is a known function of width."""
    width_M = np.repeat(WIDTHS, 2)
    change_M = change(width_M) * np.exp(noise * np.random.default_rng(0).standard_normal(width_M.size))
    slopes = (_slope("only", width_M, change_M),)
    return CoordinateCheck(
        family="dense", steps=4, layers=("only",), width_M=width_M, change_LM=change_M[None], slopes=slopes
    )


def test_a_known_power_is_found_within_its_interval() -> None:
    for power in (-1.0, 0.0, 0.5):
        (slope,) = drawn(lambda width, power=power: 0.3 * width**power).slopes
        assert slope.interval[0] < power < slope.interval[1]
        assert slope.value == pytest.approx(power, abs=0.03)


def test_the_interval_is_that_of_scipy() -> None:
    from scipy.stats import linregress, t

    check = drawn(lambda width: width**0.2, noise=0.3)
    found = linregress(np.log(check.width_M), np.log(check.change_LM[0]))
    middle, error = found[0], found[4]
    half = t.ppf(0.975, check.width_M.size - 2) * error
    (slope,) = check.slopes
    assert (slope.value, *slope.interval) == pytest.approx((middle, middle - half, middle + half))


@pytest.mark.parametrize(
    ("power", "noise", "verdict"),
    [(0.0, 0.02, "ok"), (0.6, 0.02, "problem"), (-0.6, 0.02, "problem"), (0, 3, "cannot tell")],
)
def test_verdicts(power: float, noise: float, verdict: str) -> None:
    finding = drawn(lambda width: width**power, noise=noise).finding()
    assert finding.verdict == verdict
    assert bool(finding.remedy) == (verdict != "ok")


def test_a_model_that_diverged_is_named_by_its_width() -> None:
    finding = drawn(lambda width: np.where(width > 100, np.nan, 1.0)).finding()
    assert finding.verdict == "problem"
    assert "width 128" in finding.evidence


@pytest.mark.parametrize("family", FAMILIES)
def test_one_rate_for_all_tensors_does_not_transfer(family: str, corpus: Corpus) -> None:
    check = coordinate_check(DIALS[family], ONE_RATE, corpus, widths=NARROW, steps=3)
    finding = check.finding()
    assert finding.verdict == "problem"
    assert finding.evidence.startswith("Learning rate does not transfer")
    assert finding.value is not None
    # One rate moves a map's output in proportion to its fan-in until the layers before it saturate.
    assert 0.5 < finding.value < 2


def test_a_rate_that_falls_with_width_for_all_tensors_starves_the_embedding(corpus: Corpus) -> None:
    recipe = replace(ONE_RATE, lr_exponent=-1.0)
    finding = coordinate_check(DIALS["dense"], recipe, corpus, widths=NARROW, steps=3).finding()
    assert finding.verdict == "problem"
    assert "embedding moves as width^-1.0" in finding.evidence


@pytest.mark.parametrize(("family", "broken"), [("experts", "router"), ("ssm", "map"), ("hybrid", "head")])
def test_one_role_at_the_wrong_rate_is_enough(
    family: str, broken: Role, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(part: Role, recipe: Recipe, width: int) -> tuple[float, float]:
        return rule("table" if part == broken else part, recipe, width)

    monkeypatch.setattr(weights, "rate_and_decay", spoiled)
    check = coordinate_check(DIALS[family], RECIPE, corpus, widths=NARROW, seeds=(0, 1, 2, 3), steps=3)
    assert check.finding().verdict == "problem"


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_by_the_rule_the_rate_transfers_over_sixteen_widths(family: str, corpus: Corpus) -> None:
    finding = coordinate_check(DIALS[family], RECIPE, corpus).finding()
    assert finding.verdict == "ok", finding.evidence


def test_by_the_rule_no_layer_moves_with_width(corpus: Corpus) -> None:
    """The quick form of the above: narrower models, the family with the most kinds of tensors."""
    dial = Dial(family="hybrid", depth=2, attention_every=2, experts=4)
    check = coordinate_check(dial, RECIPE, corpus, widths=NARROW, steps=3)
    assert {layer.split(" of ")[0] for layer in check.layers} >= {
        "mixer.into",
        "feed_forward.router",
        "embedding",
        "logits",
    }
    assert all(abs(slope.value) < TOLERANCE for slope in check.slopes), check.slopes


def test_the_depth_stays_that_of_the_narrowest(corpus: Corpus) -> None:
    check = coordinate_check(Dial(), RECIPE, corpus, widths=(16, 256), steps=1)
    assert sum(layer.startswith("block") for layer in check.layers) == 2


def test_widths_and_seeds_that_show_no_trend(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="at least 16 times apart"):
        coordinate_check(DIALS["dense"], RECIPE, corpus, widths=(32, 64))
    with pytest.raises(InputError, match="too few"):
        coordinate_check(DIALS["dense"], RECIPE, corpus, widths=(16, 256), seeds=(0,))
