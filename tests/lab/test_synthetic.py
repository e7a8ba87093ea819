"""Synthetic tasks: answers recomputed another way, entropies met by what was drawn, perfect predictors at the floor.

A perfect predictor is written here byte by byte from the task's rules, without looking at how the lines were made.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import InputError
from kleiber.lab.corpus import corpus_of, read_corpus
from kleiber.lab.synthetic import Addition, Documents, Parity, Recall, Task, answer_loss


def lines_of(documents: Documents) -> list[str]:
    return [line for text in documents.texts for line in text.tobytes().decode().strip("\n").split("\n")]


def by_prefix(words: dict[str, float], word: str) -> list[float]:
    """Nats of each byte of a word drawn from a list with probabilities: the chain rule over its prefixes."""
    mass = [sum(p for other, p in words.items() if other.startswith(word[:end])) for end in range(len(word) + 1)]
    return [math.log(mass[end] / mass[end + 1]) for end in range(len(word))]


def parity_nats(task: Parity, seed: int, line: str, words: dict[str, float]) -> list[float]:
    name, bits, answer = line.split(" ")
    assert int(answer) == sum(int(bits[place]) for place in task.subsets(seed)[int(name)]) % 2
    return [*by_prefix(words, name), 0.0, *[math.log(2)] * len(bits), 0.0, 0.0, 0.0]


def recall_nats(task: Recall, line: str) -> list[float]:
    shown, asked = line.split(":")
    value = dict(zip(shown[0::2], shown[1::2], strict=True))
    assert len(value) == task.pairs
    assert all(value[key] == told for key, told in zip(asked[0::2], asked[1::2], strict=True))
    pairs = [nats for place in range(task.pairs) for nats in (math.log(26 - place), math.log(26))]
    return [*pairs, 0.0, *[math.log(task.pairs), 0.0] * task.queries, 0.0]


def test_parity_is_answered_and_a_perfect_predictor_reaches_the_floor() -> None:
    task, seed = Parity(skills=30, alpha=0.4, bits=8), 3
    documents = task.generate(seed, 80_000)
    words = {f"{number:02d}": float(p) for number, p in enumerate(task.frequency)}
    nats = [parity_nats(task, seed, line, words) for line in lines_of(documents)]
    flat = np.array([nat for line in nats for nat in line])
    assert flat.size == sum(text.size - 1 for text in documents.texts)
    # The floor is an expectation; what was drawn scatters around it by its standard error.
    per_line = np.array([sum(line) for line in nats]) / len(nats[0])
    assert flat.mean() == pytest.approx(documents.nats_per_byte, abs=4 * per_line.std() / math.sqrt(per_line.size))
    answers = np.concatenate([mask[1:] for mask in documents.answers])
    assert answer_loss(flat, answers) == 0.0
    assert answers.sum() == len(nats)


def test_skills_come_as_often_as_zipf_says() -> None:
    task = Parity(skills=20, alpha=0.5, bits=4)
    lines = lines_of(task.generate(0, 300_000))
    seen = Counter(int(line.split(" ")[0]) for line in lines)
    expected = task.frequency * len(lines)
    chi2 = sum((seen[k] - expected[k]) ** 2 / expected[k] for k in range(20))
    # 19 degrees of freedom: mean 19, standard deviation 6.2.
    assert chi2 < 19 + 5 * 6.2
    assert task.frequency[0] / task.frequency[7] == pytest.approx(8**1.5)


def test_what_is_left_to_learn_falls_as_a_power_of_the_skills() -> None:
    # Michaud et al. 2023, section 2: frequencies k^-(alpha + 1) leave a loss that falls as n^-alpha; the sum's tail
    # beyond the last skill is what is missing, so many more skills than are learnt.
    task = Parity(skills=5_000_000, alpha=0.6, bits=3)
    a, b = task.answer_floor(50), task.answer_floor(500)
    missing = math.log(2) * 5_000_000**-0.6 / 0.6 * task.frequency[0]
    assert math.log((a + missing) / (b + missing)) / math.log(10) == pytest.approx(0.6, abs=0.005)
    assert task.answer_floor(0) == pytest.approx(math.log(2))
    assert task.answer_floor(task.skills) == 0.0


def test_addition_holds_every_pair_once_and_the_split_is_by_pair() -> None:
    task = Addition(modulus=23)
    documents = task.generate(1)
    met = set()
    for line in lines_of(documents):
        question, answer = line.split("=")
        left, right = map(int, question.split("+"))
        assert int(answer) == (left + right) % 23
        met.add((left, right))
    assert met == {(left, right) for left in range(23) for right in range(23)}
    corpus = corpus_of((text.tobytes() for text in documents.texts), source="addition")
    assert (corpus.documents, corpus.duplicates) == (23**2, 0)
    sides = [{text.tobytes() for text in side} for side in (corpus.train_documents, corpus.held_out)]
    assert len(sides[0]) + len(sides[1]) == 23**2
    assert not sides[0] & sides[1]


def test_a_perfect_predictor_of_all_sums_is_exactly_at_the_floor() -> None:
    task = Addition(modulus=23)
    documents = task.generate(0)
    words = {f"{number:02d}": 1 / 23 for number in range(23)}
    nats = []
    for line in lines_of(documents):
        left, right = line.split("=")[0].split("+")
        nats += [*by_prefix(words, left), 0.0, *by_prefix(words, right), 0.0, 0.0, 0.0, 0.0]
    assert np.mean(nats) == pytest.approx(documents.nats_per_byte, rel=1e-12)
    answers = np.concatenate([mask[1:] for mask in documents.answers])
    assert answers.sum() == 2 * 23**2
    assert answer_loss(np.array(nats), answers) == 0.0


def test_recall_is_answered_and_every_line_is_exactly_at_the_floor() -> None:
    task = Recall(pairs=5, queries=3)
    documents = task.generate(0, 20_000)
    nats = [recall_nats(task, line) for line in lines_of(documents)]
    assert all(np.mean(line) == pytest.approx(documents.nats_per_byte, rel=1e-12) for line in nats)
    answers = np.concatenate([mask[1:] for mask in documents.answers])
    assert answer_loss(np.concatenate(nats), answers) == 0.0
    assert answers.sum() == 3 * len(nats)


def test_keys_values_and_queries_are_uniform() -> None:
    lines = lines_of(Recall(pairs=4, queries=2).generate(0, 200_000))
    for place, kinds in ((0, 26), (6, 26), (7, 26)):
        counts = np.array(list(Counter(line[place] for line in lines).values()))
        expected = len(lines) / kinds
        assert counts.size == kinds
        assert ((counts - expected) ** 2 / expected).sum() < kinds - 1 + 5 * math.sqrt(2 * (kinds - 1))
    asked = np.array(list(Counter(line[0:8:2].index(line[9]) for line in lines).values()))
    assert ((asked - len(lines) / 4) ** 2 / (len(lines) / 4)).sum() < 3 + 5 * math.sqrt(6)


TASKS = st.sampled_from([Parity(skills=7, bits=5, subset=2), Parity(skills=101), Addition(modulus=101), Recall()])


@settings(max_examples=25, deadline=None)
@given(task=TASKS, seed=st.integers(0, 2**31), tokens=st.integers(1, 5000))
def test_the_same_seed_writes_the_same_bytes_and_enough_of_them(task: Task, seed: int, tokens: int) -> None:
    one, other = task.generate(seed, tokens), task.generate(seed, tokens)
    assert [text.tobytes() for text in one.texts] == [text.tobytes() for text in other.texts]
    assert sum(text.size for text in one.texts) >= tokens
    assert all(text.size == mask.size for text, mask in zip(one.texts, one.answers, strict=True))
    assert one.texts[0].tobytes() != task.generate(seed + 1, tokens).texts[0].tobytes() or tokens < 200


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        (Parity, {"skills": 0}, "`skills` of a task"),
        (Parity, {"bits": 2.5}, "`bits` of a task"),
        (Parity, {"bits": 2, "subset": 3}, "some of the bits"),
        (Parity, {"alpha": math.inf}, "alpha of parity"),
        (Addition, {"modulus": -1}, "`modulus` of a task"),
        (Recall, {"pairs": 27}, "26 different keys"),
        (Recall, {"queries": 10**9}, "too long"),
        (Parity, {"skills": 10**30}, "too large"),
        (Addition, {"modulus": 10**9}, "too many pairs"),
    ],
)
def test_tasks_that_make_no_sense(task: type, settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        task(**settings)


def test_a_task_is_a_corpus_by_name() -> None:
    corpus = read_corpus("parity:skills=20, alpha=0.5, bits=8, tokens=60k, seed=2")
    written = Parity(skills=20, alpha=0.5, bits=8).generate(2, 60_000)
    sides = [text.tobytes() for text in (*corpus.train_documents, *corpus.held_out)]
    assert sorted(sides) == sorted(text.tobytes() for text in written.texts)
    assert read_corpus("addition:modulus=13").documents == 169
    assert read_corpus("recall").unique_train_tokens > 900_000


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("parity:skils=3", "did you mean 'skills'"),
        ("parity:skills=many", "not a quantity"),
        ("parity:skills=2.5", "`skills` of a task"),
        ("recall:seed=-1", "`seed` of a task"),
        ("recall:tokens=0.5", "`tokens` of a task"),
        ("addition:modulus=", "not a quantity"),
        ("addition:modulus=1", "two different documents"),
    ],
)
def test_a_name_that_makes_no_sense(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_corpus(source)


def test_no_tokens_and_no_answers() -> None:
    with pytest.raises(InputError, match="needs tokens"):
        Recall().generate(0, 0)
    with pytest.raises(InputError, match="do not belong together"):
        answer_loss(np.zeros(3), np.zeros(3, dtype=np.bool_))
