"""When in training did induction heads form, and did in-context learning come with them?

The way the data takes: at each look the loss at every place, and the attention of every head on sequences that stand twice and on
such as repeat nothing -> in-context score with its standard error, prefix-matching score of each head above its control
(`Onset` gathers them) -> a curve, also as a table ->
the look from which a head stays one, beside the stretch in which the in-context score falls most.

The one idea: an induction head found at the end says nothing of when; found at one look it may be luck. So a head counts from
the first look after which it is one at every look to the end.

Source: Olsson et al. 2022 (arXiv 2209.11895), whose induction bump is the two happening together.

Shapes: C looks, H heads of all blocks, W windows, T places.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.emergence.in_context import FEWEST as FEWEST_WINDOWS
from kleiber.diagnose.emergence.in_context import difference, windows
from kleiber.diagnose.emergence.induction import REFERENCE, SHARE, bump, checked, sure_heads
from kleiber.diagnose.emergence.scores import Array
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import ColumnError, InputError, did_you_mean
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "onset of induction heads"
LEAST_LOOKS = 6
HEAD = re.compile(r"head_(\d+)_(\d+)")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Looks at a run: step, in-context score with its standard error, mean loss, each head's prefix-matching score above control.

    `even` is the score of a head that looks everywhere alike; `heads` names the heads, `block.head`.
    """

    step_C: Array
    score_C: Array
    error_C: Array
    loss_C: Array
    prefix_CH: Array
    even: float
    heads: tuple[str, ...]

    def columns(self) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
        """As the columns of a table that `kleiber diagnose induction` and `in-context --curve` read."""
        named = {f"head_{head.replace('.', '_')}": self.prefix_CH[:, at] for at, head in enumerate(self.heads)}
        fixed = {
            "step": self.step_C.astype(np.int64),
            "loss": self.loss_C,
            "score": self.score_C,
            "error": self.error_C,
        }
        return {**fixed, "even": np.full(self.step_C.size, self.even), **named}

    @property
    def bump(self) -> Finding:
        """Did in-context learning come at one step of training?"""
        return bump(self.step_C, self.score_C, self.error_C)

    @property
    def onset(self) -> Finding:
        """When did induction heads form?"""
        return onset(self)


class Onset:
    """Gathers looks at a run into a curve: step, losses `(W, T)`, attention `(H, T', T')` on what stands twice and its control.

    `blocks`: heads come block by block, as many from each. At least 20 windows a look, or the score has no error to speak of.
    """

    def __init__(self, *, blocks: int) -> None:
        self._blocks = blocks
        self._rows: list[tuple[float, float, float, float]] = []
        self._prefix: list[Array] = []
        self._even: float = float("nan")

    def __call__(self, step: int, loss_WT: ArrayLike, attention_HTT: ArrayLike, control_HTT: ArrayLike) -> None:
        """A look at the run after a step."""
        losses = windows(loss_WT)
        if len(losses) < FEWEST_WINDOWS:
            raise InputError("too few windows for a score", found=len(losses), expected=f"{FEWEST_WINDOWS} or more")
        each_W = difference(losses)
        prefix_H, _, self._even = sure_heads(checked(attention_HTT), 0.05, checked(control_HTT))
        if prefix_H.size % self._blocks or (self._prefix and prefix_H.size != self._prefix[0].size):
            raise InputError("heads do not belong to so many blocks", found=f"{prefix_H.size}, {self._blocks}")
        self._rows.append(
            (step, float(losses.mean()), float(each_W.mean()), float(each_W.std(ddof=1) / np.sqrt(each_W.size)))
        )
        self._prefix.append(prefix_H)

    @property
    def curve(self) -> Curve:
        """All looks so far."""
        if not self._rows:
            raise InputError("the run has not been looked at")
        step_C, loss_C, score_C, error_C = np.array(self._rows).T
        each = self._prefix[0].size // self._blocks
        names = tuple(f"{block + 1}.{head + 1}" for block in range(self._blocks) for head in range(each))
        return Curve(
            step_C=step_C, score_C=score_C, error_C=error_C, loss_C=loss_C, prefix_CH=np.stack(self._prefix),
            even=self._even, heads=names,
        )  # fmt: skip


