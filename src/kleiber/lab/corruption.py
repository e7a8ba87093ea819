"""Clean documents -> the same documents spoilt on purpose: noise, repetition, a biased choice, a mixture.

What is spoilt is the training text alone; held-out text is never touched, so that every loss is measured by the same
yardstick. Each change is a pure function of text and seed, and grows with its dose: the bytes that are noise at 10 % are
noise at 20 % too, and the documents that are repeated at a share of one quarter are repeated at one half, so that two
doses differ by the dose and not by the draw. First the
documents are chosen (mixture, size, at random), then spoilt by noise, then repeated: a copy is a copy, noise and all. Where
the corpus has a tokenizer, what it cuts is the noisy text; noise on labels is noise on tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, did_you_mean
from kleiber.lab.corpus import SEPARATOR, Corpus, read_corpus
from kleiber.lab.shape import VOCABULARY

Text = NDArray[np.integer]
# One stream of random numbers for each use, so that one setting leaves the draws of another alone.
_MIXTURE, _DUPLICATE, _BYTES, _LABELS, _KEEP = range(5)


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a stage of a ladder does to its training text.

    `mixture`: sources and their shares of the text, `{sotu = 0.7, "path" = 0.3}`. `shortest`, `longest`: keep that share
    of the documents, the shortest or longest; `keep`: that share of them, drawn at random. `duplicate`: the share of
    documents that stand in the text `times` times. `noise`: the share of bytes replaced by uniform random ones.
    `label_noise`: the same for what training is told comes next, while the text that is read stays clean. Noise is drawn
    once: an epoch sees what the last one saw.

    >>> Data.read({"noise": 0.1}).facts()
    {'noise': 0.1}
    """

    mixture: tuple[tuple[str, float], ...] = ()
    shortest: float = 1.0
    longest: float = 1.0
    keep: float = 1.0
    duplicate: float = 0.0
    times: int = 2
    noise: float = 0.0
    label_noise: float = 0.0
    seed: int = 0

    @staticmethod
    def read(raw: dict[str, Any], *, where: str = "data") -> Data:
        """The `data` table of a ladder. Raises `InputError` naming the key."""
        known = tuple(Data.__dataclass_fields__)
        for key, value in raw.items():
            if key not in known:
                raise InputError(f"`{key}` is not known of data", remedy=did_you_mean(key, known), where=where)
            _check(key, value, where)
        if "times" in raw and "duplicate" not in raw:
            raise InputError("`times` says how often, but not what", remedy="name `duplicate`, a share", where=where)
        mixture = tuple(sorted((name, float(share)) for name, share in raw.get("mixture", {}).items()))
        # 1 and 1.0 are one setting, and so make one name.
        given = {key: type(getattr(Data(), key))(value) for key, value in raw.items() if key != "mixture"}
        return Data(**given, mixture=mixture)

    def facts(self) -> dict[str, Any]:
        """What differs from clean text, for a run's name; nothing where the text is clean."""
        clean = Data()
        facts = {name: getattr(self, name) for name in Data.__dataclass_fields__}
        changed = {name: value for name, value in facts.items() if value != getattr(clean, name)}
        if self.duplicate:
            return {**changed, "times": self.times}
        return changed if changed.keys() - {"times", "seed"} else {}


CLEAN = Data()


def spoil(corpus: Corpus, data: Data, *, read: Callable[[str], Corpus] = read_corpus) -> Corpus:
    """The corpus a stage trains on; the one handed in where `data` asks for nothing.

    `read` fetches the sources of a mixture. Raises `InputError` where too little text is left.
    """
    cut = corpus.tokenizer.encoded if corpus.tokenizer else _as_it_is
    if not data.facts():
        return cut(corpus)
    documents = corpus.train_documents
    if data.mixture:
        others = [corpus if name == corpus.source else read(name) for name, _ in data.mixture]
        documents = mixed(_apart(corpus, others), [share for _, share in data.mixture], seed=data.seed)
    documents = by_size(documents, shortest=data.shortest, longest=data.longest)
    documents = at_random(documents, data.keep, seed=data.seed)
    if not documents:
        raise InputError("no document is left to train on", found=data.facts(), remedy="keep a larger share")
    documents, repeated = front(documents, data.duplicate, seed=data.seed)
    clean = np.frombuffer(SEPARATOR.join(text.tobytes() for text in documents), dtype=np.uint8)
    noise = noisy(clean, data.noise, seed=data.seed)
    once = cut(replace(corpus, train=noise, train_sizes=tuple(text.size for text in documents)))
    labels = noisy(once.train, data.label_noise, seed=data.seed, stream=_LABELS, vocabulary=once.vocabulary)
    return _repeated(
        replace(once, labels=labels if data.label_noise else None), repeated, data.times if repeated else 1
    )


