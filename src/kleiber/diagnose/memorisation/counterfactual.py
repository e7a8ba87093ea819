"""Counterfactual memorisation: how much better a document is known by models that were trained on it than by those that were not.

The way the data takes: M models, each trained on a random half of D documents -> the score of every document under every model ->
for each document E[score | trained on it] - E[score | not]. One idea: chance decided who was trained on what, so the same scores
with the halves drawn again give the exact null.

Shapes: M models, D documents, B draws of halves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, Evidence, levels, shown, untold
from kleiber.diagnose.series import numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME = "counterfactual_memorisation"
REFERENCE = "Zhang et al. 2023, Counterfactual Memorization in Neural Language Models, arXiv:2112.12938"
DRAWS, BATCH = 999, 2_000_000


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """In minus out for each document, NaN where no model or every one was trained on it, its standard error, and the evidence."""

    value_D: NDArray[np.float64]
    error_D: NDArray[np.float64]
    evidence: Evidence


def counterfactual(score_MD: ArrayLike, member_MD: ArrayLike, *, level: float = LEVEL, seed: int = 0) -> Counterfactual:
    """E[score | in] - E[score | out] of each document, and a test of all together by drawing the halves again.

    `score_MD`: how well model m does on document d (accuracy, or mean log-probability); `member_MD`: whether it was trained
    on it. The statistic is the sum of score x membership over all models and documents, after documents' and models' means are
    taken off; within a model, memberships are shuffled. value: the mean over documents, its interval 95 % over documents.

    Raises `InputError` where shapes differ, a score is not finite or memberships are not 0 and 1.

    >>> member_MD = np.array([[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1], [1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 0, 1]])
    >>> counterfactual(0.5 * member_MD, member_MD).value_D.tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]

    Source: Zhang et al. 2023, arXiv:2112.12938.
    """
    score_MD, member_MD = _checked(score_MD, member_MD)
    levels(level)
    value_D, error_D = _by_document(score_MD, member_MD)
    told_D = np.isfinite(value_D)
    why = _untold(score_MD, told_D)
    if why:
        evidence = untold(
            NAME, "memorising", why, remedy="train 4 or more models on random halves", reference=REFERENCE
        )
        return Counterfactual(value_D=value_D, error_D=error_D, evidence=evidence)
    p_value = _p_value(score_MD, member_MD, np.random.default_rng(seed))
    value, half = float(value_D[told_D].mean()), 1.96 * float(value_D[told_D].std(ddof=1)) / np.sqrt(told_D.sum())
    loud = p_value <= level
    most_D = np.argsort(np.where(told_D, -value_D, np.inf))[:5]
    finding = Finding(
        name=NAME,
        verdict="warning" if loud else "ok",
        value=value,
        interval=(float(value - half), float(value + half)),
        evidence=f"Models trained on a document score {value:+.3g} on it against models that were not, over {told_D.sum()} "
        f"documents and {len(score_MD)} models ({shown(p_value)}); most of all on document {most_D[0] + 1} "
        f"({value_D[most_D[0]]:+.3g}).",
        remedy="leave the documents with the largest values out, or count them once" if loud else "",
        rows=tuple(int(row) + 1 for row in most_D) if loud else (),
        reference=REFERENCE,
    )
    return Counterfactual(
        value_D=value_D, error_D=error_D, evidence=Evidence(finding=finding, claim="memorising", p_value=p_value)
    )


def _checked(score: ArrayLike, member: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    score_MD, member_MD = np.asarray(score, dtype=np.float64), np.asarray(member, dtype=np.float64)
    if score_MD.ndim != 2 or score_MD.shape != member_MD.shape:
        raise InputError(
            "scores and memberships are two matrices of one shape, models x documents",
            found=f"{score_MD.shape} and {member_MD.shape}",
        )
    numbers(score_MD.reshape(-1), what="scores")
    if not np.isin(member_MD, (0.0, 1.0)).all():
        raise InputError("a membership is 0 or 1", found=f"{member_MD[~np.isin(member_MD, (0.0, 1.0))][0]:g}")
    return score_MD, member_MD.astype(np.bool_)


def _by_document(
    score_MD: NDArray[np.float64], member_MD: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each document's value and standard error; NaN where a side has no model (the error: fewer than two)."""
    sides = []
    for side_MD in (member_MD, ~member_MD):
        count_D = side_MD.sum(axis=0).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_D = np.where(side_MD, score_MD, 0.0).sum(axis=0) / count_D
            spread_D = np.where(side_MD, (score_MD - mean_D) ** 2, 0.0).sum(axis=0) / (count_D - 1) / count_D
        sides.append((mean_D, np.where(count_D > 1, spread_D, np.nan)))
    (in_D, in_spread_D), (out_D, out_spread_D) = sides
    return in_D - out_D, np.sqrt(in_spread_D + out_spread_D)


def _untold(score_MD: NDArray[np.float64], told_D: NDArray[np.bool_]) -> str:
    if len(score_MD) < 4:
        return f"{len(score_MD)} models are too few for halves with and without each document; 4 are needed."
    if told_D.sum() < 5:
        return f"{told_D.sum()} documents were in some halves and not in others; 5 are needed."
    if np.ptp(score_MD) == 0:
        return "Every score is the same."
    return ""


def _p_value(score_MD: NDArray[np.float64], member_MD: NDArray[np.bool_], random: np.random.Generator) -> float:
    """Exact for a sharp null: had a document's own membership no effect, any other halves of that size were as likely."""
    rest_MD = score_MD - score_MD.mean(axis=0)
    rest_MD = rest_MD - rest_MD.mean(axis=1, keepdims=True)
    seen = float((rest_MD * member_MD).sum())
    as_high, done = 0, 0
    while done < DRAWS:
        count = min(DRAWS - done, max(1, BATCH // member_MD.size))
        drawn_BMD = random.permuted(np.broadcast_to(member_MD, (count, *member_MD.shape)), axis=2)
        as_high += int((np.einsum("bmd,md->b", drawn_BMD, rest_MD) >= seen - 1e-12).sum())
        done += count
    return (1 + as_high) / (1 + DRAWS)


def _drawn(random: np.random.Generator, effect: float) -> dict[str, NDArray[np.float64] | NDArray[np.bool_]]:
    """8 models on random halves of 60 documents; what is known of a document varies with it and the model."""
    member_MD = random.permuted(np.tile(np.arange(60) < 30, (8, 1)), axis=1)
    score_MD = random.normal(size=60) + 0.3 * random.normal(size=(8, 1)) + 0.5 * random.normal(size=(8, 60))
    return {"score_MD": score_MD + effect * member_MD, "member_MD": member_MD}


def _measured(**arrays: ArrayLike) -> Finding:
    return counterfactual(**arrays).evidence.finding  # type: ignore[arg-type]


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="Whether documents are better known by models trained on them.",
    measure=_measured,
    null=lambda random: _drawn(random, 0.0),
    planted=lambda random: _drawn(random, 0.2),
    power=0.9,
    reference=REFERENCE,
)
