"""The data there is: how many different tokens, how good, and what tokens are worth once they repeat.

The way the data takes: tiers of text (unique tokens, worth of each) -> the order in which they are read -> what any number of
tokens seen is worth in fresh tokens of the best text. The one idea: the next token comes from wherever it is worth most. A
tier read R_D times over and over loses worth as exp(-repeats / R_D), so good text is repeated until lesser text is worth as
much, and the worth of the whole is concave.

Source: Muennighoff et al. (2023, arXiv 2305.16264), equation 5 and huggingface/datablations (R_D); reading tiers in the order
of their marginal worth is what Goyal et al. (2024, arXiv 2404.07177) find to be best, with a decay of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.quantity import read, show

Array = NDArray[np.float64]
REPEATS = 15.387756  # after which data is nearly spent: datablations, utils/parametric_fit.ipynb
POINTS = 8000  # of the table that tiers are read from
SPENT = 1e-12  # of the first worth, where the table ends


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Text of one quality: `unique_tokens` different tokens, each worth `worth` tokens of the best."""

    unique_tokens: float
    worth: float = 1.0

    def __str__(self) -> str:
        return f"{show(self.unique_tokens)} tokens" + ("" if self.worth == 1 else f" at {self.worth:g}")


@dataclass(frozen=True)
class Supply:
    """Tiers of text, read in the order of their worth.

    >>> supply = Supply((Tier(unique_tokens=1e11),))
    >>> float((supply.worth(np.array(4e11)) / 1e11).round(3))
    3.726
    """

    tiers: tuple[Tier, ...]

    @classmethod
    def of(cls, text: str | float | Supply) -> Supply:
        """Read `200B`, or `200B:1,2T:0.6` for tiers with their worth; raises `InputError` for anything else.

        >>> len(Supply.of("200B:1,2T:0.6").tiers)
        2
        """
        if isinstance(text, Supply):
            return text
        tiers = []
        for piece in str(text).split(","):
            size, _, worth = piece.partition(":")
            tier = Tier(unique_tokens=read(size), worth=read(worth) if worth else 1.0)
            if not (0 < tier.unique_tokens < np.inf and 0 < tier.worth <= 1):
                raise InputError(
                    "a tier of data has a number of tokens and a worth of at most 1",
                    found=piece,
                    expected="such as 200B:1,2T:0.6",
                )
            tiers.append(tier)
        return cls(tuple(tiers))

    @property
    def unique_tokens(self) -> float:
        """Different tokens in all tiers."""
        return sum(tier.unique_tokens for tier in self.tiers)

    def worth(self, tokens: Array) -> Array:
        """What `tokens` seen are worth."""
        if len(self.tiers) == 1:
            return self.tiers[0].worth * worth(tokens, self.tiers[0].unique_tokens)
        return np.interp(tokens, *self._table)

    def seen(self, worth_of: Array) -> Array:
        """The tokens to see for a worth; infinite beyond what all tiers can be worth."""
        if len(self.tiers) == 1:
            return seen(worth_of / self.tiers[0].worth, self.tiers[0].unique_tokens)
        tokens_T, worth_T = self._table
        return np.where(worth_of <= worth_T[-1], np.interp(worth_of, worth_T, tokens_T), np.inf)

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """Tokens seen and their worth, for falling worth of the next token.

        A tier is read once when the next token is worth as much as it is fresh; further readings follow the decay.
        """
        fresh = sorted({tier.worth for tier in self.tiers}, reverse=True)
        marginal_T = np.sort(np.concatenate([np.geomspace(fresh[0], SPENT, POINTS), fresh, fresh]))[::-1]
        # Of the two entries at the worth of a fresh tier, it is untouched at the first and read once at the second.
        second_T = np.concatenate([[False], marginal_T[1:] == marginal_T[:-1]])
        tokens_T, worth_T = np.zeros(len(marginal_T)), np.zeros(len(marginal_T))
        for tier in self.tiers:
            open_T = (marginal_T < tier.worth) | ((marginal_T == tier.worth) & second_T)
            repeats_T = np.where(open_T, REPEATS * np.log(tier.worth / marginal_T), 0.0)
            tokens_T += open_T * tier.unique_tokens * (1 + repeats_T)
            worth_T += open_T * tier.worth * tier.unique_tokens * (1 - REPEATS * np.expm1(-repeats_T / REPEATS))
        return tokens_T, worth_T

    def __str__(self) -> str:
        return ", ".join(map(str, self.tiers))


def worth(tokens: Array, unique: float) -> Array:
    """What `tokens` seen are worth when only `unique` of them differ.

    U + U R (1 - exp(-(D/U - 1)/R)) beyond U, R = 15.4.

    Source: Muennighoff et al. (2023, arXiv 2305.16264), equation 5.

    >>> [round(float(worth(np.array(float(epochs)), 1.0)), 2) for epochs in (1, 2, 4, 7, 16, 40)]
    [1.0, 1.97, 3.73, 5.97, 10.58, 15.17]
    """
    repeats = np.maximum(tokens / unique - 1.0, 0.0)
    return np.minimum(tokens, unique) - unique * REPEATS * np.expm1(-repeats / REPEATS)


def seen(worth_of: Array, unique: float) -> Array:
    """The tokens to see for `worth_of` effective ones: the inverse of `worth`; infinite beyond what repeats can be worth.

    >>> round(float(seen(np.array(15.168), 1.0)), 1)
    40.0
    """
    spent = (worth_of / unique - 1.0) / REPEATS
    with np.errstate(divide="ignore", invalid="ignore"):
        repeated = unique * (1.0 - REPEATS * np.log1p(-np.clip(spent, 0.0, 1.0)))
    return np.where(spent <= 0, worth_of, np.where(spent < 1, repeated, np.inf))
