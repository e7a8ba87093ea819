"""Does held-out text stand in the training text, word for word or nearly so?

The way the data takes: documents -> hashes of every n words in a row (shingles) -> of each held-out document the share that also
stands in the training text, and the training document that holds most of them -> documents above a share.

The one idea: shared words are nothing, shared runs of words are copies. A copy with a share e of its words changed keeps about
(1 - e)^n of its shingles, so half of them still gives away one word in seven changed at n = 5.

Source: Broder 1997, "On the resemblance and containment of documents" (containment of shingles). Hashes are of 64 bits: a false
match among a billion pairs is expected once in ten billion.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME = "near-duplicates"
REFERENCE = "Broder 1997, On the resemblance and containment of documents"
WORD = re.compile(r"\w+")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MOST_WORDS, MOST_BITS = 1_000_000, 28
"""Words whose hashes are kept, and the size of the table of last bits: about 100 MB, and 256 MB at most."""


class _Words(dict[str, int]):
    """The hash of every word met so far: a text of a hundred thousand documents has few words that the one before lacked."""

    def __missing__(self, word: str) -> int:
        if len(self) >= MOST_WORDS:
            self.clear()
        self[word] = found = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        return found


def shingles(text: str, words: int = 5) -> NDArray[np.uint64]:
    """Hashes of every `words` words in a row, each once, sorted; words are lowered and punctuation does not count."""
    return np.unique(_runs(text, words, _Words()))


def _runs(text: str, words: int, known: _Words) -> NDArray[np.uint64]:
    """Hashes of every `words` words in a row, in their order."""
    found = WORD.findall(text.lower())
    if len(found) < words:
        return np.empty(0, dtype=np.uint64)
    each = np.fromiter(map(known.__getitem__, found), dtype=np.uint64, count=len(found))
    joined = np.zeros(each.size - words + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for place in range(words):
            joined = (joined ^ each[place : place + joined.size]) * MULTIPLIER
            joined ^= joined >> np.uint64(29)
    return joined


def duplicates(train: Sequence[str], held_out: Sequence[str], *, words: int = 5, share: float = 0.5) -> Finding:
    """Held-out documents of which at least `share` of the runs of `words` words stand in the training text.

    `value` is the share of held-out documents that do, `rows` their numbers from 1. Raises `InputError` for no documents or an
    impossible share; held-out documents that are all shorter than `words` cannot tell.
    """
    if not train or not held_out:
        raise InputError("there are no documents", found=f"{len(train)} to train on, {len(held_out)} held out")
    if not 0 < share <= 1 or words < 2:
        raise InputError("a share above 0 and runs of two words or more", found=f"{share:g}, {words}")
    known = _Words()
    held = [np.unique(_runs(text, words, known)) for text in held_out]
    long = [number for number, found in enumerate(held) if found.size]
    if not long:
        return cannot_tell(
            NAME, f"No held-out document has {words} words.", remedy="shorter runs (--words 2)", reference=REFERENCE
        )
    wanted = np.unique(np.concatenate(held))
    seen, source = _sources(train, wanted, words, known)
    parts: list[tuple[float, int, int]] = []
    for number in long:
        place = np.searchsorted(wanted, held[number])
        hits = place[seen[place]]
        partner = _most_frequent(source[hits]) if hits.size else -1
        parts.append((hits.size / held[number].size, number, partner))
    copies = sorted((part for part in parts if part[0] >= share), reverse=True)
    return _finding(copies, parts, len(held_out), len(long), words, share)


def _sources(
    train: Sequence[str], wanted: NDArray[np.uint64], words: int, known: _Words
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which held-out shingles stand in the training text, and the first training document that has each.

    Nearly every run of words of the training text is in no held-out document, and a table of their last bits says so in one
    look; only the rest is searched for.
    """
    seen = np.zeros(wanted.size, dtype=bool)
    source = np.zeros(wanted.size, dtype=np.int64)
    bits = min(MOST_BITS, int(wanted.size).bit_length() + 3)
    last, table = np.uint64((1 << bits) - 1), np.zeros(1 << bits, dtype=bool)
    table[wanted & last] = True
    for number, text in enumerate(train):
        found = _runs(text, words, known)
        found = found[table[found & last]]
        if found.size:
            place = np.searchsorted(wanted, found).clip(max=wanted.size - 1)
            hits = place[wanted[place] == found]
            new = hits[~seen[hits]]
            seen[new], source[new] = True, number
    return seen, source


def _most_frequent(numbers_K: NDArray[np.int64]) -> int:
    """The number that occurs most often, the smallest of several."""
    each, counts = np.unique(numbers_K, return_counts=True)
    return int(each[counts.argmax()])


def _finding(
    copies: list[tuple[float, int, int]],
    parts: list[tuple[float, int, int]],
    held: int,
    long: int,
    words: int,
    share: float,
) -> Finding:
    highest, number, partner = max(parts)
    short = f" ({held - long} are too short to ask)" if held > long else ""
    named = f"training document {partner + 1}" if partner >= 0 else "none"
    most = f"the most is {100 * highest:.2g} % of held-out document {number + 1} ({named})"
    return Finding(
        name=NAME,
        verdict="problem" if copies else "ok",
        evidence=f"{len(copies)} of {long} held-out documents{short} have {100 * share:g} % of their runs of {words} words "
        f"or more in the training text; {most}.",
        remedy="take these documents out of the training text, or out of the test" if copies else "",
        rows=tuple(sorted(number + 1 for _, number, _ in copies)),
        value=len(copies) / long,
        caveats=("Quotations and set phrases are shared runs of words, too: look at what is named.",),
        reference=REFERENCE,
    )


VOCABULARY = 2000


def _texts(rng: np.random.Generator, copied: bool) -> Arrays:
    """Documents of words drawn by Zipf's law; one held-out document may be a training one with a tenth of its words changed."""
    weights = 1 / np.arange(1, VOCABULARY + 1)
    draws = rng.choice(VOCABULARY, size=(24, 300), p=weights / weights.sum())
    if copied:
        changed = rng.random(300) < 0.1
        draws[20] = np.where(changed, rng.choice(VOCABULARY, size=300), draws[int(rng.integers(20))])
    texts = [" ".join(f"w{word}" for word in row) for row in draws]
    return {"train": texts[:20], "held_out": texts[20:]}


def apart(rng: np.random.Generator) -> Arrays:
    """Documents that share words and nothing else."""
    return _texts(rng, copied=False)


def copied(rng: np.random.Generator) -> Arrays:
    """A held-out document copied from a training one, one word in ten changed."""
    return _texts(rng, copied=True)


DUPLICATES = Diagnostic(
    name=NAME,
    title="Does held-out text stand in the training text?",
    measure=duplicates,
    null=apart,
    planted=copied,
    level=0.01,
    power=0.9,
    reference=REFERENCE,
)
