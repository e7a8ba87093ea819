"""Is a jump in a metric a break in the model or in the metric?

The way the data takes: right answers by scale -> a straight line on log(-log) of the rate per token (`binomial`) -> the same
with a
bend or a step at every place it could be -> how much better the best of them fits, against what noise does (simulated) -> found,
ok, or cannot tell.

The one idea: accuracy may jump while the rate per token climbs steadily; only a break of the steady climb is one of the model.
Only breaks towards faster improvement count: a curve that flattens is not emergence. Where a doubling of the slope could have
hidden in the noise, a straight line is no evidence of smoothness, and the answer is that it cannot tell.

The largest statistic over places is compared with its own null distribution (normal errors in the residual space of the line,
scale estimated as for the data), not with that of one place.

Sources: Schaeffer et al. 2023 (arXiv 2304.15004); Caballero et al. 2022 (arXiv 2210.14891) for the bend,
softplus((log x - log d)/f) f; Davies 1987, Biometrika 74, 33, on tests of a change at an unknown place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.emergence.binomial import Regression, predict, regress
from kleiber.diagnose.emergence.scores import Array, Scores, scores, upper_of_none
from kleiber.diagnose.series import cannot_tell
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "jump"
REFERENCE = "Schaeffer et al. 2023 (arXiv 2304.15004); Caballero et al. 2022 (arXiv 2210.14891)"
FEWEST, FEWEST_INNER = 7, 5
PLACES, WIDTH = 9, 0.06  # places of a break, and its width in shares of the range of log x
DRAWS = 2000
VISIBLE = 2.8  # standard errors that a change must have to be seen in 8 of 10 cases at 5 %, two-sided


@dataclass(frozen=True, kw_only=True)
class Break:
    """The best break: `kind` bend or step, its place in x, its coefficient (below 0: faster), one-sided p, and the regression."""

    kind: str
    place: float
    change: float
    p: float
    broken: Regression
    smooth: Regression
    column_M: Array
    detectable: float


def line(x_M: Array) -> Array:
    """Ones, and log x about the middle of its range, (M, 2)."""
    return np.stack([np.ones(x_M.size), centred(x_M)], axis=1)


def centred(x_M: Array) -> Array:
    """log x about its mean."""
    return np.log(x_M) - np.log(x_M).mean()


def find_break(of: Scores, *, seed: int = 0) -> Break:
    """The bend or step that improves on the line most, and how often noise does as well."""
    base_MK = line(of.x_M)
    smooth = regress(of, base_MK)
    columns = _columns(of.x_M)
    fits = [regress(of, np.column_stack([base_MK, column_M])) for _, _, column_M in columns]
    gains = [max(0.0, smooth.deviance - each.deviance) if each.b_K[2] < 0 else 0.0 for each in fits]
    best = int(np.argmax(gains))
    kind, place, column_M = columns[best]
    observed = gains[best] / fits[best].dispersion
    bases_MC = np.column_stack([column_M for _, _, column_M in columns])
    null_B = _null(np.sqrt(smooth.weight_M), base_MK, bases_MC, fits[best].freedom, seed)
    bends = [each for (which, _, _), each in zip(columns, fits, strict=True) if which == "bend"]
    return Break(
        kind=kind,
        place=place,
        change=float(fits[best].b_K[2]),
        p=float((1 + (null_B >= observed).sum()) / (1 + null_B.size)),
        broken=fits[best],
        smooth=smooth,
        column_M=column_M,
        detectable=VISIBLE * min(float(each.error_K[2]) for each in bends),
    )


def _columns(x_M: Array) -> list[tuple[str, float, Array]]:
    """A bend and a step at each of nine places inside the range."""
    log_M = np.log(x_M)
    inner = np.quantile(log_M, np.linspace(0.15, 0.85, PLACES))
    width = WIDTH * float(np.ptp(log_M))
    found: list[tuple[str, float, Array]] = []
    for place in np.unique(inner):
        u_M = (log_M - place) / width
        found.append(("bend", float(np.exp(place)), width * np.logaddexp(0.0, u_M)))
        found.append(("step", float(np.exp(place)), 1 / (1 + np.exp(-np.clip(u_M, -500, 500)))))
    return found


def _null(root_M: Array, base_MK: Array, bases_MC: Array, freedom: int, seed: int) -> Array:
    """The largest one-sided gain over places for normal errors, over the scale that the best break leaves, (B,)."""
    line_MK = np.linalg.qr(root_M[:, None] * base_MK)[0]
    columns_MC = root_M[:, None] * bases_MC
    columns_MC = columns_MC - line_MK @ (line_MK.T @ columns_MC)
    norm_C = np.linalg.norm(columns_MC, axis=0)
    columns_MC = columns_MC[:, norm_C > 1e-9] / norm_C[norm_C > 1e-9]
    errors_BM = np.random.default_rng(seed).normal(size=(DRAWS, root_M.size))
    errors_BM = errors_BM - (errors_BM @ line_MK) @ line_MK.T
    gain_BC = np.maximum(0.0, errors_BM @ columns_MC) ** 2
    largest_B = gain_BC.max(axis=1)
    left_B = np.maximum((errors_BM**2).sum(axis=1) - largest_B, 1e-12)
    return largest_B / (left_B / freedom)


def jump(
    x: ArrayLike,
    correct: ArrayLike,
    asked: ArrayLike,
    length: ArrayLike = 1.0,
    *,
    chance: float = 0.0,
    along: str = "scale",
    level: float = 0.05,
    seed: int = 0,
) -> Finding:
    """Does the rate per token break towards faster improvement, at the false-positive rate `level`?

    `x` `(M,)` is what is scaled (params, compute, or capability), `correct` of `asked` the right answers, `length` the tokens of
    an answer, `chance` the accuracy of a guess; `along` says what x is in the sentences ("capability": x is its exponential).
    `value` is the p-value.
    """
    of = scores(x, correct, asked, length, chance=chance)
    if why := too_little(of):
        return cannot_tell(
            NAME, why, remedy="more models on the way up, or more questions (or samples) each", reference=REFERENCE
        )
    return judge(of, find_break(of, seed=seed), along=along, level=level)


def too_little(of: Scores) -> str:
    """Why these scores cannot be asked, or nothing."""
    if of.x_M.size < FEWEST:
        return f"{of.x_M.size} models are too few to see a break in; {FEWEST} is the least."
    if np.unique(of.x_M).size < FEWEST - 2:
        return f"The models stand at {np.unique(of.x_M).size} different scales only."
    if of.inner_M.sum() < FEWEST_INNER:
        none = of.correct_M == 0
        floor = f" ({int(none.sum())} at 0, where up to {100 * upper_of_none(float(of.asked_M[none].max())):.2g} % may hide)"
        return (
            f"Only {int(of.inner_M.sum())} of {of.x_M.size} models lie between the floor and the top of the metric"
            f"{floor if none.any() else ''}, so how the rate climbs cannot be seen."
        )
    return ""


def judge(of: Scores, found: Break, *, along: str = "scale", level: float = 0.05) -> Finding:
    """The verdict on the best break."""
    capability = along == "capability"
    seen = _raw_words(of, along)
    slope = float(found.smooth.b_K[1])
    if found.p <= level:
        where = f"{along} {show(float(np.log(found.place)) if capability else found.place, 2)}"
        what = "bends" if found.kind == "bend" else "steps"
        return Finding(
            name=NAME,
            verdict="found",
            evidence=f"{seen}; the rate per token {what} towards faster improvement near {where} (p {_p(found.p)}): "
            "the break is in the model, not in the metric alone.",
            remedy="do not extrapolate from below the break; look for what changes there",
            value=found.p,
            caveats=("A change of recipe between models breaks a curve as well as an ability does.",),
            reference=REFERENCE,
        )
    if found.detectable > abs(slope) or slope >= 0:
        return Finding(
            name=NAME,
            verdict="cannot tell",
            evidence=f"{seen}; no break is seen in the rate per token (p {_p(found.p)}), but one that doubles its slope could "
            "hide in the noise.",
            remedy="more models, or more questions each",
            value=None,
            reference=REFERENCE,
        )
    pace = (
        f"{abs(slope):.2g} per unit of capability"
        if capability
        else f"{abs(slope) * np.log(10):.2g} per tenfold {along}"
    )
    return Finding(
        name=NAME,
        verdict="ok",
        evidence=f"{seen}; the rate per token climbs steadily (log(-log) falls by {pace}, a break has p {_p(found.p)}): "
        "what jumps is the metric.",
        value=found.p,
        caveats=(
            f"A change of slope below {show(found.detectable / abs(slope), 2)} times the slope itself would not be seen.",
        ),
        reference=REFERENCE,
    )


def _p(p: float) -> str:
    return f"= {p:.2g}" if p >= 0.001 else "< 0.001"


def _raw_words(of: Scores, along: str) -> str:
    first, last = (f"{int(of.correct_M[k])}/{int(of.asked_M[k])}" for k in (0, -1))
    mean_M = predict(of, line(of.x_M), regress(of, line(of.x_M)).b_K)
    factor = _half_rise(of.x_M, mean_M)
    span = (
        f"{show(float(np.log(factor)), 2)} of capability" if along == "capability" else f"a factor of {show(factor, 2)}"
    )
    within = f", half of the rise within {span}" if np.isfinite(factor) else ""
    return f"Accuracy goes from {first} to {last}{within}"


def _half_rise(x_M: Array, mean_M: Array) -> float:
    """The factor of x over which the fitted accuracy goes through the middle half of its rise."""
    low, high = mean_M[0], mean_M[-1]
    if not high > low:
        return float("nan")
    log_M = np.log(x_M)
    ends = [np.interp(low + share * (high - low), np.maximum.accumulate(mean_M), log_M) for share in (0.25, 0.75)]
    return float(np.exp(ends[1] - ends[0]))


def _models(rng: np.random.Generator, change: float) -> Arrays:
    """Sixteen models over five decades; five-token answers, 400 questions; a little scatter between models.

    Half-way up, the slope of log(-log p) is multiplied by 1 + `change`.
    """
    x_M = np.geomspace(1e18, 1e23, 16)
    log_M = np.log(x_M / 1e20)
    eta_M = -0.6 - 0.25 * log_M - 0.25 * change * np.maximum(0.0, log_M) + 0.05 * rng.normal(size=16)
    rate_M = np.exp(-5 * np.exp(eta_M))
    return {"x": x_M, "correct": rng.binomial(400, rate_M), "asked": np.full(16, 400), "length": 5.0}


def smooth_models(rng: np.random.Generator) -> Arrays:
    """A power law per token under an exact match of five tokens: the metric jumps, the model does not."""
    return _models(rng, 0.0)


def broken_models(rng: np.random.Generator) -> Arrays:
    """The same, with a slope three times as steep beyond 1e20."""
    return _models(rng, 2.0)


JUMP = Diagnostic(
    name=NAME,
    title="Is a jump in the model or in the metric?",
    measure=jump,
    null=smooth_models,
    planted=broken_models,
    level=0.05,
    power=0.8,
    reference=REFERENCE,
)
