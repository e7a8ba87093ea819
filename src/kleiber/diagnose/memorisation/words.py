"""Texts as numbers of words, so that runs of words can be compared: the same word has the same number in every text.

One idea: case and punctuation are layout. Words are lowered runs of letters, digits and underscores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WORD = re.compile(r"\w+")


def numbered(*collections: Sequence[str]) -> tuple[list[NDArray[np.int64]], ...]:
    """Each collection's documents as series of word numbers, by one vocabulary for all.

    >>> train, test = numbered(["A rose is a rose."], ["a ROSE"])
    >>> train[0].tolist(), test[0].tolist()
    ([0, 1, 2, 0, 1], [0, 1])
    """
    number_of: dict[str, int] = {}
    return tuple(
        [
            np.array(
                [number_of.setdefault(word, len(number_of)) for word in WORD.findall(text.lower())], dtype=np.int64
            )
            for text in texts
        ]
        for texts in collections
    )
