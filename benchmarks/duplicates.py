"""Near-duplicates between training and held-out text: processor time and memory by documents, beside a sketch of MinHash.

Documents of 300 words drawn by Zipf's law from 50,000; every fourth held-out one is a training document with a tenth of its words
changed. The exact answer names every one whose shingles say so, so that a sketch is held against it: which copies does it find,
at what time per training document, where datasketch is installed. Seconds of the processor; memory is the process's most.

Run: python benchmarks/duplicates.py [TRAIN HELD_OUT]        (20,000 and 1,000 by default)
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from kleiber.diagnose.data import duplicates

VOCABULARY, WORDS, CHANGED, EVERY = 50_000, 300, 0.1, 4
PERMUTATIONS, THRESHOLDS, SKETCHED = 128, (0.2, 0.3), 1_000


def texts(count: int, rng: np.random.Generator) -> list[str]:
    """Documents of words drawn by Zipf's law."""
    share_V = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    names = np.array([f"w{word}" for word in range(VOCABULARY)], dtype=object)
    found: list[str] = []
    for begin in range(0, count, 2_000):
        drawn = np.searchsorted(share_V / share_V[-1], rng.random((min(2_000, count - begin), WORDS)))
        found += [" ".join(row) for row in names[drawn]]
    return found


def plant(train: Sequence[str], held_out: list[str], rng: np.random.Generator) -> dict[int, int]:
    """Make every fourth held-out document a copy with a tenth of its words changed; of which training document each is."""
    source = {at: int(rng.integers(len(train))) for at in range(0, len(held_out), EVERY)}
    for at, of in source.items():
        words = train[of].split()
        held_out[at] = " ".join(f"x{k}" if rng.random() < CHANGED else word for k, word in enumerate(words))
    return source


def megabytes() -> float:
    """The most memory that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def sketched(train: Sequence[str], held_out: Sequence[str], source: dict[int, int]) -> None:
    """The same question asked of MinHash and locality-sensitive hashing."""
    import re

    from datasketch import MinHash, MinHashLSH  # pyright: ignore[reportMissingImports]

    def sketch(text: str) -> MinHash:
        words, found = re.findall(r"\w+", text.lower()), MinHash(num_perm=PERMUTATIONS)
        found.update_batch([" ".join(words[at : at + 5]).encode() for at in range(len(words) - 4)])
        return found

    held = [sketch(text) for text in held_out]
    for threshold in THRESHOLDS:
        index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        for at, one in enumerate(held):
            index.insert(at, one)
        begin = time.process_time()
        pairs = {(at, number) for number, text in enumerate(train) for at in index.query(sketch(text))}
        spent = time.process_time() - begin
        right = sum((at, of) in pairs for at, of in source.items() if of < len(train))
        asked = sum(of < len(train) for of in source.values())
        print(
            f"datasketch, threshold {threshold:g}: {1e3 * spent / len(train):.2f} ms per training document, "
            f"{right} of {asked} copies, {len({at for at, _ in pairs} - source.keys())} false"
        )


def main(count: int, held: int) -> None:
    """Draw the documents, ask, print."""
    rng = np.random.default_rng(0)
    train, held_out = texts(count, rng), texts(held, rng)
    source = plant(train[:SKETCHED], held_out, rng)
    before, begin = megabytes(), time.process_time()
    found = duplicates(train, held_out)
    spent = time.process_time() - begin
    right = len({row - 1 for row in found.rows} & source.keys())
    print(
        f"exact, {count} against {held}: {spent:.1f} s, {1e3 * spent / count:.2f} ms per training document, "
        f"{right} of {len(source)} copies keep half of their shingles, {len(found.rows) - right} false; "
        f"{before:.0f} MB with the documents, {megabytes():.0f} MB at most"
    )
    if find_spec("datasketch"):
        sketched(train[:SKETCHED], held_out, source)


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:3])) if len(sys.argv) > 2 else main(20_000, 1_000)
