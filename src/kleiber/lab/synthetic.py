"""Tasks with known answers, written as text: what a perfect predictor would reach on them is a formula, not a guess.

Three tasks: sparse parity with skills of Zipfian frequency, modular addition, and recall of pairs met earlier in the
same line. Of every line it is known which bytes are the answer (nothing is left to chance there, so the least loss is
0) and how many nats the others hold. Documents begin with a line end, so that every byte of every line is predicted.
The floor is that of whole documents: a model that reads windows of `context` bytes meets lines cut in two, and lies above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, did_you_mean
from kleiber.quantity import read as read_quantity

# Shapes: N lines of L bytes, K skills, B bits, S bits of a subset, P pairs, Q queries, D digits, T bytes of a document.
LINES_PER_DOCUMENT = 256
# Numbers held at once: beyond it a slip in a setting would fill the memory.
LARGEST = 100_000_000
_SKILLS, _EXAMPLES = range(2)
_ZERO, _LINE_END = ord("0"), ord("\n")


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Text of a task, `answers` marking in each document the bytes that are an answer.

    `nats_per_byte` is the expected loss of a perfect predictor over all bytes of a document but the first.
    """

    texts: tuple[NDArray[np.uint8], ...]
    answers: tuple[NDArray[np.bool_], ...]
    nats_per_byte: float
    line_bytes: int

    @property
    def answers_of_a_line(self) -> NDArray[np.bool_]:
        """Which bytes of a line are the answer: the same in every line."""
        return self.answers[0][1 : self.line_bytes + 1]


class Task(Protocol):
    """A task that writes `tokens` bytes or a little more, the same for the same seed."""

    def generate(self, seed: int, tokens: int) -> Documents: ...


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Multitask sparse parity (Michaud et al. 2023, arXiv:2303.13506): `017 01101...1 0`.

    A line names one of `skills`, shows `bits` random bits and answers with the parity of the `subset` bits that belong to
    the skill. Skill k comes with probability proportional to k^-(alpha + 1): a model that has learnt the first n is left
    with `answer_floor(n)`, which falls as n^-alpha.

    >>> round(Parity(skills=100, alpha=0.4).answer_floor(0), 4)
    0.6931
    """

    skills: int = 100
    alpha: float = 0.4
    bits: int = 16
    subset: int = 3

    def __post_init__(self) -> None:
        _whole(skills=self.skills, bits=self.bits, subset=self.subset)
        if self.skills * self.bits > LARGEST:
            raise InputError("that parity is too large", found=f"{self.skills} skills of {self.bits} bits")
        if not (math.isfinite(self.alpha) and self.alpha > -1):
            raise InputError("alpha of parity must be above -1", found=self.alpha)
        if self.subset > self.bits:
            raise InputError("a parity is over some of the bits", found=f"{self.subset} of {self.bits}")

    @property
    def frequency(self) -> NDArray[np.float64]:
        """Probability of each skill, `(K,)`, the most frequent first."""
        weight_K = np.arange(1, self.skills + 1) ** -(self.alpha + 1.0)
        return weight_K / weight_K.sum()

    def subsets(self, seed: int) -> NDArray[np.int64]:
        """The bits that each skill adds up, `(K, S)`."""
        random = np.random.default_rng([seed, _SKILLS])
        return np.argsort(random.random((self.skills, self.bits)), axis=1)[:, : self.subset]

    def answer_floor(self, learnt: int) -> float:
        """Nats per answer of a model that knows the `learnt` most frequent skills and guesses at the others."""
        return float(math.log(2) * self.frequency[learnt:].sum())

    def generate(self, seed: int, tokens: int) -> Documents:
        digits = len(str(self.skills - 1))
        length = digits + 1 + self.bits + 1 + 1 + 1
        count = _lines(tokens, length)
        random = np.random.default_rng([seed, _EXAMPLES])
        skill_N = random.choice(self.skills, size=count, p=self.frequency)
        bit_NB = random.integers(2, size=(count, self.bits))
        answer_N = np.take_along_axis(bit_NB, self.subsets(seed)[skill_N], axis=1).sum(axis=1) % 2
        line_NL = np.full((count, length), ord(" "), dtype=np.uint8)
        line_NL[:, :digits] = _digits(skill_N, digits)
        line_NL[:, digits + 1 : digits + 1 + self.bits] = bit_NB + _ZERO
        line_NL[:, -2] = answer_N + _ZERO
        entropy = float(-(self.frequency * np.log(self.frequency)).sum()) + self.bits * math.log(2)
        return _documents(line_NL, slice(-2, -1), entropy)


@dataclass(frozen=True, kw_only=True)
class Addition:
    """Addition modulo a number: `012+095=010`. Every pair is one document, and there are modulus^2 of them.

    So a corpus made of them splits the set of all pairs into those trained on and those held out.
    """

    modulus: int = 97

    def __post_init__(self) -> None:
        _whole(modulus=self.modulus)
        if self.modulus**2 > LARGEST:
            raise InputError(
                "there are too many pairs to write", found=f"modulus {self.modulus}", expected="at most 10000"
            )

    def generate(self, seed: int, tokens: int | None = None) -> Documents:
        """Pairs in random order until there are `tokens` bytes; all pairs where it is None or more than they hold."""
        digits = len(str(self.modulus - 1))
        length = 3 * digits + 3
        pair_N = np.random.default_rng([seed, _EXAMPLES]).permutation(self.modulus**2)
        pair_N = pair_N if tokens is None else pair_N[: _lines(tokens, length)]
        left_N, right_N = np.divmod(pair_N, self.modulus)
        line_NL = np.full((pair_N.size, length), _LINE_END, dtype=np.uint8)
        line_NL[:, :digits] = _digits(left_N, digits)
        line_NL[:, digits] = ord("+")
        line_NL[:, digits + 1 : 2 * digits + 1] = _digits(right_N, digits)
        line_NL[:, 2 * digits + 1] = ord("=")
        line_NL[:, 2 * digits + 2 : -1] = _digits((left_N + right_N) % self.modulus, digits)
        return _documents(line_NL, slice(2 * digits + 2, -1), 2 * math.log(self.modulus), lines=1)


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Recall in context: `aXbQcR:bQaX`. A line shows `pairs` of a key and a value, then asks for `queries` keys again.

    Keys are different letters a-z, values any letters A-Z; no key or value means the same on another line, so that
    the answer can only be looked up.
    """

    pairs: int = 8
    queries: int = 4

    def __post_init__(self) -> None:
        _whole(pairs=self.pairs, queries=self.queries)
        if self.queries > LARGEST // 1000:
            raise InputError("that line is too long", found=f"{self.queries} queries")
        if self.pairs > 26:
            raise InputError("there are 26 different keys", found=f"{self.pairs} pairs")

    def generate(self, seed: int, tokens: int) -> Documents:
        shown = 2 * self.pairs
        length = shown + 1 + 2 * self.queries + 1
        count = _lines(tokens, length)
        random = np.random.default_rng([seed, _EXAMPLES])
        key_NP = np.argsort(random.random((count, 26)), axis=1)[:, : self.pairs]
        value_NP = random.integers(26, size=key_NP.shape)
        asked_NQ = random.integers(self.pairs, size=(count, self.queries))
        line_NL = np.full((count, length), ord(":"), dtype=np.uint8)
        line_NL[:, 0:shown:2] = key_NP + ord("a")
        line_NL[:, 1:shown:2] = value_NP + ord("A")
        line_NL[:, shown + 1 : -1 : 2] = np.take_along_axis(key_NP, asked_NQ, axis=1) + ord("a")
        line_NL[:, shown + 2 : -1 : 2] = np.take_along_axis(value_NP, asked_NQ, axis=1) + ord("A")
        orders = math.lgamma(27) - math.lgamma(27 - self.pairs)
        entropy = orders + self.pairs * math.log(26) + self.queries * math.log(self.pairs)
        return _documents(line_NL, slice(shown + 2, -1, 2), entropy)


