"""RoutingTrace: how many tokens each expert of each layer was sent, step by step.

The way the data takes: a file (`kleiber.experts.read`) or an array -> `RoutingTrace` -> loads per layer and expert, over all
steps or over a window of them. One idea: a placement needs only counts; of the choices themselves only which experts are chosen
*together* is kept, as counts too, so that a trace of any length fits in memory.

Shapes: S steps, L layers, E experts, T tokens, K choices of a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class RoutingTrace:
    """Tokens per step, layer and expert.

    `count_SLE`: assignments (a token with k choices counts k times); `step_S` and `layer_L`: their numbers in the run that was
    traced; `together_LEE`: tokens that chose both of two experts (None where only counts were recorded); `choices`: k, where
    known.

    >>> trace = RoutingTrace.from_counts([[[3, 1, 0, 4]], [[1, 1, 0, 6]]])
    >>> trace.load_LE
    array([[ 4.,  2.,  0., 10.]])
    """

    count_SLE: Floats
    step_S: tuple[int, ...]
    layer_L: tuple[int, ...]
    together_LEE: Floats | None = None
    choices: int | None = None
    source: str = "an array"

    @staticmethod
    def from_counts(
        counts: ArrayLike,
        *,
        steps: tuple[int, ...] | None = None,
        layers: tuple[int, ...] | None = None,
        source: str = "an array",
    ) -> RoutingTrace:
        """A trace from an array (steps x layers x experts, or layers x experts for one step).

        Raises `InputError` naming step, layer and expert of a count that is negative or not finite.
        """
        count_SLE = checked_counts(counts, source)
        return RoutingTrace(
            count_SLE=count_SLE,
            step_S=steps if steps is not None else tuple(range(count_SLE.shape[0])),
            layer_L=layers if layers is not None else tuple(range(count_SLE.shape[1])),
            source=source,
        )

    @staticmethod
    def from_choices(choices: ArrayLike, *, experts: int, source: str = "an array") -> RoutingTrace:
        """A trace from the experts chosen by each token (steps x layers x tokens x k).

        >>> RoutingTrace.from_choices([[[[0, 1], [0, 2]]]], experts=3).together_LEE[0]
        array([[2., 1., 1.],
               [1., 1., 0.],
               [1., 0., 1.]])
        """
        choice_SLTK = np.asarray(choices)
        if choice_SLTK.ndim != 4 or not np.issubdtype(choice_SLTK.dtype, np.integer):
            raise InputError(
                "choices are whole numbers, steps x layers x tokens x k", found=choice_SLTK.shape, where=source
            )
        steps, layers, _, chosen = choice_SLTK.shape
        count_SLE, together_LEE = np.zeros((steps, layers, experts)), np.zeros((layers, experts, experts))
        for step, layer in np.ndindex(steps, layers):
            counts_E, pairs_EE = tally(choice_SLTK[step, layer], experts, f"{source}, step {step}, layer {layer}")
            count_SLE[step, layer] = counts_E
            together_LEE[layer] += pairs_EE
        whole = RoutingTrace.from_counts(count_SLE, source=source)
        return replace(whole, together_LEE=together_LEE, choices=chosen)

    @property
    def steps(self) -> int:
        """S."""
        return self.count_SLE.shape[0]

    @property
    def layers(self) -> int:
        """L."""
        return self.count_SLE.shape[1]

    @property
    def experts(self) -> int:
        """E."""
        return self.count_SLE.shape[2]

    @property
    def load_LE(self) -> Floats:
        """Assignments per layer and expert over the whole trace."""
        return self.count_SLE.sum(axis=0)

    def window(self, begin: int, end: int) -> RoutingTrace:
        """The steps from `begin` up to `end`, by position."""
        return replace(self, count_SLE=self.count_SLE[begin:end], step_S=self.step_S[begin:end], together_LEE=None)

    def windows(self, count: int) -> Iterator[RoutingTrace]:
        """The trace cut into `count` stretches of equal length, the last steps left out where they do not divide.

        Raises `InputError` where there are fewer steps than windows.
        """
        if not 1 <= count <= self.steps:
            raise InputError(
                "the trace cannot be cut into that many windows",
                found=f"{count} windows of {self.steps} steps",
                where=self.source,
            )
        length = self.steps // count
        yield from (self.window(start * length, (start + 1) * length) for start in range(count))


def tally(choice_TK: NDArray[np.integer], experts: int, where: str) -> tuple[Floats, Floats]:
    """Tokens per expert and per pair of experts (the diagonal holds the tokens of each)."""
    if choice_TK.size and (choice_TK.min() < 0 or choice_TK.max() >= experts):
        wrong = choice_TK.min() if choice_TK.min() < 0 else choice_TK.max()
        raise InputError("no such expert", found=int(wrong), expected=f"0 to {experts - 1}", where=where)
    chosen_TE = np.zeros((len(choice_TK), experts))
    np.put_along_axis(chosen_TE, choice_TK, 1.0, axis=1)
    counts_E = np.bincount(choice_TK.ravel(), minlength=experts).astype(float)
    return counts_E, chosen_TE.T @ chosen_TE


def checked_counts(counts: ArrayLike, source: str) -> Floats:
    """Counts as steps x layers x experts; raises `InputError` naming the first that cannot be a count."""
    found = np.asarray(counts)
    if found.dtype.kind not in "iuf":
        raise InputError("counts are numbers", found=f"an array of {found.dtype}", where=source)
    if found.ndim not in (2, 3):
        raise InputError(
            "the array has the wrong number of axes",
            found=f"shape {found.shape}",
            expected="layers x experts, or steps x layers x experts",
            where=source,
        )
    count_SLE = found.astype(np.float64)[None] if found.ndim == 2 else found.astype(np.float64)
    if 0 in count_SLE.shape:
        names = ("steps", "layers", "experts")
        raise InputError(f"there are no {names[count_SLE.shape.index(0)]}", found=f"shape {found.shape}", where=source)
    wrong_SLE = ~(np.isfinite(count_SLE) & (count_SLE >= 0))
    if wrong_SLE.any():
        step, layer, expert = (int(place) for place in np.argwhere(wrong_SLE)[0])
        at = f"{f'step {step}, ' if found.ndim == 3 else ''}layer {layer}, expert {expert}"
        raise InputError(
            "a load must be a number that is not negative",
            found=float(count_SLE[step, layer, expert]),
            where=f"{source}, {at}",
        )
    if not np.isfinite(count_SLE.sum()):
        raise InputError("the loads add up to more than a number can hold", where=source)
    return count_SLE
