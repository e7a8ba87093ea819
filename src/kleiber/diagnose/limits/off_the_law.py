"""Is a run worse than its ladder leads one to expect, and is its learning rate the suspect?

The way the data takes: the law fitted to all other runs -> the loss it expects of this one, with Student's interval of a single
new run -> the excess; and the ladder's rule of rates (log rate linear in log params, over the other runs) -> how far off it the
run's rate lies.

The one idea: a run cannot testify for itself, so it is left out of the law it is held against. An excess says that something
is wrong with the run; only a rate off the rule says that it may be the rate.

Formula: t = (y - f(x)) / (s sqrt(1 + g'(J'J)^-1 g)) on log loss, n - p degrees of freedom, g the law's gradient at the run and
J at the others (prediction interval of nonlinear least squares).
Source: Seber & Wild 1989, Nonlinear Regression, section 5.1 (form); tested here by simulation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.limits.ladder import columns as checked
from kleiber.diagnose.quantiles import student
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import KleiberError
from kleiber.finding import Finding
from kleiber.fit import Fit, Objective, fit
from kleiber.quantity import show
from kleiber.runs import RunTable

Array = NDArray[np.float64]
NAME = "learning rate"
REFERENCE = "prediction interval of nonlinear least squares; docs/diagnose.md"
LEAST_SPARE = 4  # runs beyond the law's unknowns
OFF_RULE = 1.3  # a rate within this factor of the rule is on it
SPREAD = 1.05  # rates that differ by less are one rate


def off_the_law(
    params: ArrayLike,
    tokens: ArrayLike,
    loss: ArrayLike,
    lr: ArrayLike | None = None,
    *,
    row: int,
    like: Fit | None = None,
    level: float = 0.95,
) -> Finding:
    """Whether the run in `row` (0-based) lies above the law of the others, one-sided at 1 - `level`; arrays `(R,)`.

    `value` is the excess in nats (negative: better than expected) and `interval` its two-sided interval. The law is that of
    `like`, else Chinchilla's. Too few runs, or a law the others do not identify, cannot tell.
    """
    columns = checked(row, params=params, tokens=tokens, loss=loss)
    others = np.arange(columns["loss"].size) != row
    table = RunTable.of(columns).take(others)
    law = like.law if like is not None else "chinchilla"
    try:
        found = fit(
            table,
            law,
            objective=Objective(name="squared_log"),
            bootstrap=0,
            starts=8,
            fixed=like.fixed if like else None,
        )
    except KleiberError as error:
        return cannot_tell(NAME, f"The other runs give no law: {str(error).splitlines()[0]}.")
    free = [place for place, name in enumerate(found.law.names) if name not in found.fixed]
    spare = len(table) - len(free)
    if spare < LEAST_SPARE or not np.isfinite(found.theta_P).all():
        return cannot_tell(
            NAME,
            f"{len(table)} other runs are too few to say what to expect of this one.",
            remedy=f"{len(free) + LEAST_SPARE} or more other runs",
            reference=REFERENCE,
        )
    expected, excess, half, t = _excess(found, table, columns, row, free, spare, level)
    return _finding(expected, excess, half, t, spare, level, _rate(columns["params"], lr, row))


def _excess(
    found: Fit, table: RunTable, columns: dict[str, Array], row: int, free: list[int], spare: int, level: float
) -> tuple[float, float, float, float]:
    """Expected loss, excess in nats, half the width of the excess's interval in nats, and t."""

    others = table.inputs(found.law.inputs)
    here = {name: columns[name][[row]] for name in found.law.inputs}
    fitted_R, expected = found.predict(others), float(found.predict(here)[0])
    slope_RP = (found.law.gradient(found.theta_P, others) / fitted_R[:, None])[:, free]
    slope_P = (found.law.gradient(found.theta_P, here)[0] / expected)[free]
    scale_P = np.linalg.norm(slope_RP, axis=0)
    scale_P = np.where(scale_P > 0, scale_P, 1.0)
    inverse_PP = np.linalg.pinv((slope_RP / scale_P).T @ (slope_RP / scale_P))
    leverage = float((slope_P / scale_P) @ inverse_PP @ (slope_P / scale_P))
    s = float(np.sqrt((np.log(table.column("loss") / fitted_R) ** 2).sum() / spare))
    error = s * np.sqrt(1 + leverage)
    log_excess = float(np.log(columns["loss"][row] / expected))
    half = float(student((1 - level) / 2, spare) * error * expected)
    return (
        expected,
        float(columns["loss"][row] - expected),
        half,
        log_excess / error if error > 0 else np.inf * log_excess,
    )


