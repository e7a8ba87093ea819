"""The verdict: Holm by hand, the word for every state of the evidence, and looks that are paid for."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.diagnose.memorisation import Evidence, budget, verdict
from kleiber.errors import InputError
from kleiber.finding import Finding


def evidence(name: str, claim: str, p_value: float | None, **more: bool) -> Evidence:
    finding = Finding(name=name, verdict="ok", evidence="Something.", value=0.5)
    return Evidence(finding=finding, claim=claim, p_value=p_value, **more)  # type: ignore[arg-type]


def test_holm_by_hand() -> None:
    """Holm 1979: p(i) (m - i + 1), made to rise."""
    asked = [evidence(f"t{n}", "memorising", p) for n, p in enumerate([0.01, 0.04, 0.03, 0.005])]
    corrected = verdict(asked).corrected
    assert corrected == pytest.approx({"t3": 0.02, "t0": 0.03, "t2": 0.06, "t1": 0.06})
    assert verdict(asked, looks=3).corrected["t3"] == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("rote", "rule", "word"),
    [
        (1e-4, 0.9, "memorising"),
        (0.9, 1e-4, "generalising"),
        (1e-4, 1e-4, "both"),
        (0.9, 0.9, "cannot tell"),
        (None, 1e-4, "cannot tell"),
        (1e-4, None, "cannot tell"),
        (None, None, "cannot tell"),
    ],
)
def test_the_word(rote: float | None, rule: float | None, word: str) -> None:
    found = verdict([evidence("a", "memorising", rote), evidence("b", "generalising", rule)])
    assert found.word == word
    assert (found.finding.verdict == "cannot tell") == (word == "cannot tell")


def test_absence_of_evidence_is_no_evidence_of_absence() -> None:
    rule = evidence("b", "generalising", 1e-6)
    blind = evidence("a", "memorising", 0.5, informative=False)
    assert verdict([blind, rule]).word == "cannot tell"
    assert verdict([evidence("a", "memorising", 0.5), rule]).word == "generalising"
    # One test that finds memory outweighs another that could not have.
    assert verdict([blind, evidence("c", "memorising", 1e-6), rule]).word == "both"


def test_what_is_sure_but_small_does_not_stand() -> None:
    small = evidence("a", "memorising", 1e-9, material=False)
    assert verdict([small, evidence("b", "generalising", 1e-6)]).word == "generalising"


def test_the_change_it_argues_for() -> None:
    rote, no_rule = evidence("carries", "memorising", 1e-6), evidence("b", "generalising", 0.9)
    assert "1.8 times as much unique text" in verdict([rote, no_rule], budget=budget(2e6, 1e6)).change
    assert "passes" in verdict([rote, no_rule], budget=budget(1e9, 1e6)).change
    assert "architecture" in verdict([evidence("structure_gap", "memorising", 1e-6), no_rule]).change
    rule = [evidence("a", "memorising", 0.9), evidence("b", "generalising", 1e-6)]
    assert "1.8 times as much unique text" in verdict(rule, budget=budget(2e6, 1e6)).change
    assert "look to its data" in verdict([evidence("a", "memorising", 0.9), evidence("b", "generalising", 1e-6)]).change
    assert "ask after generalising" in verdict([rote]).change


def test_bad_evidence() -> None:
    with pytest.raises(InputError, match="no evidence"):
        verdict([])
    with pytest.raises(InputError, match="once or more"):
        verdict([evidence("a", "memorising", 0.5)], looks=0)
    with pytest.raises(InputError, match="twice"):
        verdict([evidence("a", "memorising", 0.5)] * 2)


def test_many_looks_are_false_no_oftener_than_one() -> None:
    """Null p-values at eight looks: any false claim comes no oftener than 5 %."""
    random = np.random.default_rng(0)
    false = 0
    for _ in range(400):
        looks = [
            verdict([evidence(f"t{n}", claim, p) for n, (claim, p) in enumerate(drawn)], looks=8)
            for drawn in (
                [("memorising", random.random()), ("memorising", random.random()), ("generalising", random.random())]
                for _ in range(8)
            )
        ]
        false += any(p <= 0.05 for look in looks for p in look.corrected.values())
    assert false / 400 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)
