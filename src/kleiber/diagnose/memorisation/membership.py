"""Membership: can documents trained on be told from documents held out by how likely the model finds them?

The way the data takes: log-probabilities of a document's tokens -> one score a document (mean, Min-K%, Min-K%++) -> how well
the score parts the two sides (area under the ROC curve, true positives at 1 % false ones). One idea: the two sides must
be random parts of one text. Sides that differ by date or source are told apart by that, and an area of 0.8 says nothing then.

Shapes: T tokens of a document, D documents trained on, H held out, B resamples.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, Evidence, finding_of, levels, logs, shown, untold
from kleiber.diagnose.series import numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

NAME = "membership"
REFERENCE = "Zhang et al. 2024, Min-K%++, arXiv:2404.02936; Shi et al. 2023, Min-K%, arXiv:2310.16789"
FEWEST = 10
FALSE_POSITIVES, FEWEST_FOR_ROC_END = 0.01, 100
MATERIAL_AUROC = 0.55
LENGTHS_DIFFER = 0.01
RESAMPLES = 400


def min_k(logprob_T: ArrayLike, *, share: float = 0.2) -> float:
    """Min-K%: the mean of the lowest `share` of a document's token log-probabilities; the mean of all where share is 1.

    >>> min_k([-1.0, -2.0, -3.0, -4.0, -10.0], share=0.4)
    -7.0

    Source: Shi et al. 2023, arXiv:2310.16789.
    """
    return _lowest(logs(logprob_T, what="log-probabilities of tokens"), share)


def min_k_plus(logprob_T: ArrayLike, mean_T: ArrayLike, sd_T: ArrayLike, *, share: float = 0.2) -> float:
    """Min-K%++: the mean of the lowest `share` of z_t = (log p(x_t) - mean_t) / sd_t.

    `mean_T` and `sd_T` are of log p(z) over z drawn from the model's own prediction at that place: the mean is the negative
    entropy. Where sd is 0 the prediction is uniform over what it allows: every token is as likely as it can be, and z is 0.

    >>> min_k_plus([-1.0, -3.0], [-2.0, -2.0], [0.5, 0.5], share=0.5)
    -2.0

    Source: Zhang et al. 2024, arXiv:2404.02936.
    """
    log_T = logs(logprob_T, what="log-probabilities of tokens")
    mean_T, sd_T = numbers(mean_T, what="means of log p"), numbers(sd_T, what="standard deviations of log p")
    if not log_T.size == mean_T.size == sd_T.size:
        raise InputError("three numbers a token are needed", found=f"{log_T.size}, {mean_T.size} and {sd_T.size}")
    if (sd_T < 0).any():
        raise InputError("a standard deviation is negative", found=f"{sd_T.min():g} at row {int(sd_T.argmin()) + 1}")
    # In single precision a uniform prediction comes out at 1e-4 rather than 0.
    sharp_T = sd_T > 1e-3
    z_T = np.where(sharp_T, (log_T - mean_T) / np.where(sharp_T, sd_T, 1.0), 0.0)
    return _lowest(z_T, share)


def auroc(train_score_D: ArrayLike, held_out_score_H: ArrayLike) -> float:
    """P(a training document scores higher than a held-out one) + half P(equal): 0.5 where the score tells nothing.

    >>> auroc([3.0, 4.0], [1.0, 3.0])
    0.875
    """
    train_D, held_H = _scores(train_score_D, held_out_score_H)
    return float(_placements(train_D, held_H).mean())


def membership(
    train_score_D: ArrayLike,
    held_out_score_H: ArrayLike,
    *,
    score: str = "Min-K%++",
    train_length_D: ArrayLike | None = None,
    held_out_length_H: ArrayLike | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Evidence:
    """Whether the score tells documents trained on from documents held out: area under the ROC curve, and its upper end.

    The p-value is that of the Wilcoxon-Mann-Whitney test, one-sided; the interval is DeLong's on the logit scale, 95 %. With 100
    documents held out or more, the share of training documents above the highest 1 % of them is given with a bootstrap
    interval. Where lengths are handed in and differ between the sides (Kolmogorov-Smirnov, 1 %), they are not random parts of
    one text, and nothing is told. An area whose interval is not above 0.55 is not material.

    Raises `InputError` where a score is not finite.

    >>> membership(np.arange(20) + 8.0, np.arange(20)).finding.value
    0.82
    """
    train_D, held_H = _scores(train_score_D, held_out_score_H)
    levels(level)
    why = _untold(train_D, held_H, train_length_D, held_out_length_H)
    if why:
        return untold(NAME, "memorising", why, remedy="split one text at random, by document", reference=REFERENCE)
    from scipy.stats import mannwhitneyu

    value, interval = _with_interval(train_D, held_H)
    test = cast(Any, mannwhitneyu(train_D, held_H, alternative="greater", method="asymptotic"))
    p_value = float(test.pvalue)
    loud = p_value <= level
    upper_end, caveats = _upper_end(train_D, held_H, np.random.default_rng(seed))
    return Evidence(
        finding=Finding(
            name=NAME,
            verdict="warning" if loud else "ok",
            value=value,
            interval=interval,
            evidence=f"A training document scores higher by {score} than one held out in {100 * value:.1f} % of pairs (50 % "
            f"where nothing is remembered; {shown(p_value)}){upper_end}.",
            remedy="train on the same text fewer times, or on more of it" if loud else "",
            caveats=("It holds only where both sides are random parts of one text.", *caveats),
            reference=REFERENCE,
        ),
        claim="memorising",
        p_value=p_value,
        material=interval[0] > MATERIAL_AUROC,
    )


def _lowest(value_T: NDArray[np.float64], share: float) -> float:
    if not 0 < share <= 1:
        raise InputError("the share of tokens lies above 0 and at most at 1", found=share)
    if value_T.size == 0:
        raise InputError("a document has no tokens")
    count = max(1, round(share * value_T.size))
    return float(np.partition(value_T, count - 1)[:count].mean())


def _scores(train: ArrayLike, held_out: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    train_D, held_H = numbers(train, what="scores of training documents"), numbers(held_out, what="held-out scores")
    if min(train_D.size, held_H.size) == 0:
        raise InputError("scores of both sides are needed", found=f"{train_D.size} and {held_H.size} documents")
    return train_D, held_H


def _untold(
    train_D: NDArray[np.float64], held_H: NDArray[np.float64], train_length: ArrayLike | None, held_length: ArrayLike | None
) -> str:  # fmt: skip
    """Why nothing can be told, if so."""
    from scipy.stats import ks_2samp

    if min(train_D.size, held_H.size) < FEWEST:
        return f"{train_D.size} training and {held_H.size} held-out documents are too few; {FEWEST} of each are needed."
    if np.ptp(np.concatenate([train_D, held_H])) == 0:
        return "All documents score the same."
    if train_length is None or held_length is None:
        return ""
    lengths = numbers(train_length, what="lengths"), numbers(held_length, what="held-out lengths")
    if cast(Any, ks_2samp(*lengths)).pvalue < LENGTHS_DIFFER:
        medians = " and ".join(f"{np.median(side):.0f}" for side in lengths)
        return (
            f"Training and held-out documents differ in length (medians {medians}), so they are not parts of one text."
        )
    return ""


def _placements(one_D: NDArray[np.float64], other_H: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of `other` that each of `one` lies above, ties half."""
    sorted_H = np.sort(other_H)
    below = np.searchsorted(sorted_H, one_D, side="left") + np.searchsorted(sorted_H, one_D, side="right")
    return below / (2 * other_H.size)