def _rate(params_R: Array, lr: ArrayLike | None, row: int) -> float | None:
    """The run's rate over the rule of the others, or None where there is no rule to hold it against."""
    if lr is None:
        return None
    lr_R = np.asarray(lr, dtype=float)
    others = (np.arange(lr_R.size) != row) & np.isfinite(lr_R) & (lr_R > 0)
    if others.sum() < 3 or not lr_R[row] > 0:
        return None
    x_R, y_R = np.log(params_R[others]), np.log(lr_R[others])
    # One vote per size, lest the size in question outvotes the rule; its own other runs share its rate and say nothing.
    apart = np.abs(x_R - np.log(params_R[row])) > np.log(SPREAD)
    sizes = np.unique(np.round(x_R[apart], 6))
    if sizes.size < 2:
        return None
    votes = np.array([np.median(y_R[np.round(x_R, 6) == size]) for size in sizes])
    slopes = [
        (votes[j] - votes[i]) / (sizes[j] - sizes[i]) for i in range(sizes.size) for j in range(i + 1, sizes.size)
    ]
    slope = float(np.median(slopes))
    level = float(np.median(votes - slope * sizes))
    return float(np.exp(np.log(lr_R[row]) - level - slope * np.log(params_R[row])))


def _finding(
    expected: float, excess: float, half: float, t: float, spare: int, level: float, rate: float | None
) -> Finding:

    above = t > student(1 - level, spare)
    off = rate is not None and not 1 / OFF_RULE < rate < OFF_RULE
    words = "above" if excess > 0 else "below"
    about = f"The run lies {100 * abs(excess) / expected:.2g} % {words} what the other runs lead one to expect ({expected:.4g})"
    noise = f"{'more' if above else 'no more'} than the scatter of single runs explains (t = {t:.1f})"
    of_rate = (
        "its learning rate cannot be held against a rule"
        if rate is None
        else f"its learning rate is {show(rate, 2)} times the ladder's rule"
        if off
        else "its learning rate is on the ladder's rule"
    )
    if above:
        remedy = (
            f"train it again at {show(1 / rate, 2)} times the rate"
            if off and rate is not None
            else "sweep its learning rate by factors of 2, and look for what else differs in its recipe"
        )
    else:
        remedy = ""
    return Finding(
        name=NAME,
        verdict="warning" if above else "ok",
        evidence=f"{about}, {noise}; {of_rate}.",
        remedy=remedy,
        value=excess,
        interval=(excess - half, excess + half),
        caveats=("A whole ladder tuned badly lies on its own law: this sees runs that differ from their neighbours.",),
        reference=REFERENCE,
    )


def _ladder(rng: np.random.Generator, excess: float, rate: float) -> Arrays:
    sizes, budgets = np.meshgrid(np.geomspace(1e4, 1e6, 5), np.geomspace(1e6, 1e8, 5))
    params_R, tokens_R = sizes.ravel(), budgets.ravel()
    row = int(rng.integers(params_R.size))
    loss_R = (1.0 + 24.0 / params_R**0.44 + 900.0 / tokens_R**0.56) * np.exp(0.005 * rng.normal(size=params_R.size))
    lr_R = 0.01 * (params_R / 1e5) ** -0.5
    loss_R[row] *= 1 + excess
    lr_R[row] *= rate
    return {"params": params_R, "tokens": tokens_R, "loss": loss_R, "lr": lr_R, "row": row}


def tuned(rng: np.random.Generator) -> Arrays:
    """A ladder with 0.5 % noise in which no run differs from the rest."""
    return _ladder(rng, 0.0, 1.0)


def undertuned(rng: np.random.Generator) -> Arrays:
    """One run 3 % worse, at four times the rate."""
    return _ladder(rng, 0.03, 4.0)


OFF_THE_LAW = Diagnostic(
    name=NAME,
    title="Is a run worse than its ladder leads one to expect?",
    measure=off_the_law,
    null=tuned,
    planted=undertuned,
    level=0.05,
    power=0.9,
    reference=REFERENCE,
)
