"""Probes whose held-out part differs in structure: what a rule answers and a memory of rows cannot.

One idea: a split by row leaks. `3 + 5` is held out and `5 + 3` trained on; a fact is asked in one composition and trained on
in another. Here a whole kind is held out (a block of operand pairs, every composition about some subjects, a block of
key-value bindings) while every part it is made of is seen in training, so that the answer can be worked out but not looked up.
`probe` and `probe_gap` read the answers; the generators give arrays that any framework can train on.

Shapes: N examples, K symbols of an example, F facts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError

TRAIN, ROW, STRUCTURE = range(3)
"""Parts of a probe: trained on; held out by row, at random among the kinds trained on; held out by structure."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Examples as symbols, the right answer of each, the part it belongs to, and the accuracy of a guess.

    `symbols` is how many different symbols examples and answers are made of. `fact_F3` (subject, relation, object) is what
    else has to be trained on; empty where there are no facts.
    """

    example_NK: NDArray[np.int64]
    answer_N: NDArray[np.int64]
    part_N: NDArray[np.int64]
    symbols: int
    chance: float
    fact_F3: NDArray[np.int64]


NO_FACTS = np.empty((0, 3), dtype=np.int64)


def addition(*, modulus: int = 59, structure: float = 0.4, rows: float = 0.2, seed: int = 0) -> Probe:
    """a + b modulo `modulus`. Structure: both operands from a set of `structure` of all numbers, a block with both its corners.

    So neither a held-out pair nor its mirror image is trained on, and every number is, beside others. Of the remaining ordered
    pairs a share `rows` is held out at random: the mirror image of most of those is trained on.

    >>> probe = addition(modulus=5, structure=0.4, seed=0)
    >>> (probe.part_N == STRUCTURE).sum(), probe.chance
    (np.int64(4), 0.2)
    """
    _counted("modulus", modulus, 5)
    held = max(2, round(_share("structure", structure) * modulus))
    if held > modulus - 2:
        raise InputError(
            "too many operands are held out", found=f"{held} of {modulus}", expected=f"{modulus - 2} or fewer"
        )
    random = np.random.default_rng(seed)
    is_held_M = np.isin(np.arange(modulus), random.permutation(modulus)[:held])
    pair_N2 = np.stack(np.divmod(np.arange(modulus**2), modulus), axis=1)
    part_N = np.where(random.random(modulus**2) < _share("rows", rows), ROW, TRAIN)
    part_N[is_held_M[pair_N2].all(axis=1)] = STRUCTURE
    answer_N = pair_N2.sum(axis=1) % modulus
    return Probe(
        example_NK=pair_N2, answer_N=answer_N, part_N=part_N, symbols=modulus, chance=1 / modulus, fact_F3=NO_FACTS
    )


def composition(
    *, entities: int = 40, relations: int = 6, structure: float = 0.25, rows: float = 0.2, seed: int = 0
) -> Probe:
    """`relation2(relation1(subject))` over random facts. Structure: subjects of which no composition is trained on, only facts.

    Examples are (subject, relation1, relation2); relations are numbered on from the entities. All facts are to be trained on.

    >>> probe = composition(entities=4, relations=2)
    >>> probe.fact_F3.shape, probe.example_NK.shape, probe.symbols
    ((8, 3), (16, 3), 6)
    """
    _counted("entities", entities, 4)
    _counted("relations", relations, 2)
    random = np.random.default_rng(seed)
    object_RE = np.stack([random.permutation(entities) for _ in range(relations)])
    subject_F, relation_F = (axis.reshape(-1) for axis in np.indices((entities, relations)))
    fact_F3 = np.stack([subject_F, entities + relation_F, object_RE[relation_F, subject_F]], axis=1)
    subject_N, one_N, two_N = (axis.reshape(-1) for axis in np.indices((entities, relations, relations)))
    held = min(entities - 2, max(1, round(_share("structure", structure) * entities)))
    part_N = np.where(random.random(subject_N.size) < _share("rows", rows), ROW, TRAIN)
    part_N[np.isin(subject_N, random.permutation(entities)[:held])] = STRUCTURE
    return Probe(
        example_NK=np.stack([subject_N, entities + one_N, entities + two_N], axis=1),
        answer_N=object_RE[two_N, object_RE[one_N, subject_N]],
        part_N=part_N,
        symbols=entities + relations,
        chance=1 / entities,
        fact_F3=fact_F3,
    )


def recall(
    *, count: int = 2000, keys: int = 12, values: int = 12, pairs: int = 4, structure: float = 0.4, seed: int = 0
) -> Probe:
    """`key value key value ... key`: which value stood behind the key? Structure: bindings of a block of keys and values.

    No line trained on, nor one held out by row, binds a key of the block to a value of the block; a line held out by structure
    asks for such a binding. Values are numbered on from the keys. A third of the lines belong to each part.

    >>> recall(count=9, pairs=2).example_NK.shape
    (9, 5)
    """
    for name, number, least in (("count", count, 3), ("keys", keys, 4), ("values", values, 4), ("pairs", pairs, 1)):
        _counted(name, number, least)
    if pairs > keys:
        raise InputError("a key stands once on a line", found=f"{pairs} pairs of {keys} keys")
    random = np.random.default_rng(seed)
    share = _share("structure", structure)
    held_K = np.isin(np.arange(keys), random.permutation(keys)[: max(1, round(share * keys))])
    held_V = np.isin(np.arange(values), random.permutation(values)[: max(1, round(share * values))])
    part_N = np.arange(count) % 3
    key_NP = np.argsort(random.random((count, keys)), axis=1)[:, :pairs]
    asked_N = random.integers(pairs, size=count)
    row_N = np.arange(count)
    # What a line of structure asks for is of the block, whatever else stands on it; so one of its keys has to be.
    block_N = np.flatnonzero(part_N == STRUCTURE)
    key_NP[block_N] = _with_one_of(key_NP[block_N], asked_N[block_N], np.flatnonzero(held_K), random)
    free_NP = random.choice(np.flatnonzero(~held_V), size=key_NP.shape)
    value_NP = np.where(held_K[key_NP], free_NP, random.integers(values, size=key_NP.shape))
    value_NP[block_N, asked_N[block_N]] = random.choice(np.flatnonzero(held_V), size=block_N.size)
    example_NK = np.empty((count, 2 * pairs + 1), dtype=np.int64)
    example_NK[:, 0:-1:2], example_NK[:, 1:-1:2] = key_NP, keys + value_NP
    example_NK[:, -1] = key_NP[row_N, asked_N]
    answer_N = keys + value_NP[row_N, asked_N]
    # The best that can be said without looking the key up: one of the values on the line.
    return Probe(
        example_NK=example_NK,
        answer_N=answer_N,
        part_N=part_N,
        symbols=keys + values,
        chance=1 / pairs,
        fact_F3=NO_FACTS,
    )


def _with_one_of(
    key_NP: NDArray[np.int64], at_N: NDArray[np.int64], wanted: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    """The keys of each line with a wanted one at a place; where that key stood elsewhere on the line, the two change places."""
    found = key_NP.copy()
    for row, at in enumerate(at_N):
        key = random.choice(wanted)
        found[row][found[row] == key] = found[row, at]
        found[row, at] = key
    return found


def _share(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise InputError(f"`{name}` of a probe is a share between 0 and 1", found=value)
    return value


def _counted(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or value != int(value) or value < least:
        raise InputError(f"`{name}` of a probe is a whole number of {least} or more", found=value)
