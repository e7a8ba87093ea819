"""Scaling across families of models without training one: a few components of their benchmark scores, and tasks as sigmoids
of them.

The way the data takes: models x benchmarks -> principal components -> a model's capability -> accuracy of a task as a
sigmoid of it
-> fitted on the weaker models, held against the stronger.

The one idea: families spend compute unlike, and still their scores lie nearly on a line. A task that is steady along that
line did
not emerge: it waited for the capability.

Source: Ruan, Maddison & Hashimoto 2024, "Observational Scaling Laws" (arXiv 2405.10938); its table of 148 base models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.emergence.scores import Array
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "observational law"
REFERENCE = "Ruan et al. 2024 (arXiv 2405.10938)"
FEWEST = 20
RIDGE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Components:
    """Principal components of benchmark scores: variance `share_K`, `loading_KB` (positive in sum), `score_MK`, `mean_B`."""

    share_K: Array
    loading_KB: Array
    score_MK: Array
    mean_B: Array
    scale_B: Array


def components(score_MB: ArrayLike, *, standardise: bool = False) -> Components:
    """Principal components of M models' scores on B benchmarks; `standardise` gives every benchmark the same variance first.

    Raises `InputError` for missing values, fewer models than benchmarks plus two, or a benchmark on which all score the same.

    >>> found = components([[0.1, 0.2], [0.2, 0.4], [0.3, 0.6], [0.4, 0.8]])
    >>> [round(float(share), 6) for share in found.share_K]
    [1.0, 0.0]
    """
    scores_MB = np.asarray(score_MB, dtype=float)
    if scores_MB.ndim != 2 or scores_MB.shape[0] < scores_MB.shape[1] + 2:
        raise InputError("models x benchmarks, with more models than benchmarks", found=f"shape {scores_MB.shape}")
    bad = np.argwhere(~np.isfinite(scores_MB))
    if bad.size:
        raise InputError(
            "a score is missing",
            found=f"model {bad[0, 0] + 1}, benchmark {bad[0, 1] + 1}",
            remedy="keep the models that have all benchmarks",
        )
    mean_B, spread_B = scores_MB.mean(axis=0), scores_MB.std(axis=0, ddof=1)
    if (spread_B == 0).any():
        raise InputError("all models score the same", found=f"benchmark {int((spread_B == 0).argmax()) + 1}")
    scale_B = spread_B if standardise else np.ones_like(spread_B)
    _, sizes_K, loading_KB = np.linalg.svd((scores_MB - mean_B) / scale_B, full_matrices=False)
    signs_K = np.where(loading_KB.sum(axis=1) < 0, -1.0, 1.0)
    loading_KB = loading_KB * signs_K[:, None]
    return Components(
        share_K=sizes_K**2 / (sizes_K**2).sum(),
        loading_KB=loading_KB,
        score_MK=(scores_MB - mean_B) / scale_B @ loading_KB.T,
        mean_B=mean_B,
        scale_B=scale_B,
    )


def question_count(share_M: ArrayLike, *, most: int = 6000) -> int | None:
    """The least number of questions that all shares are whole counts of, or None up to `most`.

    >>> question_count([0.25, 0.5, 0.125])
    8
    """
    shares = np.asarray(share_M, dtype=float)
    for count in range(1, most + 1):
        if np.abs(shares * count - np.round(shares * count)).max() < 1e-4:
            return count
    return None


def observational(
    accuracy: ArrayLike, score_MB: ArrayLike, *, capability: int = 3, chance: float = 0.0, weak: float = 0.7
) -> Finding:
    """Does a sigmoid of the first components, fitted on the weaker models, foresee the stronger?

    accuracy = chance + (1 - chance) sigmoid(w . PC + b), least squares on accuracy; `weak` is the share of models, by their first
    component, that are fitted. `value` is the root mean squared error on the stronger, held against that of the best constant
    (the weak models' mean): loud where the sigmoid is no better, which is what a true emergence looks like. Fewer than 20 models
    cannot tell.
    """
    hits = np.asarray(accuracy, dtype=float)
    found = components(score_MB)
    if hits.shape != (found.score_MK.shape[0],):
        raise InputError("one accuracy a model", found=f"{hits.size} for {found.score_MK.shape[0]} models")
    if not np.isfinite(hits).all() or (hits < 0).any() or (hits > 1).any():
        raise InputError("accuracies must be numbers from 0 to 1", found=f"{np.nanmin(hits):g} to {np.nanmax(hits):g}")
    if hits.size < FEWEST:
        return cannot_tell(NAME, f"{hits.size} models are too few; {FEWEST} is the least.", reference=REFERENCE)
    order = np.argsort(found.score_MK[:, 0], kind="stable")
    kept = round(weak * hits.size)
    design_MK = np.column_stack([np.ones(hits.size), found.score_MK[:, :capability]])[order]
    b_K = _sigmoid(design_MK[:kept], hits[order][:kept], chance)
    left_H = _accuracy(design_MK[kept:] @ b_K, chance) - hits[order][kept:]
    error = float(np.sqrt((left_H**2).mean()))
    plain = float(np.sqrt(((hits[order][:kept].mean() - hits[order][kept:]) ** 2).mean()))
    surprise = error >= plain
    return Finding(
        name=NAME,
        verdict="found" if surprise else "ok",
        evidence=f"From the weaker {kept} of {hits.size} models a sigmoid of {capability} components foresees the stronger "
        f"{hits.size - kept} with an error of {show(error, 2)} in accuracy; their plain mean has {show(plain, 2)}"
        + (": the stronger models could not be foreseen." if surprise else "."),
        value=error,
        caveats=("Models of one family are not independent of each other.",),
        reference=REFERENCE,
    )


def _accuracy(eta: Array, chance: float) -> Array:
    return chance + (1 - chance) / (1 + np.exp(-np.clip(eta, -500, 500)))


def _sigmoid(design_MK: Array, hits_M: Array, chance: float) -> Array:
    """Least squares on accuracy, with a touch of ridge so that a task at its floor does not send the slope to infinity."""
    from scipy.optimize import least_squares

    root = np.sqrt(RIDGE)

    def residual(b_K: Array) -> Array:
        return np.concatenate([_accuracy(design_MK @ b_K, chance) - hits_M, root * b_K[1:] / 10])

    start = np.zeros(design_MK.shape[1])
    start[1] = 1.0
    fits = [
        least_squares(residual, start * step + np.eye(start.size)[0] * level)
        for step in (1, 5, 20)
        for level in (-3, 0)
    ]
    return min(fits, key=lambda each: each.cost).x
