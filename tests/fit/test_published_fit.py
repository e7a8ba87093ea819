"""A published set as a fit: its own forecasts, its range, and no intervals."""

from __future__ import annotations

import pytest

from kleiber.errors import InputError, KleiberError
from kleiber.fit.published import looks_published, published
from kleiber.laws import LAWS


def test_it_forecasts_what_the_law_says_and_how_far_that_is() -> None:
    fit = published("chinchilla:besiroglu-2024")
    forecast = fit.forecast(params=70e9, tokens=1.4e12)
    assert forecast.loss == pytest.approx(1.9739, abs=5e-5)
    assert forecast.interval is None
    assert forecast.extrapolation_decades > 1
    assert not fit.outcome.refused


def test_every_published_set_of_a_loss_is_a_fit() -> None:
    sets = [(law, found) for law in LAWS for found in law.published if law.target == "loss"]
    assert len(sets) > 20
    for law, found in sets:
        fit = published(f"{law.name}:{found.name}")
        assert fit.parameters == pytest.approx(dict(found.values))
        assert fit.runs.hash.startswith("sha256:")


@pytest.mark.parametrize("text", ["chinchilla:nobody-2024", "nothing:besiroglu-2024"])
def test_an_unknown_set_is_named(text: str) -> None:
    with pytest.raises(KleiberError):
        published(text)


def test_a_file_is_no_published_set() -> None:
    assert not looks_published("runs.csv")
    assert not looks_published("folder:with/colon.csv")
    with pytest.raises(InputError, match="did you mean"):
        published("chinchilla:besiroglu-2023")
