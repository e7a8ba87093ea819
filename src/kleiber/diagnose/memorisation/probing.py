"""What the answers to a probe say: is held-out structure answered at all, and as well as what was trained on?

One idea: right on held-out rows can still be memory (`5 + 3` for `3 + 5`), so the questions are put to held-out structure only.
Two binomial tests, one for each claim: above chance there (generalising), below training there (memorising).

Shapes: N answers, 1 where right and 0 where wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, Evidence, finding_of, levels, more_often, shown, untold
from kleiber.diagnose.series import numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME, NAME_GAP = "held_out_structure", "structure_gap"
REFERENCE = "Clopper & Pearson 1934 (interval); Fisher's exact test; the split by structure is ours"
MATERIAL = 0.1


def probe(
    structure_right_N: ArrayLike, *, chance: float, row_right_N: ArrayLike | None = None, level: float = LEVEL
) -> Evidence:
    """Whether examples of a structure held out are answered more often than by chance: exact binomial test, one-sided.

    value: accuracy on held-out structure, with its Clopper-Pearson interval, 95 %. `row_right_N`, answers held out by row, is
    said beside it: the difference is what the split by row would have claimed. An accuracy whose interval is not a tenth of the
    way from chance to 1 is not material.

    Raises `InputError` where answers are not 0 and 1 or chance is no probability.

    >>> probe([1, 1, 0, 1, 1, 1, 0, 1], chance=0.1).finding.verdict
    'found'
    """
    from scipy.stats import binomtest

    right_N = _right(structure_right_N, "answers on held-out structure")
    if not 0 < chance < 1:
        raise InputError("chance is a probability between 0 and 1", found=chance)
    if right_N.size == 0 or chance**right_N.size > levels(level):
        return untold(
            NAME,
            "generalising",
            f"{right_N.size} answers cannot be told from guesses that are right with probability {chance:.3g}, even if all are.",
            remedy="ask more of them",
            reference=REFERENCE,
        )
    right = int(right_N.sum())
    test = binomtest(right, right_N.size, chance, alternative="greater")
    found = binomtest(right, right_N.size).proportion_ci()
    loud, accuracy = test.pvalue <= level, right / right_N.size
    rows = ""
    if row_right_N is not None:
        row_N = _right(row_right_N, "answers held out by row")
        rows = f"; held out by row {_percent(row_N.mean())}" if row_N.size else ""
    return Evidence(
        finding=Finding(
            name=NAME,
            verdict="found" if loud else "ok",
            value=accuracy,
            interval=(float(found.low), float(found.high)),
            evidence=f"On structure held out {right} of {right_N.size} answers are right, {_percent(accuracy)}, where a guess is "
            f"right in {_percent(chance)} ({shown(float(test.pvalue))}){rows}.",
            reference=REFERENCE,
        ),
        claim="generalising",
        p_value=float(test.pvalue),
        material=float(found.low) > chance + MATERIAL * (1 - chance),
        informative=float(found.high) < (1 + chance) / 2,
    )


def probe_gap(train_right_N: ArrayLike, structure_right_N: ArrayLike, *, level: float = LEVEL) -> Evidence:
    """Whether what is trained on is answered better than held-out structure: Fisher's exact test, one-sided.

    value: the difference of accuracies; its interval joins two Clopper-Pearson intervals of 97.5 %. A difference whose
    interval is not above 0.1 is not material.

    Raises `InputError` where answers are not 0 and 1.

    >>> probe_gap([1] * 20, [0] * 20).finding.value
    1.0
    """
    from scipy.stats import binomtest

    train_N, held_N = (
        _right(train_right_N, "answers trained on"),
        _right(structure_right_N, "answers on held-out structure"),
    )
    if min(train_N.size, held_N.size) < 5:
        why = f"{train_N.size} answers trained on and {held_N.size} of held-out structure are too few to compare."
        return untold(NAME_GAP, "memorising", why, remedy="ask 20 or more of each", reference=REFERENCE)
    counts = [(int(side.sum()), side.size) for side in (train_N, held_N)]
    p_value = more_often(*counts[0], *counts[1])
    one, other = (binomtest(right, of).proportion_ci(confidence_level=0.975) for right, of in counts)
    interval = float(one.low - other.high), float(one.high - other.low)
    gap = float(train_N.mean() - held_N.mean())
    loud = p_value <= levels(level)
    return Evidence(
        finding=Finding(
            name=NAME_GAP,
            verdict="warning" if loud else "ok",
            value=gap,
            interval=interval,
            evidence=f"{_percent(train_N.mean())} of the answers trained on are right and {_percent(held_N.mean())} of those on "
            f"structure held out ({shown(p_value)}).",
            remedy="more of the structure in training, weight decay, or another architecture" if loud else "",
            reference=REFERENCE,
        ),
        claim="memorising",
        p_value=p_value,
        material=interval[0] > MATERIAL,
        informative=interval[1] < 0.5,
    )


def _right(values: ArrayLike, what: str) -> NDArray[np.float64]:
    right_N = numbers(values, what=what)
    if not np.isin(right_N, (0.0, 1.0)).all():
        wrong = np.flatnonzero(~np.isin(right_N, (0.0, 1.0)))[0]
        raise InputError(f"{what} are 1 where right and 0 where wrong", found=f"{right_N[wrong]:g} at row {wrong + 1}")
    return right_N


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _answers(random: np.random.Generator, accuracy: float, count: int = 150) -> NDArray[np.float64]:
    return (random.random(count) < accuracy).astype(np.float64)


DIAGNOSTICS = (
    Diagnostic(
        name=NAME,
        title="Whether structure held out is answered better than by chance.",
        measure=finding_of(probe),
        null=lambda random: {"structure_right_N": _answers(random, 0.1), "chance": 0.1},
        planted=lambda random: {"structure_right_N": _answers(random, 0.2), "chance": 0.1},
        power=0.9,
        reference=REFERENCE,
    ),
    Diagnostic(
        name=NAME_GAP,
        title="Whether what is trained on is answered better than structure held out.",
        measure=finding_of(probe_gap),
        null=lambda random: {"train_right_N": _answers(random, 0.8), "structure_right_N": _answers(random, 0.8)},
        planted=lambda random: {"train_right_N": _answers(random, 0.95), "structure_right_N": _answers(random, 0.8)},
        power=0.9,
        reference=REFERENCE,
    ),
)