TASKS: dict[str, type[Parity] | type[Addition] | type[Recall]] = {
    "parity": Parity,
    "addition": Addition,
    "recall": Recall,
}


def named(source: str) -> Documents:
    """The documents of `"parity:skills=100,alpha=0.4,tokens=4M,seed=1"`: a task, its settings, how much and which.

    Unless told, `seed` is 0 and `tokens` is 1M (all pairs for `addition`). Raises `InputError` naming the setting.

    >>> len(named("addition:modulus=13").texts)
    169
    """
    name, _, told = source.partition(":")
    kinds = {field.name: type(field.default) for field in fields(TASKS[name])} | {"tokens": int, "seed": int}
    given: dict[str, Any] = {}
    for part in filter(None, told.split(",")):
        key, _, value = (word.strip() for word in part.partition("="))
        if key not in kinds:
            raise InputError(f"`{key}` is not a setting of {name}", remedy=did_you_mean(key, kinds), where=source)
        number = read_quantity(value)
        given[key] = int(number) if kinds[key] is int and number == int(number) else number
    seed, tokens = given.pop("seed", 0), given.pop("tokens", None)
    if not isinstance(seed, int) or seed < 0:
        raise InputError("`seed` of a task must be a whole number of 0 or more", found=seed, where=source)
    _whole(tokens=1 if tokens is None else tokens)
    task = TASKS[name](**given)
    if isinstance(task, Addition):
        return task.generate(seed, tokens)
    return task.generate(seed, 1_000_000 if tokens is None else tokens)


def answer_loss(nats_T: NDArray[np.floating], answers_T: NDArray[np.bool_]) -> float:
    """Mean loss over the bytes that are answers, in nats per byte of answer.

    `nats_T`: the loss at each byte of a document. Raises `InputError` where nothing is an answer.

    >>> answer_loss(np.array([5.0, 0.5, 5.0, 0.1]), np.array([False, True, False, True]))
    0.3
    """
    if nats_T.shape != answers_T.shape or not answers_T.any():
        raise InputError(
            "losses and answers do not belong together",
            found=f"{nats_T.shape} losses, {answers_T.sum()} answers among {answers_T.shape} bytes",
        )
    return float(nats_T[answers_T].mean())


def _documents(
    line_NL: NDArray[np.uint8], answer: slice, entropy: float, *, lines: int = LINES_PER_DOCUMENT
) -> Documents:
    line_NL[:, -1] = _LINE_END
    is_answer_NL = np.zeros(line_NL.shape, dtype=np.bool_)
    is_answer_NL[:, answer] = True
    starts = range(0, len(line_NL), lines)
    return Documents(
        texts=tuple(np.append(np.uint8(_LINE_END), line_NL[at : at + lines]) for at in starts),
        answers=tuple(np.append(np.False_, is_answer_NL[at : at + lines]) for at in starts),
        nats_per_byte=entropy / line_NL.shape[1],
        line_bytes=line_NL.shape[1],
    )


def _digits(number_N: NDArray[np.integer], digits: int) -> NDArray[np.uint8]:
    place_D = 10 ** np.arange(digits - 1, -1, -1)
    return (number_N[:, None] // place_D % 10 + _ZERO).astype(np.uint8)


def _lines(tokens: int, length: int) -> int:
    if tokens < 1:
        raise InputError("a task needs tokens to write", found=tokens)
    return math.ceil(tokens / length)


def _whole(**settings: float) -> None:
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"`{name}` of a task must be a whole number of 1 or more", found=repr(value))
