"""Zipf and Heaps: how word frequencies fall with rank and vocabulary grows with length, beside what letters at random would give.

The way the data takes: words -> frequencies, their power law (`tails`) and Zipf's exponent 1 / (alpha - 1) -> distinct words
over length and Heaps' exponent -> the same of texts typed at random from the same letters and as many blanks (Miller's
monkeys), which follow Zipf's law too: a Zipf exponent near 1 says nothing of meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.criticality import resample
from kleiber.diagnose.criticality.sample import sample_of
from kleiber.diagnose.criticality.xmin import find_start
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME = "zipf_heaps"
REFERENCE = "Miller 1957, American Journal of Psychology 70:311 (random typing); Clauset et al. 2009 (the fit)"
FEWEST, MONKEYS, LEVEL, POINTS = 1000, 39, 0.05, 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Words:
    """Zipf's exponent s of frequency ~ rank^-s, Heaps' exponent b of vocabulary ~ length^b, and those of monkeys."""

    zipf: float
    heaps: float
    vocabulary: int
    monkey_zipf: float
    monkey_heaps: Array
    finding: Finding


def heaps_exponent(places_n: NDArray[np.int64]) -> float:
    """b of vocabulary ~ length^b over lengths from 1 % of the words to all, given each word's number `(n,)`."""
    new_n = np.zeros(places_n.size, dtype=np.int64)
    new_n[np.unique(places_n, return_index=True)[1]] = 1
    lengths = np.unique(np.geomspace(max(places_n.size // 100, 10), places_n.size, POINTS).astype(np.int64))
    return float(np.polyfit(np.log(lengths), np.log(np.cumsum(new_n)[lengths - 1]), 1)[0])


def zipf_exponent(frequencies: Array) -> float:
    """s = 1 / (alpha - 1), alpha the exponent of the frequencies' tail."""
    return 1 / (find_start(sample_of(frequencies, discrete=True)).alpha - 1)


def words(text: Sequence[str], *, monkeys: int = MONKEYS, seed: int = 0) -> Words | Finding:
    """Zipf's and Heaps' exponents of at least 1,000 words, beside those of `monkeys` typing their letters at random.

    >>> monkey = "".join(np.random.default_rng(0).choice(list("abc "), size=8000)).split()
    >>> words(monkey).finding.verdict
    'ok'
    """
    if len(text) < FEWEST:
        return cannot_tell(NAME, f"{len(text)} words are too few.", remedy=f"give {FEWEST} words", reference=REFERENCE)
    _, places, counts = np.unique(np.array(text), return_inverse=True, return_counts=True)
    if np.unique(counts).size < 3:
        return cannot_tell(NAME, f"All {counts.size} words are equally frequent.", reference=REFERENCE)
    rng = np.random.default_rng(seed)
    typed = [_monkey(text, rng) for _ in range(monkeys)]
    heaps, null = heaps_exponent(places), np.array([heaps_exponent(each) for each in typed])
    zipf, monkey_zipf = zipf_exponent(counts.astype(float)), zipf_exponent(np.bincount(typed[0]).astype(float))
    share = resample.two_sided(heaps, null)
    loud = share <= LEVEL
    low, high = null.min(), null.max()
    said = (
        f"Frequencies fall as rank^-{zipf:.2f} (typed at random: {monkey_zipf:.2f}) and vocabulary grows as "
        f"length^{heaps:.2f} (typed at random: {low:.2f} to {high:.2f}, p = {share:.2f})"
    )
    end = "the words are not letters at random" if loud else "letters at random give as much"
    finding = Finding(
        name=NAME,
        verdict="found" if loud else "ok",
        value=heaps,
        evidence=f"{said}: {end}.",
        caveats=("Zipf's law alone tells no language from random typing.",),
        reference=REFERENCE,
    )
    return Words(
        zipf=zipf,
        heaps=heaps,
        vocabulary=counts.size,
        monkey_zipf=monkey_zipf,
        monkey_heaps=null,
        finding=finding,
    )


def _monkey(text: Sequence[str], rng: np.random.Generator) -> NDArray[np.int64]:
    """As many words, each given by a number: the text's letters at random, and a blank after each at one rate."""
    letters = np.frombuffer("".join(text).encode("utf-32-le"), dtype=np.uint32)
    lengths_n = rng.geometric(len(text) / letters.size, size=len(text))
    starts_n = np.cumsum(lengths_n) - lengths_n
    typed = rng.choice(letters, size=int(lengths_n.sum())).astype(np.uint64)
    places = np.arange(typed.size) - np.repeat(starts_n, lengths_n)
    # Two words are the same if these sums are, up to chances of one in 10^19: letters times numbers of their places.
    factors = np.random.default_rng(1).integers(1, 2**63, size=int(lengths_n.max()), dtype=np.uint64)
    mixed = (typed + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    sums_n = np.add.reduceat((mixed ^ (mixed >> np.uint64(29))) * factors[places], starts_n)
    return np.unique(sums_n, return_inverse=True)[1]


def measure(text: Sequence[str]) -> Finding:
    """The finding alone."""
    found = words(text)
    return found if isinstance(found, Finding) else found.finding


def null(rng: np.random.Generator) -> Arrays:
    """Five letters and a blank, typed at random."""
    return {"text": "".join(rng.choice(list("abcde "), size=9000, p=[0.2, 0.2, 0.2, 0.1, 0.1, 0.2])).split()}


def planted(rng: np.random.Generator) -> Arrays:
    """A lexicon of 3,000 words drawn by Zipf's law, whatever their letters."""
    lexicon = np.array(["".join(rng.choice(list("abcdefghij"), size=size)) for size in rng.integers(2, 9, 3000)])
    chances = 1 / np.arange(1, lexicon.size + 1)
    return {"text": rng.choice(lexicon, size=1500, p=chances / chances.sum()).tolist()}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="words that are not letters at random",
    measure=measure,
    null=null,
    planted=planted,
    reference=REFERENCE,
)
