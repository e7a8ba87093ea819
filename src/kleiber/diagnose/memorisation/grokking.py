"""Grokking delay: how long after it knows its training examples a model answers those held out.

The way the data takes: accuracies at evaluated steps -> the first step from which each curve holds the threshold ->
t_held_out(tau) - t_train(tau), with an interval from the binomial noise of both. One idea: a run that stops before the second
crossing has a delay of unknown length, not none: that is said, with what the weights' norm does meanwhile.

Shapes: S evaluations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME = "grokking"
REFERENCE = "Power et al. 2022, Grokking, arXiv:2201.02177"
TAU, FEWEST = 0.9, 5


def grokking(
    step_S: ArrayLike,
    train_accuracy_S: ArrayLike,
    held_out_accuracy_S: ArrayLike,
    *,
    train_examples: int,
    held_out_examples: int,
    norm_S: ArrayLike | None = None,
    tau: float = TAU,
) -> Finding:
    """t_held_out(tau) - t_train(tau) in steps: the first evaluations from which accuracy stays at tau or above.

    The interval takes in where either crossing could lie given the binomial noise of so many examples (Clopper-Pearson, 97.5 %
    each) and one evaluation before. `found`: the held-out curve crosses later than the training curve by more than that, and at
    twice its step or later; `warning`: it has not crossed though the run is twice as long; `ok`: no such delay.

    Raises `InputError` where steps do not rise, an accuracy is not in [0, 1], or lengths differ.

    >>> step_S = np.arange(1, 11) * 100
    >>> grokking(step_S, [0.5] + [1.0] * 9, [0.1] * 7 + [1.0] * 3, train_examples=500, held_out_examples=500).value
    600.0

    Source: Power et al. 2022, arXiv:2201.02177, for the phenomenon; the interval is ours.
    """
    step_S, train_S, held_S = _checked(step_S, train_accuracy_S, held_out_accuracy_S)
    if not 0 < tau < 1:
        raise InputError("the threshold is an accuracy between 0 and 1", found=tau)
    if step_S.size < FEWEST:
        return cannot_tell(NAME, f"{step_S.size} evaluations are too few for a delay.", remedy="evaluate more often")
    train, held = _crossing(train_S, train_examples, tau), _crossing(held_S, held_out_examples, tau)
    norms = _norms(norm_S, train[1], held[1], step_S)
    if train[1] is None:
        why = f"Training accuracy does not stay at {tau:g} or above (it ends at {train_S[-1]:.3g}): nothing is delayed yet."
        return cannot_tell(NAME, why, remedy="train on", reference=REFERENCE)
    if held[1] is None:
        return _not_yet(step_S, train[1], held_S, tau, norms)
    at_train, at_held = step_S[train[1]], step_S[held[1]]
    interval = (
        float(step_S[max(held[0] - 1, 0)] - step_S[train[2]]),
        float(step_S[held[2]] - step_S[max(train[0] - 1, 0)]),
    )
    loud = interval[0] > 0 and at_held >= 2 * at_train
    return Finding(
        name=NAME,
        verdict="found" if loud else "ok",
        value=float(at_held - at_train),
        interval=interval,
        evidence=f"Held-out accuracy stays at {tau:g} or above from step {at_held:g}, training accuracy from step {at_train:g}: "
        f"a delay of {at_held - at_train:g} steps{norms}.",
        caveats=("Whether the rule was learnt is said by a split by structure, not by row.",),
        reference=REFERENCE,
    )


def _not_yet(step_S: NDArray[np.float64], train: int, held_S: NDArray[np.float64], tau: float, norms: str) -> Finding:
    """The training set is known, and what is held out is not, so far."""
    since = float(step_S[-1] - step_S[train])
    long = step_S[-1] >= 2 * step_S[train]
    return Finding(
        name=NAME,
        verdict="warning" if long else "cannot tell",
        value=None,
        interval=None,
        evidence=f"Training accuracy stays at {tau:g} or above from step {step_S[train]:g}, held-out accuracy ends at "
        f"{held_S[-1]:.3g}: a delay of {since:g} steps or more, or for ever{norms}.",
        remedy="weight decay and more steps if the norm still falls; more of the examples; or another architecture",
        reference=REFERENCE,
    )


def _checked(
    step: ArrayLike, train: ArrayLike, held_out: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    step_S, train_S = numbers(step, what="steps"), numbers(train, what="training accuracies")
    held_S = numbers(held_out, what="held-out accuracies")
    if not step_S.size == train_S.size == held_S.size:
        raise InputError("curves have different lengths", found=f"{step_S.size}, {train_S.size} and {held_S.size}")
    if (np.diff(step_S) <= 0).any() or (step_S < 0).any():
        raise InputError("steps do not rise", found=f"row {int(np.argmax(np.diff(step_S) <= 0)) + 2}")
    for what, curve_S in (("training", train_S), ("held-out", held_S)):
        outside = np.flatnonzero((curve_S < 0) | (curve_S > 1))
        if outside.size:
            raise InputError(
                f"a {what} accuracy is not between 0 and 1", found=f"{curve_S[outside[0]]:g} at row {outside[0] + 1}"
            )
    return step_S, train_S, held_S


def _crossing(accuracy_S: NDArray[np.float64], examples: int, tau: float) -> tuple[int, int | None, int]:
    """The evaluations from which a curve may stay, stays, and surely stays at tau; the last where it never surely does."""
    from scipy.stats import beta

    if examples < 1:
        raise InputError("accuracies are over one example or more", found=examples)
    right_S = np.round(accuracy_S * examples)
    with np.errstate(invalid="ignore"):
        low_S = np.where(right_S > 0, beta.ppf(0.0125, right_S, examples - right_S + 1), 0.0)
        high_S = np.where(right_S < examples, beta.isf(0.0125, right_S + 1, examples - right_S), 1.0)
    may, stays, surely = (_from_which(curve_S >= tau) for curve_S in (high_S, accuracy_S, low_S))
    last = accuracy_S.size - 1
    return last if may is None else may, stays, last if surely is None else surely


def _from_which(above_S: NDArray[np.bool_]) -> int | None:
    """The first place from which all are True."""
    below = np.flatnonzero(~above_S)
    if below.size == 0:
        return 0
    return int(below[-1] + 1) if below[-1] + 1 < above_S.size else None


def _norms(norm_S: ArrayLike | None, train: int | None, held: int | None, step_S: NDArray[np.float64]) -> str:
    """What the norm of the weights does between the two crossings, in words."""
    if norm_S is None or train is None:
        return ""
    norm_S = numbers(norm_S, what="norms")
    if norm_S.size != step_S.size:
        raise InputError("there is not one norm for each step", found=f"{norm_S.size} norms, {step_S.size} steps")
    end = held if held is not None else step_S.size - 1
    where = "then" if held is not None else "at the end"
    return f"; the norm of the weights goes from {norm_S[train]:.4g} to {norm_S[end]:.4g} {where}"


def _curves(random: np.random.Generator, delay: float) -> dict[str, NDArray[np.float64] | int]:
    """Two sigmoid curves seen through 300 examples each, the held-out one later by `delay` of a decade of steps."""
    step_S = np.geomspace(10, 10_000, 40)
    rise_S2 = [1 / (1 + np.exp(-8 * (np.log10(step_S) - at))) for at in (2.0, 2.0 + delay)]
    train, held = (random.binomial(300, 0.02 + 0.979 * rise_S) / 300 for rise_S in rise_S2)
    return {
        "step_S": step_S,
        "train_accuracy_S": train,
        "held_out_accuracy_S": held,
        "train_examples": 300,
        "held_out_examples": 300,
    }


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="Whether held-out examples are answered long after those trained on.",
    measure=grokking,
    null=lambda random: _curves(random, 0.0),
    planted=lambda random: _curves(random, 0.8),
    power=0.95,
    reference=REFERENCE,
)
