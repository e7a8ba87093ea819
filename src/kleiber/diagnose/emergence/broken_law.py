"""A broken power law against a smooth one, by what either says of models it has not seen.

The way the data takes: a continuous measure (loss, error, -log of the pass rate) by scale -> the smooth law a + b x^-c and
the law with
one break (`kleiber.laws.broken`) -> both fitted below several cuts and held against what lies above (`kleiber.fit.backtest`).

The one idea: a law with a break always fits better, having three more unknowns. It is right only if it predicts better.

Source: Caballero et al. 2022 (arXiv 2210.14891), eq. 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError, KleiberError
from kleiber.finding import Finding
from kleiber.fit import backtest
from kleiber.laws import broken
from kleiber.quantity import show
from kleiber.runs import RunTable

NAME = "broken law"
REFERENCE = "Caballero et al. 2022 (arXiv 2210.14891), eq. 1"
FEWEST = 14
STARTS = 16


def broken_law(x: ArrayLike, y: ArrayLike, *, folds: int = 2, seed: int = 0) -> Finding:
    """Does one break predict hidden points better? `x` and `y` `(M,)` positive, y falling with scale.

    `value` is the log-RMSE on hidden points of the smooth law minus that of the broken one: above 0 where the break helps. Fewer
    than 14 points cannot tell.
    """
    scale, measure = numbers(x, what="x"), numbers(y, what="y")
    if scale.size != measure.size:
        raise InputError("x and y have different lengths", found=f"{scale.size} and {measure.size}")
    for name, values in (("x", scale), ("y", measure)):
        if (values <= 0).any():
            raise InputError(f"{name} must be positive", found=f"{values.min():g} at row {int(values.argmin()) + 1}")
    if scale.size < FEWEST or np.unique(scale).size < FEWEST:
        why = f"{np.unique(scale).size} scales are too few to hide some of and fit a law with a break to the rest."
        return cannot_tell(NAME, why, remedy=f"{FEWEST} or more", reference=REFERENCE)
    # The law's break is searched from 1e3 to 1e9, so the scale is put there; a power law does not mind.
    table = RunTable.of({"examples": 1e6 * scale / np.exp(np.log(scale).mean()), "loss": measure})
    try:
        trial = backtest(table, [broken(0), broken(1)], folds=folds, bootstrap=0, seed=seed, starts=STARTS)
    except KleiberError as error:
        return cannot_tell(NAME, f"No held-out test: {str(error).splitlines()[0]}.", reference=REFERENCE)
    best, other = trial.ranking
    sign = 1.0 if best.law == "broken" else -1.0
    gain = sign * other.behind.value
    interval = other.behind.interval and tuple(sorted(sign * end for end in other.behind.interval))
    clear = bool(other.behind.excludes(0.0))
    scored = {each.law: each.log_rmse.value for each in trial.ranking}
    smooth = scored["broken-0"]
    verdict = "found" if clear and gain > 0 else "ok" if clear else "cannot tell"
    words = {
        "found": "A break predicts hidden points better",
        "ok": "The smooth law predicts hidden points better",
        "cannot tell": "Neither law predicts hidden points clearly better",
    }[verdict]
    return Finding(
        name=NAME,
        verdict=verdict,  # type: ignore[arg-type] - one of the words of Verdict
        evidence=f"{words}: log-RMSE {show(scored['broken'])} with a break, {show(smooth)} without.",
        value=gain,
        interval=interval,  # type: ignore[arg-type] - a pair
        reference=REFERENCE,
    )