def noisy(text: Text, share: float, *, seed: int, stream: int = _BYTES, vocabulary: int = VOCABULARY) -> Text:
    """A share of the tokens, each drawn on its own, replaced by uniform random ones (of bytes 1 in 256 is what it was)."""
    where = np.random.default_rng([seed, stream, 0]).random(text.size) < share
    other = np.random.default_rng([seed, stream, 1]).integers(vocabulary, size=text.size, dtype=text.dtype)
    return np.where(where, other, text)


def front(documents: Sequence[Text], share: float, *, seed: int) -> tuple[list[Text], int]:
    """A share of the documents, drawn at random, moved to the front, and how many they are."""
    count = round(share * len(documents))
    if not count:
        return list(documents), 0
    order = np.random.default_rng([seed, _DUPLICATE]).permutation(len(documents))
    return [documents[index] for index in order], count


def by_size(documents: Sequence[Text], *, shortest: float = 1.0, longest: float = 1.0) -> list[Text]:
    """The shortest and the longest share of the documents (both named: those that are in both), in the order they had."""
    rank = np.empty(len(documents), dtype=np.int64)
    rank[np.argsort([text.size for text in documents], kind="stable")] = np.arange(len(documents))
    low, high = len(documents) - round(longest * len(documents)), round(shortest * len(documents))
    return [text for text, place in zip(documents, rank, strict=True) if low <= place < high]


def at_random(documents: Sequence[Text], share: float, *, seed: int) -> list[Text]:
    """A share of the documents drawn at random, in the order they had; a smaller share is part of a larger one."""
    order = np.random.default_rng([seed, _KEEP]).permutation(len(documents))
    return [documents[index] for index in sorted(order[: round(share * len(documents))])]


def mixed(sides: Sequence[Sequence[Text]], shares: Sequence[float], *, seed: int) -> list[Text]:
    """Documents of several sources, each source with its share of the bytes, none repeated.

    The source that runs out first sets the size of the whole; of the others documents are drawn at random, the
    last one cut where the share is full.
    """
    whole = min(sum(text.size for text in side) / share for side, share in zip(sides, shares, strict=True))
    chosen: list[Text] = []
    for number, (side, share) in enumerate(zip(sides, shares, strict=True)):
        left = round(whole * share)
        for index in np.random.default_rng([seed, _MIXTURE, number]).permutation(len(side)):
            if left > 0:
                chosen.append(side[index][:left])
                left -= chosen[-1].size
    return chosen


def _apart(corpus: Corpus, others: Sequence[Corpus]) -> list[list[Text]]:
    """The others' training documents, each once, without those that `corpus` holds out."""
    met = {_hash(text) for text in corpus.held_out}
    sides: list[list[Text]] = []
    for other in others:
        by_hash = {_hash(text): text for text in other.train_documents}
        sides.append([text for name, text in by_hash.items() if name not in met])
        met |= by_hash.keys()
    return sides


def _hash(text: Text) -> bytes:
    return hashlib.sha256(text.tobytes()).digest()


def _as_it_is(corpus: Corpus) -> Corpus:
    return corpus


def _repeated(corpus: Corpus, repeated: int, copies: int) -> Corpus:
    """The corpus with its first `repeated` documents standing `copies` times."""
    sizes = corpus.train_sizes
    again = sum(size + len(SEPARATOR) for size in sizes[:repeated])
    return replace(
        corpus,
        train=_repeat(corpus.train, again, copies),
        labels=None if corpus.labels is None else _repeat(corpus.labels, again, copies),
        train_sizes=sizes + sizes[:repeated] * (copies - 1),
        repeated=repeated,
        copies=copies,
    )


def _repeat(text: Text, again: int, copies: int) -> Text:
    """The text, and its first `again` tokens (whole documents, each with its separator) until they stand `copies` times."""
    if copies == 1:
        return text
    ended = np.append(text, np.frombuffer(SEPARATOR, dtype=np.uint8).astype(text.dtype))
    return np.concatenate([ended, *[ended[:again]] * (copies - 1)])[: -len(SEPARATOR)]


def _check(key: str, value: Any, where: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "mixture":
        shares = list(value.values()) if isinstance(value, dict) else []
        fine = bool(shares) and all(isinstance(share, int | float) and share > 0 for share in shares)
        expected = "sources and their shares, such as {sotu = 0.7, 'folder' = 0.3}"
    elif key in ("times", "seed"):
        fine, expected = number and value == int(value) and value >= (2 if key == "times" else 0), "a whole number"
        expected = "a whole number of 2 or more" if key == "times" else "a whole number"
    elif key in ("shortest", "longest", "keep"):
        fine, expected = number and 0 < value <= 1, "a share above 0, up to 1"
    else:
        fine, expected = number and 0 <= value <= 1, "a share from 0 to 1"
    if not fine:
        raise InputError(f"`{key}` of data makes no sense", found=repr(value), expected=expected, where=where)