def curve_of(columns: Mapping[str, ArrayLike]) -> Curve:
    """A curve from the columns of a table, as `Curve.columns` gives them.

    Raises `ColumnError` for one that is missing, `InputError` for what cannot be such a number.
    """
    for name in ("step", "score", "error", "even"):
        if name not in columns:
            raise ColumnError(f"there is no column {name!r} of numbers", remedy=did_you_mean(name, columns))
    heads = [found for name in columns if (found := HEAD.fullmatch(name))]
    if not heads:
        raise ColumnError("no column holds a head's score", expected="head_1_1, head_1_2, ... (block, head)")
    read = {name: numbers(columns[name], what=f"column {name}") for name in ("step", "score", "error", "even")}
    prefix_CH = np.stack([numbers(columns[head.group()], what=f"column {head.group()}") for head in heads], axis=1)
    _sensible(read, prefix_CH)
    return Curve(
        step_C=read["step"],
        score_C=read["score"],
        error_C=read["error"],
        loss_C=np.asarray(columns.get("loss", np.full(read["step"].size, np.nan)), dtype=float),
        prefix_CH=prefix_CH,
        even=float(read["even"][0]),
        heads=tuple(f"{head.group(1)}.{head.group(2)}" for head in heads),
    )


def _sensible(read: Mapping[str, Array], prefix_CH: Array) -> None:
    even_C = read["even"]
    if even_C.size == 0:
        raise InputError("the curve has no rows")
    if np.ptp(even_C) > 0 or not 0 < even_C[0] < 1:
        raise InputError("`even` is one share between 0 and 1, the same in every row", found=f"{even_C[0]:g}")
    if (read["error"] < 0).any():
        raise InputError("a standard error is 0 or more", found=f"{read['error'].min():g}")
    outside = np.argwhere(np.abs(prefix_CH) > 1)
    if outside.size:
        raise InputError(
            "a head's score is a difference of shares, between -1 and 1",
            found=f"{prefix_CH[tuple(outside[0])]:g} in row {outside[0, 0] + 1}",
        )
    if (np.diff(read["step"]) <= 0).any():
        raise InputError("steps do not rise", found=f"row {int(np.argmax(np.diff(read['step']) <= 0)) + 2}")


def onset(curve: Curve) -> Finding:
    """From which look on is any head an induction head, beside the largest fall of the in-context score?

    A head is one where its score above control is twice that of an even look; `value` is the step of the first head that
    stays one, the interval the look before and that one. Loud where there is such a head. Fewer than six looks cannot tell.
    """
    looks = curve.step_C.size
    if looks < LEAST_LOOKS:
        return cannot_tell(NAME, f"{looks} looks are too few; {LEAST_LOOKS} is the least.", reference=REFERENCE)
    from_H = _from_which(curve.prefix_CH > (SHARE - 1) * curve.even)
    best = int(curve.prefix_CH[-1].argmax())
    told = (
        f"the best at the end ({curve.heads[best]}) puts {show(float(curve.prefix_CH[-1, best]), 2)} more of its weight"
    )
    scale = f"than where nothing repeats (an even look puts {show(curve.even, 2)}, a perfect head 1)"
    if (from_H >= looks - 1).all():
        return Finding(
            name=NAME,
            verdict="ok",
            evidence=f"None of {len(curve.heads)} heads stays an induction head: {told} on what followed the same token before "
            f"{scale}.",
            value=None,
            reference=REFERENCE,
        )
    first = int(from_H.min())
    formed = [curve.heads[at] for at in np.flatnonzero(from_H < looks - 1)]
    before = float(curve.step_C[first - 1]) if first else 0.0
    return Finding(
        name=NAME,
        verdict="found",
        evidence=f"{_listed(formed)} of {len(curve.heads)} from step {int(curve.step_C[first])} on; {told} on what followed the "
        f"same token before {scale}. {_fall(curve, best)}",
        value=float(curve.step_C[first]),
        interval=(before, float(curve.step_C[first])),
        caveats=("That heads and score come together does not show that one makes the other.",),
        reference=REFERENCE,
    )


def _from_which(is_head_CH: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each head the first look from which it stays one, `(H,)`; the number of looks where it does not."""
    later_CH = np.flip(np.logical_and.accumulate(np.flip(is_head_CH, axis=0), axis=0), axis=0)
    return np.where(later_CH.any(axis=0), later_CH.argmax(axis=0), len(is_head_CH))


def _listed(heads: Sequence[str]) -> str:
    shown = ", ".join(heads[:6]) + (", ..." if len(heads) > 6 else "")
    return f"{len(heads)} induction head{'s' if len(heads) > 1 else ''} ({shown})"


def _fall(curve: Curve, best: int) -> str:
    """Where the in-context score falls most, and where the best head grows most."""
    fall, growth = int((-np.diff(curve.score_C)).argmax()), int(np.diff(curve.prefix_CH[:, best]).argmax())
    words = f"The in-context score falls most {_between(curve, fall)}"
    return (
        f"{words}, as that head grows most."
        if fall == growth
        else f"{words}, that head grows most {_between(curve, growth)}."
    )


def _between(curve: Curve, at: int) -> str:
    return f"between steps {int(curve.step_C[at])} and {int(curve.step_C[at + 1])}"
