"""Probes: what is held out by structure cannot be looked up, and what it is made of was seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.diagnose.memorisation import addition, composition, recall
from kleiber.diagnose.memorisation.structure import ROW, STRUCTURE, TRAIN
from kleiber.errors import InputError

seeds = st.integers(0, 50)


@given(st.integers(7, 31), seeds)
def test_addition_holds_out_a_block_with_its_mirror_image(modulus: int, seed: int) -> None:
    probe = addition(modulus=modulus, seed=seed)
    assert np.array_equal(probe.answer_N, probe.example_NK.sum(axis=1) % modulus)
    assert len(np.unique(probe.example_NK, axis=0)) == modulus**2
    held = {tuple(pair) for pair in probe.example_NK[probe.part_N == STRUCTURE].tolist()}
    assert held
    assert all((right, left) in held for left, right in held)
    trained = probe.example_NK[probe.part_N == TRAIN]
    assert set(np.unique(trained)) == set(range(modulus))
    # No training pair lies in the block.
    block = {operand for pair in held for operand in pair}
    assert not np.isin(trained, list(block)).all(axis=1).any()


def test_a_split_by_row_leaks_the_mirror_image() -> None:
    probe = addition(modulus=31, seed=0)
    trained = {tuple(pair) for pair in probe.example_NK[probe.part_N == TRAIN].tolist()}
    rows = probe.example_NK[probe.part_N == ROW].tolist()
    leaked = np.mean([(right, left) in trained for left, right in rows if left != right])
    assert leaked > 0.7


@given(seeds)
def test_composition_holds_out_subjects_whose_facts_are_known(seed: int) -> None:
    probe = composition(entities=12, relations=3, seed=seed)
    fact = {(subject, relation): thing for subject, relation, thing in probe.fact_F3.tolist()}
    assert len(fact) == 36
    for (subject, one, two), answer in zip(probe.example_NK.tolist(), probe.answer_N.tolist(), strict=True):
        assert fact[fact[subject, one], two] == answer
    held = set(probe.example_NK[probe.part_N == STRUCTURE][:, 0].tolist())
    assert held
    assert not held & set(probe.example_NK[probe.part_N != STRUCTURE][:, 0].tolist())


@given(seeds)
def test_recall_holds_out_bindings(seed: int) -> None:
    probe = recall(count=300, keys=8, values=8, pairs=3, seed=seed)
    key_NP, value_NP = probe.example_NK[:, 0:-1:2], probe.example_NK[:, 1:-1:2]
    assert (np.sort(key_NP, axis=1)[:, 1:] != np.sort(key_NP, axis=1)[:, :-1]).all()
    asked_NP = key_NP == probe.example_NK[:, -1:]
    assert (asked_NP.sum(axis=1) == 1).all()
    assert np.array_equal(value_NP[asked_NP], probe.answer_N)
    other = probe.part_N != STRUCTURE
    bound = set(zip(key_NP[other].ravel().tolist(), value_NP[other].ravel().tolist(), strict=True))
    held = zip(probe.example_NK[~other, -1].tolist(), probe.answer_N[~other].tolist(), strict=True)
    assert not bound & set(held)


@pytest.mark.parametrize(
    ("make", "settings", "says"),
    [
        (addition, {"modulus": 3}, "modulus"),
        (addition, {"structure": 0.99}, "too many operands"),
        (addition, {"rows": 1.0}, "rows"),
        (composition, {"entities": 2}, "entities"),
        (composition, {"relations": 2.5}, "relations"),
        (recall, {"keys": 4, "pairs": 5}, "once on a line"),
        (recall, {"structure": 0.0}, "structure"),
    ],
)
def test_settings_that_make_no_probe(make, settings: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make(**settings)
