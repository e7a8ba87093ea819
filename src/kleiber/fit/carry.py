"""Carry: does a law fitted to one recipe predict the runs of a tweaked one, as it is or after one factor, or not at all?

The way the data takes: a fit with its draws and a table of tweaked runs -> log residuals r of the law as it stands -> their
covariance V, the doubt of the law (its draws) plus the scatter of single runs -> T = r' V^-1 r, an F statistic -> the smallest
change that explains them: none, one factor m on params (f(m N, D), a param is worth m of the old ones), or neither.

The one idea: a law carries over if the tweaked runs miss it by no more than its own doubt and noise. How much that says is
said too: the common shift of the loss that these runs would have shown nineteen times in twenty.

Runs of one cluster (branches of a trunk) share half of their scatter, as in the lab's designs. The scatter comes from few
runs, so F and not chi-square is used, with the degrees of freedom of the fit.

Source: Seber & Wild 1989, "Nonlinear Regression", section 2.1.4 (lack of fit) and 5.3 (profile interval of one unknown).

Legend: R tweaked runs, B draws, M trial factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, Refusal
from kleiber.fit.estimate import Estimate
from kleiber.fit.result import Fit
from kleiber.runs import RunTable

Array = NDArray[np.float64]
Verdict = Literal["holds", "holds with a factor", "does not hold"]

FEWEST = 3
POWER = 0.95
SHARED = 0.5  # of a run's variance is its trunk's
LOG_FACTORS_M = np.linspace(np.log(1 / 32), np.log(32), 401)


@dataclass(frozen=True, kw_only=True)
class Carry:
    """What became of a law on a tweaked recipe.

    `shift` is the mean of log(measured / predicted), `visible` the common shift that would have been seen nineteen times in
    twenty, `factor` what a param of the tweak is worth in the old ones; `p_as_is` and `p_with_factor` are the chances of a misfit
    this large under either reading; `misfit` is the root mean square of log residuals with the factor, `scatter` that of single
    runs about the law; `outside` names the inputs on which the tweaked runs leave the fitted range.
    """

    verdict: Verdict
    shift: Estimate
    factor: Estimate
    p_as_is: float
    p_with_factor: float
    visible: float
    scatter: float
    misfit: float
    runs: int
    outside: tuple[str, ...]
    level: float

    def to_json(self) -> dict[str, Any]:
        """The answer as `kleiber/carry/1`."""
        return {
            "schema": "kleiber/carry/1",
            "verdict": self.verdict,
            "shift": self.shift.to_json(),
            "params_factor": self.factor.to_json(),
            "p_as_is": self.p_as_is,
            "p_with_factor": self.p_with_factor,
            "visible_shift": self.visible,
            "scatter": self.scatter,
            "misfit": self.misfit,
            "count": self.runs,
            "outside": list(self.outside),
        }

    def sentences(self) -> tuple[str, ...]:
        """The answer in words, the verdict first."""
        return (*self._verdict(), *self._beyond())

    def _verdict(self) -> tuple[str, ...]:
        missed = f"The {self.runs} runs lie {_percent(self.shift)} off the law"
        if self.verdict == "holds":
            return (
                f"The law holds as it is. {missed}, within its doubt and noise (p = {self.p_as_is:.2g}).",
                f"A common shift of {self.visible:.1%} would have been seen nineteen times in twenty.",
            )
        if self.verdict == "holds with a factor":
            return (
                f"The law holds with one factor: a param of the tweak is worth {self.factor} of the fitted ones.",
                f"{missed} as it stands (p = {self.p_as_is:.2g}); with the factor they miss it by {self.misfit:.2%}, no more "
                f"than doubt and noise (p = {self.p_with_factor:.2g}).",
            )
        return (
            f"The law does not carry over. {missed}, and no factor on params mends it: {np.expm1(self.misfit):.2%} is left where "
            f"single runs scatter by {self.scatter:.2%} (p = {self.p_with_factor:.2g}).",
        )

    def _beyond(self) -> tuple[str, ...]:
        if not self.outside:
            return ()
        return (
            f"The tweaked runs leave the fitted range of {', '.join(self.outside)}: extrapolation is tested with the tweak.",
        )

    @property
    def remedy(self) -> str:
        """What to do where the law does not carry over."""
        return "fit the tweak's own runs: 4 sizes by 3 budgets at least (kleiber lab design), then kleiber compare"


def carry(fit: Fit, tweaked: RunTable, *, cluster: str | None = None, level: float = 0.95) -> Carry:
    """Whether `fit` predicts the runs of `tweaked`, a table with the law's inputs and the same conventions.

    T(m) = r' V^-1 r with r_R = log(loss_R) - log f(m params_R, ...), V = Cov_B(log f) + scatter^2 ((1 - s) I + s [same cluster]),
    s = 1/2 where `cluster` names a column. The law holds where F = T(1)/R is below its quantile with R and n - p degrees of
    freedom; with a factor where T(m)/(R - 1) is, at the best m.

    Raises `Refusal` for a refused fit or fewer than three runs, `InputError` for other conventions or a missing column.
    """
    fit.usable()
    inputs_R = _inputs(fit, tweaked)
    freedom = fit.runs.count - len(fit.law.names) + len(fit.fixed)
    scatter = float(np.sqrt((fit.residuals_R**2).sum() / max(freedom, 1)))
    alike_RR = _alike(tweaked, cluster)
    measured_R = np.log(tweaked.column(fit.law.target))

    def at(log_factor: float) -> dict[str, Array]:
        return {**inputs_R, "params": inputs_R["params"] * np.exp(log_factor)}

    def misses(log_factors_M: Array) -> Array:
        return np.stack([measured_R - np.log(fit.predict(at(log_factor))) for log_factor in log_factors_M])

    def weight(log_factor: float) -> Array:
        doubt_RR = np.atleast_2d(np.cov(np.log(fit.predict_draws(at(log_factor))), rowvar=False))
        return np.linalg.inv(doubt_RR + scatter**2 * alike_RR).astype(np.float64)

    residual_R, weight_RR = misses(np.zeros(1))[0], weight(0.0)
    as_is = float(residual_R @ weight_RR @ residual_R)
    residual_MR = misses(LOG_FACTORS_M)
    best = int(np.argmin(_squares(residual_MR, weight_RR)))
    # The doubt of the law is not the same there: once more with the one that belongs to the factor found.
    squares_M = _squares(residual_MR, weight(LOG_FACTORS_M[best]))
    # Once more on a grid as fine as the interval asks for.
    log_factors_M = _near(squares_M, freedom, level)
    residual_MR = misses(log_factors_M)
    squares_M = _squares(residual_MR, weight(LOG_FACTORS_M[int(np.argmin(squares_M))]))
    best = int(np.argmin(squares_M))
    count = len(tweaked)
    p_as_is = _chance(as_is / count, count, freedom)
    p_factor = _chance(squares_M[best] / (count - 1), count - 1, freedom)
    shift, visible = _shift(residual_R, weight_RR, freedom, level)
    return Carry(
        verdict=_verdict(p_as_is, p_factor, level),
        shift=shift,
        factor=_factor(log_factors_M, squares_M, freedom, level),
        p_as_is=p_as_is,
        p_with_factor=p_factor,
        visible=visible,
        scatter=scatter,
        misfit=float(np.sqrt(np.mean(residual_MR[best] ** 2))),
        runs=count,
        outside=tuple(name for name in fit.law.inputs if _leaves(fit, name, inputs_R[name])),
        level=level,
    )


def _inputs(fit: Fit, tweaked: RunTable) -> Mapping[str, Array]:
    if "params" not in fit.law.inputs:
        raise InputError(
            "only a law of params can be carried over", found=f"law {fit.law.name!r}", expected="an input `params`"
        )
    if len(fit.draws_BP) < 2:
        raise InputError("the fit has no draws, so its doubt is unknown", remedy="fit with --bootstrap 1000")
    if not fit.objective.on_log:
        raise InputError(
            "the fit's residuals are not those of log loss", found=fit.objective.name, expected="huber_log"
        )
    theirs = tweaked.conventions.to_dict()
    for name, word in fit.runs.conventions.items():
        if theirs.get(name) not in (None, word):
            raise InputError(f"the tweaked runs count {name} otherwise", found=str(theirs[name]), expected=word)
    if len(tweaked) < FEWEST:
        raise Refusal(f"{len(tweaked)} tweaked runs cannot test a law.", remedy=f"{FEWEST} runs or more, at two sizes")
    return {name: tweaked.column(name) for name in fit.law.inputs}


def _alike(tweaked: RunTable, cluster: str | None) -> Array:
    own = np.eye(len(tweaked))
    if cluster is None:
        return own
    labels = tweaked.labels(cluster).astype(str)
    return np.asarray((1 - SHARED) * own + SHARED * np.equal.outer(labels, labels), dtype=np.float64)


def _squares(residual_MR: Array, weight_RR: Array) -> Array:
    return np.einsum("mr,rs,ms->m", residual_MR, weight_RR, residual_MR)


def _chance(statistic: float, above: int, below: int) -> float:
    """P(F > statistic) with that many degrees of freedom."""
    from scipy.special import fdtrc

    return float(fdtrc(above, max(below, 1), statistic))


def _student(freedom: int, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1), (1 + level) / 2))


def _shift(residual_R: Array, weight_RR: Array, freedom: int, level: float) -> tuple[Estimate, float]:
    """The common shift by generalised least squares, and the one that would be seen with a chance of POWER."""
    total = float(weight_RR.sum())
    value, error = float(weight_RR.sum(axis=0) @ residual_R) / total, 1 / np.sqrt(total)
    half = _student(freedom, level) * error
    seen = half + _student(freedom, 2 * POWER - 1) * error
    return Estimate(value=value, interval=(value - half, value + half), level=level), float(seen)


def _inside(squares_M: Array, freedom: int, level: float) -> NDArray[np.intp]:
    """Which trial factors lie in the profile interval."""
    return np.flatnonzero(squares_M - squares_M.min() <= _student(freedom, level) ** 2)


def _near(squares_M: Array, freedom: int, level: float) -> Array:
    """Trial factors, as many, from just outside the interval on the first grid to just outside it."""
    inside = _inside(squares_M, freedom, level)
    ends = LOG_FACTORS_M[max(inside[0] - 1, 0)], LOG_FACTORS_M[min(inside[-1] + 1, len(LOG_FACTORS_M) - 1)]
    return np.linspace(*ends, len(LOG_FACTORS_M))


def _factor(log_factors_M: Array, squares_M: Array, freedom: int, level: float) -> Estimate:
    """The best factor with its profile interval; an end on the edge of all trial factors is no end, so 0 or infinity."""
    inside = _inside(squares_M, freedom, level)
    factor_M = np.exp(log_factors_M)
    lowest, highest = log_factors_M[inside[0]] <= LOG_FACTORS_M[0], log_factors_M[inside[-1]] >= LOG_FACTORS_M[-1]
    low = 0.0 if lowest else float(factor_M[inside[0]])
    high = float("inf") if highest else float(factor_M[inside[-1]])
    return Estimate(value=float(factor_M[int(np.argmin(squares_M))]), interval=(low, high), level=level)


def _verdict(p_as_is: float, p_factor: float, level: float) -> Verdict:
    if p_as_is >= 1 - level:
        return "holds"
    return "holds with a factor" if p_factor >= 1 - level else "does not hold"


def _leaves(fit: Fit, name: str, values_R: Array) -> bool:
    low, high = fit.runs.ranges.get(name, (-np.inf, np.inf))
    return bool((values_R < low * (1 - 1e-9)).any() or (values_R > high * (1 + 1e-9)).any())


def _percent(shift: Estimate) -> str:
    assert shift.interval is not None
    value, low, high = (float(np.expm1(each)) for each in (shift.value, *shift.interval))
    return f"{value:+.2%} ({low:+.2%} to {high:+.2%})"