def _with_interval(train_D: NDArray[np.float64], held_H: NDArray[np.float64]) -> tuple[float, tuple[float, float]]:
    """The area, and DeLong's interval (DeLong, DeLong & Clarke-Pearson 1988), on the logit scale so that it stays in [0, 1]."""
    of_train_D, of_held_H = _placements(train_D, held_H), _placements(held_H, train_D)
    area = float(of_train_D.mean())
    variance = of_train_D.var(ddof=1) / train_D.size + of_held_H.var(ddof=1) / held_H.size
    if area in (0.0, 1.0):
        # A perfect split has no variance to estimate; but min(D, H) pairs of different documents all fell one way.
        least = 0.025 ** (1 / min(train_D.size, held_H.size))
        return area, (least, 1.0) if area else (0.0, 1 - least)
    width = 1.96 * math.sqrt(variance) / (area * (1 - area))
    middle = math.log(area / (1 - area))
    return area, (_logistic(middle - width), _logistic(middle + width))


def _logistic(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


def _upper_end(
    train_D: NDArray[np.float64], held_H: NDArray[np.float64], random: np.random.Generator
) -> tuple[str, tuple[str, ...]]:
    """What share of training documents lies above all but 1 % of the others, in words; or why that is not told."""
    if held_H.size < FEWEST_FOR_ROC_END:
        return "", (f"True positives at 1 % false ones need {FEWEST_FOR_ROC_END} held-out documents or more.",)
    share = true_positives(train_D, held_H)
    drawn = [
        true_positives(random.choice(train_D, train_D.size), random.choice(held_H, held_H.size))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return (
        f"; {100 * share:.1f} % ({100 * low:.1f} - {100 * high:.1f}) of them lie above the highest 1 % of the others",
        (),
    )


def true_positives(
    train_score_D: ArrayLike, held_out_score_H: ArrayLike, *, false_positives: float = FALSE_POSITIVES
) -> float:
    """Share of training documents above a threshold that at most that share of held-out ones exceeds.

    >>> true_positives([1.0, 5.0, 9.0], range(8), false_positives=0.25)
    0.3333333333333333
    """
    train_D, held_H = _scores(train_score_D, held_out_score_H)
    allowed = math.floor(false_positives * held_H.size)
    threshold = np.partition(held_H, held_H.size - 1 - allowed)[held_H.size - 1 - allowed]
    return float((train_D > threshold).mean())


def _null(random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    return {"train_score_D": random.gamma(5.0, size=150), "held_out_score_H": random.gamma(5.0, size=90)}


def _planted(random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """A third of the training documents two standard deviations likelier."""
    arrays = _null(random)
    remembered_D = random.random(150) < 1 / 3
    return arrays | {"train_score_D": arrays["train_score_D"] + 2 * math.sqrt(5.0) * remembered_D}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="Whether training documents can be told from documents held out.",
    measure=finding_of(membership),
    null=_null,
    planted=_planted,
    power=0.95,
    reference=REFERENCE,
)
