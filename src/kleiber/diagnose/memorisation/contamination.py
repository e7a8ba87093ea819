"""Contamination: does test text stand in the training text, word for word?

The way the data takes: token numbers of training and test documents -> a hash of every stretch of n tokens -> the stretches of a
test document that occur in training, each compared token by token -> the share of documents and of tokens met before.
Near-duplicates, which share many short stretches and no long one, are another room's.

Shapes: T tokens, W windows of n tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import more_often
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME = "ngram_contamination"
REFERENCE = (
    "Brown et al. 2020 (13-grams), arXiv:2005.14165, appendix C; Chowdhery et al. 2022 (overlap), arXiv:2204.02311"
)
THIRTEEN, FIFTY = 13, 50
ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """For each test document: the share of its tokens in a stretch that stands in training, and whether it was long enough."""

    covered_D: NDArray[np.float64]
    judged_D: NDArray[np.bool_]
    finding: Finding


def overlap(
    train: Sequence[ArrayLike], test: Sequence[ArrayLike], *, n: int = THIRTEEN, control: Sequence[ArrayLike] = ()
) -> Overlap:
    """The share of test documents that have a stretch of `n` tokens from the training text, with a Clopper-Pearson interval.

    `train`, `test`: documents as whole token numbers of 0 or more; 13 words is GPT-3's measure, 50 tokens finds copies. Texts
    of a kind share set phrases. So with `control` (documents of the same kind that cannot be in the training text) the
    verdict is Fisher's exact test of test against control at 5 %; without, any such document is a warning. Documents of fewer
    than n tokens are not judged.

    Raises `InputError` for n below 2 and for what are no token numbers.

    >>> overlap([[1, 2, 3, 4, 5]], [[9, 2, 3, 4], [7, 7, 7, 7]], n=3).covered_D.tolist()
    [0.75, 0.0]

    Source: Brown et al. 2020, arXiv:2005.14165, appendix C.
    """
    if n < 2:
        raise InputError("a stretch has two tokens or more", found=n)
    index = _Index([_tokens(document, "training") for document in train], n)
    covered_D, judged_D = _covered(index, test, "test", n)
    control_D, control_judged_D = _covered(index, control, "control", n)
    finding = _finding(covered_D[judged_D] > 0, control_D[control_judged_D] > 0, covered_D, n)
    return Overlap(covered_D=covered_D, judged_D=judged_D, finding=finding)


def _finding(
    hit_D: NDArray[np.bool_], control_D: NDArray[np.bool_], covered_D: NDArray[np.float64], n: int
) -> Finding:  # fmt: skip
    from scipy.stats import binomtest

    if hit_D.size == 0:
        return cannot_tell(NAME, f"No test document has {n} tokens.", remedy="a smaller n", reference=REFERENCE)
    hits, loud, beside = int(hit_D.sum()), bool(hit_D.any()), ""
    if control_D.size:
        controls = int(control_D.sum())
        p_value = more_often(hits, hit_D.size, controls, control_D.size)
        loud = p_value <= 0.05
        beside = f", beside {controls} of {control_D.size} that cannot have been (p = {p_value:.2g})"
    found = binomtest(hits, hit_D.size).proportion_ci()
    half = int((covered_D > 0.5).sum())
    return Finding(
        name=NAME,
        verdict="warning" if loud else "ok",
        value=hits / hit_D.size,
        interval=(float(found.low), float(found.high)),
        evidence=f"{hits} of {hit_D.size} test documents have a stretch of {n} tokens that stands in the training text{beside}; "
        f"{half} stand there by more than half.",
        remedy="score the test without these documents, beside the score with them" if loud else "",
        rows=tuple(int(row) + 1 for row in np.flatnonzero(covered_D > 0)[:50]) if loud else (),
        caveats=()
        if control_D.size
        else ("Set phrases count too: compare with documents that cannot have been seen.",),
        reference=REFERENCE,
    )


def _tokens(document: ArrayLike, what: str) -> NDArray[np.int64]:
    tokens_T = np.asarray(document)
    if tokens_T.size == 0:
        return np.empty(0, dtype=np.int64)
    if tokens_T.ndim != 1 or tokens_T.dtype.kind not in "iu" or tokens_T.min() < 0:
        raise InputError(f"a {what} document is no series of token numbers", found=f"{tokens_T.dtype} {tokens_T.shape}")
    return tokens_T.astype(np.int64)


def _hashes(tokens_T: NDArray[np.int64], n: int) -> NDArray[np.uint64]:
    """A polynomial hash modulo 2^64 of each window of n tokens, `(W,)`; each token is scrambled first."""
    if tokens_T.size < n:
        return np.empty(0, dtype=np.uint64)
    token_T = tokens_T.astype(np.uint64) + np.uint64(1)
    for shift in (np.uint64(30), np.uint64(27), np.uint64(31)):
        token_T = (token_T ^ (token_T >> shift)) * np.uint64(0xBF58476D1CE4E5B9)
    hash_W = np.zeros(tokens_T.size - n + 1, dtype=np.uint64)
    for at in range(n):
        hash_W = hash_W * ODD + token_T[at : at + hash_W.size]
    return hash_W


class _Index:
    """All windows of the training text, sorted by hash."""

    def __init__(self, documents: Sequence[NDArray[np.int64]], n: int) -> None:
        self._n = n
        self._text = np.concatenate([np.empty(0, dtype=np.int64), *documents])
        starts = np.cumsum([0, *(document.size for document in documents)])
        hashes = [_hashes(document, n) for document in documents]
        hash_W = np.concatenate([np.empty(0, dtype=np.uint64), *hashes])
        at = [start + np.arange(found.size) for start, found in zip(starts, hashes, strict=False)]
        at_W = np.concatenate([np.empty(0, dtype=np.int64), *at])
        self._hash_W, first_W = np.unique(hash_W, return_index=True)
        self._at_W = at_W[first_W]

    def holds(self, tokens_T: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which windows of a document stand in the text, `(W,)`, compared token by token."""
        hash_W = _hashes(tokens_T, self._n)
        if hash_W.size == 0 or self._hash_W.size == 0:
            return np.zeros(hash_W.size, dtype=np.bool_)
        place_W = np.minimum(np.searchsorted(self._hash_W, hash_W), self._hash_W.size - 1)
        likely = np.flatnonzero(self._hash_W[place_W] == hash_W)
        there = sliding_window_view(self._text, self._n)[self._at_W[place_W[likely]]]
        same = (there == sliding_window_view(tokens_T, self._n)[likely]).all(axis=1)
        held_W = np.zeros(hash_W.size, dtype=np.bool_)
        held_W[likely[same]] = True
        return held_W


