"""The loss of any shape of an option, under every draw: a user's law, carried over to the option's family.

The way the data takes: fit(s) of a family -> surfaces (point estimate and draws) -> params and tokens of a shape turned into
those of the dense model they are worth (`laws.transfer`) -> loss for all draws at once. The one idea: runs of the family
itself speak for it; where there are none, what one laboratory found between two families, in the same data and units, is
carried over to the user's law as a factor on params and tokens. Each such loan is named in the plan's caveats, and its doubt,
the disagreement of the published pairs, goes through the draws.

Tokens beyond the unique ones count for what Muennighoff et al. (2023, arXiv 2305.16264, equation 5) found repeats to be worth,
unless the law has a say of its own about `unique_tokens`.

Legend: K rows (the point estimate, then B draws), M shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.laws.transfer import Transfer
from kleiber.plan.architecture.rounding import Rounding
from kleiber.plan.architecture.supply import Supply
from kleiber.plan.surface import Surface

Array = NDArray[np.float64]
BISECTIONS = 60
GOLDEN = 0.6180339887498949
MOST_TOKENS = 1e18
ROUNDINGS = 8  # of the tokens for a target, each with the penalty at the tokens before: it moves them little


@dataclass(frozen=True, kw_only=True, eq=False)
class Quality:
    """Loss of an option's shapes under `surfaces`, whose rows follow one another; row 0 of each is its point estimate.

    `shares`: the weight of each surface; its part of the draws is in proportion already. `offset_K` is added to the loss;
    `supply`: the data there is (None: as much as one likes, all alike); `rounding`: what serving in few bits adds.
    """

    surfaces: tuple[Surface, ...]
    shares: tuple[float, ...]
    transfer: Transfer
    offset_K: Array
    supply: Supply | None = None
    rounding: Rounding | None = None

    @property
    def rows(self) -> int:
        """K: the point estimate and all draws."""
        return len(self.offset_K)

    def effective(self, tokens: Array) -> Array:
        """What tokens seen are worth in fresh ones."""
        return tokens if self.supply is None else self.supply.worth(tokens)

    def loss(self, params_M: Array, tokens_KM: Array, rows: slice = slice(None)) -> Array:
        """Loss (K, M) of shapes of `params_M` trained on `tokens_KM`, (M,) or (K, M), at some of the rows."""
        added_KM = self._rounded(params_M, tokens_KM, rows)
        params_M = self.transfer.params(params_M)
        tokens_KM = self.transfer.tokens(self.effective(tokens_KM))
        chosen = range(*rows.indices(self.rows))
        pieces, begin = [], 1
        with_point = 0 in chosen
        if with_point:
            pieces.append(self._point(params_M, _some(tokens_KM, slice(0, 1))))
        for surface in self.surfaces:
            size = len(surface.theta_KP) - 1
            first, last = max(begin, chosen.start), min(begin + size, chosen.stop)
            if first < last:
                drawn = surface.rows(slice(1 + first - begin, 1 + last - begin))
                pieces.append(drawn.loss(params_M, _some(tokens_KM, slice(first, last))))
            begin += size
        return np.concatenate(pieces) + self.offset_K[rows, None] + added_KM

    def _rounded(self, params_M: Array, tokens_KM: Array, rows: slice) -> Array | float:
        return 0.0 if self.rounding is None else self.rounding.penalty(params_M, _some(tokens_KM, rows), rows)

    def _point(self, params_M: Array, tokens_M: Array) -> Array:
        parts = [surface.point.loss(params_M, tokens_M) for surface in self.surfaces]
        return sum((share * part for share, part in zip(self.shares, parts, strict=True)), np.zeros_like(parts[0]))

    def tokens_for(self, params_M: Array, target: float, rows: slice = slice(None)) -> Array:
        """The tokens (K, M) from which on shapes of `params_M` reach `target`; infinite where they never do.

        In closed form where tokens stand in one term of the law, else by bisection in ln(tokens): the loss falls with tokens.
        """
        only = self.surfaces[0] if len(self.surfaces) == 1 else None
        term = only.token_term() if only is not None else None
        if only is None or term is None:
            return self._bisect(params_M, target, rows)
        coefficient_K, exponent_K = (part[rows, None] for part in term)
        surface = only.rows(rows)
        # At no end of tokens the term is gone, and what is left is the best that size alone can do.
        alone_KM = surface.loss(self.transfer.params(params_M), np.full(len(params_M), np.inf))
        rest_KM = alone_KM + self.offset_K[rows, None]
        tokens_KM = self._in_one_term(coefficient_K, exponent_K, target - rest_KM)
        for _ in range(ROUNDINGS if self.rounding is not None else 0):
            assert self.rounding is not None
            with np.errstate(invalid="ignore", over="ignore"):
                added_KM = self.rounding.penalty(params_M, tokens_KM, rows)
            tokens_KM = self._in_one_term(coefficient_K, exponent_K, target - rest_KM - added_KM)
        return tokens_KM

    def _in_one_term(self, coefficient_K: Array, exponent_K: Array, left_KM: Array) -> Array:
        """The tokens at which coefficient / effective tokens^exponent is what is left."""
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = (coefficient_K / left_KM) ** (1 / exponent_K)
        needed = np.where(left_KM > 0, needed, np.inf)
        raw = (needed / self.transfer.tokens_factor) ** (1 / self.transfer.tokens_power)
        return raw if self.supply is None else self.supply.seen(raw)

    def enough(self, params_M: Array) -> Array:
        """The tokens (M,) beyond which the point estimate says that training longer does harm: rounding costs ever more.

        Infinite where weights stay as trained. By golden section in ln(tokens): the loss falls, then rises.
        """
        if self.rounding is None:
            return np.full(len(params_M), np.inf)
        low, high = np.zeros(len(params_M)), np.full(len(params_M), np.log(MOST_TOKENS))
        for _ in range(BISECTIONS):
            left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
            one, other = (self.loss(params_M, np.exp(x)[None], slice(0, 1))[0] for x in (left, right))
            low, high = np.where(one > other, left, low), np.where(one > other, high, right)
        return np.exp((low + high) / 2)

    def _bisect(self, params_M: Array, target: float, rows: slice) -> Array:
        low = np.zeros((len(self.offset_K[rows]), len(params_M)))
        high = np.full_like(low, np.log(MOST_TOKENS))
        reached = self.loss(params_M, np.array([MOST_TOKENS]), rows) <= target
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            tokens_KM = np.exp(middle)
            over = ~(self._at_own(params_M, tokens_KM, rows) <= target)
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        return np.where(reached, np.exp(high), np.inf)

    def _at_own(self, params_M: Array, tokens_KM: Array, rows: slice) -> Array:
        """Loss where `tokens_KM` holds the rows asked for only."""
        whole_KM = np.ones((self.rows, len(params_M)))
        whole_KM[rows] = tokens_KM
        return self.loss(params_M, whole_KM, rows)


def _some(tokens_KM: Array, rows: slice) -> Array:
    """Rows of tokens that may be the same for all of them."""
    return tokens_KM[rows] if tokens_KM.ndim == 2 and len(tokens_KM) > 1 else tokens_KM
