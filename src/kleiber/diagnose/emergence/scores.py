"""What every question about an accuracy asks of it first: whole counts, right out of asked, with the interval they leave.

One idea: an accuracy is a count. 0 of n is not 0: it leaves up to about 3/n, and a jump from there may be none.

Source: Clopper & Pearson 1934, Biometrika 26, 404; 3/n is Hanley & Lippman-Hand 1983, JAMA 249, 1743.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.quantiles import beta
from kleiber.diagnose.series import numbers
from kleiber.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """M models in order of scale: `x_M` what is scaled, `correct_M` of `asked_M`, tokens of an answer `length_M`, `chance`."""

    x_M: Array
    correct_M: Array
    asked_M: Array
    length_M: Array
    chance: float = 0.0

    @property
    def accuracy_M(self) -> Array:
        """Share of right answers."""
        return self.correct_M / self.asked_M

    @property
    def inner_M(self) -> NDArray[np.bool_]:
        """Models that are neither at the bottom nor at the top of the metric, so that their accuracy says how good they are."""
        return (self.accuracy_M > self.chance) & (self.correct_M < self.asked_M)

    def keep(self, which: ArrayLike) -> Scores:
        """Some of the models."""
        rows = np.asarray(which)
        return Scores(
            x_M=self.x_M[rows],
            correct_M=self.correct_M[rows],
            asked_M=self.asked_M[rows],
            length_M=self.length_M[rows],
            chance=self.chance,
        )


def scores(
    x: ArrayLike, correct: ArrayLike, asked: ArrayLike, length: ArrayLike = 1.0, *, chance: float = 0.0
) -> Scores:
    """The arrays `(M,)`, checked and sorted by `x`; `length` is one number or one a model.

    Raises `InputError` for what is no count, more right than asked, a scale that is not positive, a chance outside 0 to 1.
    """
    scale, right, total = numbers(x, what="x"), numbers(correct, what="correct"), numbers(asked, what="asked")
    tokens = np.broadcast_to(np.asarray(length, dtype=float), scale.shape)
    sizes = {"x": scale.size, "correct": right.size, "asked": total.size}
    if len(set(sizes.values())) > 1:
        raise InputError("the arrays have different lengths", found=", ".join(f"{k} {v}" for k, v in sizes.items()))
    if not 0 <= chance < 1:
        raise InputError("chance is a share", found=chance, expected="from 0 to below 1")
    checks = (
        ("x must be positive", scale <= 0, scale),
        ("asked must be at least 1", total < 1, total),
        ("correct cannot be negative", right < 0, right),
        ("more are right than were asked", right > total, right),
        ("an answer has at least one token", ~(tokens >= 1), tokens),
    )
    for words, bad_M, values in checks:
        if bad_M.any():
            row = int(np.flatnonzero(bad_M)[0])
            raise InputError(words, found=f"{values[row]:g} at row {row + 1}")
    for name, values in (("correct", right), ("asked", total)):
        broken = np.flatnonzero(values != np.round(values))
        if broken.size:
            raise InputError(
                f"{name} must be whole numbers",
                found=f"{values[broken[0]]:g} at row {broken[0] + 1}",
                remedy="hand in counts, not shares; the size of the test decides what can be said",
            )
    order = np.argsort(scale, kind="stable")
    return Scores(
        x_M=scale[order],
        correct_M=right[order],
        asked_M=total[order],
        length_M=tokens[order].astype(float),
        chance=chance,
    )


def exact_interval(correct: ArrayLike, asked: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Clopper and Pearson's interval of a share, arrays in and out.

    >>> low, high = exact_interval([0], [300])
    >>> float(low[0]), round(float(high[0]) * 300, 2)
    (0.0, 3.67)

    Source: Clopper & Pearson 1934: beta quantiles at (1 -+ level) / 2.
    """

    right, total = np.asarray(correct, dtype=float), np.asarray(asked, dtype=float)
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(right > 0, beta(tail, right, total - right + 1), 0.0)
        high = np.where(right < total, beta(1 - tail, right + 1, total - right), 1.0)
    return low, high


def upper_of_none(asked: float, level: float = 0.95) -> float:
    """The largest rate that 0 of `asked` leaves, one-sided: 1 - (1 - level)^(1/n), about 3/n.

    >>> round(upper_of_none(100) * 100, 2)
    2.95
    """
    return float(1 - (1 - level) ** (1 / asked))