def _covered(
    index: _Index, documents: Sequence[ArrayLike], what: str, n: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The share of each document's tokens that lie in a stretch met before, and which documents have one to judge."""
    covered, judged = [], []
    for document in documents:
        tokens_T = _tokens(document, what)
        held_W = index.holds(tokens_T)
        # A token is covered where any of the n windows over it is held.
        edges = np.zeros(tokens_T.size + 1, dtype=np.int64)
        starts = np.flatnonzero(held_W)
        np.add.at(edges, starts, 1)
        np.add.at(edges, starts + n, -1)
        covered.append(float((np.cumsum(edges)[:-1] > 0).mean()) if tokens_T.size else 0.0)
        judged.append(tokens_T.size >= n)
    return np.array(covered), np.array(judged, dtype=np.bool_)


def _texts(random: np.random.Generator, count: int) -> list[NDArray[np.int64]]:
    """Documents of 60 tokens by Zipf's law."""
    chance_V = 1 / np.arange(1, 501)
    return list(random.choice(500, size=(count, 60), p=chance_V / chance_V.sum()))


def _null(random: np.random.Generator) -> dict[str, list[NDArray[np.int64]]]:
    return {"train": _texts(random, 60), "test": _texts(random, 20)}


def _planted(random: np.random.Generator) -> dict[str, list[NDArray[np.int64]]]:
    """Twenty tokens of one test document stand in training."""
    arrays = _null(random)
    arrays["test"][7] = np.concatenate([arrays["test"][7][:40], arrays["train"][30][10:30]])
    return arrays


def _measured(train: Sequence[ArrayLike], test: Sequence[ArrayLike]) -> Finding:
    return overlap(train, test).finding


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="Whether test documents stand in the training text.",
    measure=_measured,
    null=_null,
    planted=_planted,
    level=0.01,
    power=0.99,
    reference=REFERENCE,
)
