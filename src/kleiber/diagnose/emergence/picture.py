"""All that this room says of one task, with both metrics side by side.

The way the data takes: scores by scale (and, where measured, the rate per token) -> the verdict on the jump, hidden models, the
threshold, the p^L check -> findings, and the two curves that a chart needs: accuracy, and the same models on a log scale per
token.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.emergence.binomial import predict, regress
from kleiber.diagnose.emergence.broken_law import broken_law
from kleiber.diagnose.emergence.exact_match import exact_match
from kleiber.diagnose.emergence.held_out import hidden_models
from kleiber.diagnose.emergence.jump import find_break, judge, line, too_little
from kleiber.diagnose.emergence.scores import Array, Scores, exact_interval, scores
from kleiber.diagnose.emergence.threshold import threshold
from kleiber.diagnose.series import cannot_tell
from kleiber.finding import Finding

CURVE = 80


@dataclass(frozen=True, kw_only=True)
class Emergence:
    """One task: findings, the models' accuracies and losses per token with exact intervals, and the smooth law of both.

    A loss per token is -log of the rate per token, -log((accuracy - chance)/(1 - chance))/length; where the accuracy is at chance
    only the lower end of its interval is known.
    """

    findings: tuple[Finding, ...]
    scale: str
    task: str
    scores: Scores
    accuracy_low_M: Array
    accuracy_high_M: Array
    curve_x_C: Array
    curve_accuracy_C: Array
    curve_loss_C: Array

    def token_loss(self, accuracy: ArrayLike, length: ArrayLike) -> Array:
        """Nats per token behind an accuracy; infinite at chance or below."""
        rate = (np.asarray(accuracy, dtype=float) - self.scores.chance) / (1 - self.scores.chance)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(rate > 0, -np.log(np.maximum(rate, 1e-300)) / np.asarray(length, dtype=float), np.inf)


def emergence(
    x: ArrayLike,
    correct: ArrayLike,
    asked: ArrayLike,
    length: ArrayLike = 1.0,
    *,
    chance: float = 0.0,
    token_rate: ArrayLike | None = None,
    mark: float = 0.5,
    thorough: bool = False,
    scale: str = "scale",
    task: str = "the task",
    seed: int = 0,
) -> Emergence:
    """Everything about one task; `thorough` adds the broken power law against the smooth one, which takes half a minute."""
    of = scores(x, correct, asked, length, chance=chance)
    why = too_little(of)
    if why:
        found = [cannot_tell("jump", why, remedy="more models on the way up, or more questions (or samples) each")]
    else:
        found = [judge(of, find_break(of, seed=seed), along=scale), hidden_models(of)]
    if token_rate is not None:
        found.append(exact_match(correct, asked, length, token_rate))
    if chance < mark < 1:
        found.append(threshold(x, correct, asked, length, mark=mark, chance=chance, seed=seed))
    if thorough and not why:
        inner = of.inner_M
        rate_M = (of.accuracy_M[inner] - chance) / (1 - chance)
        found.append(broken_law(of.x_M[inner], -np.log(rate_M) / of.length_M[inner], seed=seed))
    return _drawn(of, tuple(found), scale, task)


def _drawn(of: Scores, findings: tuple[Finding, ...], scale: str, task: str) -> Emergence:
    low_M, high_M = exact_interval(of.correct_M, of.asked_M)
    x_C = np.geomspace(of.x_M[0], of.x_M[-1], CURVE)
    length = float(np.median(of.length_M))
    curve = Scores(
        x_M=x_C, correct_M=np.zeros(CURVE), asked_M=np.ones(CURVE), length_M=np.full(CURVE, length), chance=of.chance
    )
    mean_C = loss_C = np.full(CURVE, np.nan)
    if of.x_M.size >= 3 and np.unique(of.x_M).size >= 2:
        b_K = regress(of, line(of.x_M)).b_K
        design_CK = np.stack([np.ones(CURVE), np.log(x_C) - np.log(of.x_M).mean()], axis=1)
        mean_C, loss_C = predict(curve, design_CK, b_K), np.exp(design_CK @ b_K)
    return Emergence(
        findings=findings,
        scale=scale,
        task=task,
        scores=of,
        accuracy_low_M=low_M,
        accuracy_high_M=high_M,
        curve_x_C=x_C,
        curve_accuracy_C=mean_C,
        curve_loss_C=loss_C,
    )
