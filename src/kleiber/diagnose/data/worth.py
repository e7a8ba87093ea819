"""How many clean tokens is spoilt or repeated text worth, and what does cleaning save in compute?

The way the data takes: the clean runs of one size -> their loss against log tokens -> where that curve has the spoilt run's
loss ->
tokens there over tokens spent -> the mean over runs, with the doubt of single losses.

The one idea: at one size compute goes with tokens, so tokens that are worth a share w cost 1/w times the compute. A spoilt run
that is worse than every clean one is worth less than the least budget: then the answer is a bound, and where the floor is
lifted no number of tokens makes up for it.

Source: data-equivalent tokens as in Muennighoff et al. 2023 (arXiv 2305.16264), section 3; here read off the curve, without
a law.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose.data.shift import Pairs
from kleiber.diagnose.quantiles import student
from kleiber.diagnose.series import cannot_tell
from kleiber.finding import Finding
from kleiber.quantity import show

Array = NDArray[np.float64]
NAME = "value of cleaning"
REFERENCE = "Muennighoff et al. 2023 (arXiv 2305.16264), section 3"
LEAST_BUDGETS = 3
BEYOND = 1.3  # how far below the least clean budget a worth may be read off the curve


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Clean runs of one size: loss falls by `slope` per unit of log tokens about `middle`; bent by `bend`."""

    coefficients: Array
    middle: float
    least_tokens: float
    most_tokens: float

    def tokens_at(self, loss: float) -> float:
        """Clean tokens with that loss, or NaN where the curve does not reach it."""
        span = np.log([self.least_tokens / 4, self.most_tokens * 4])
        log_T = np.linspace(span[0], span[1], 400)
        loss_T = np.polyval(self.coefficients, log_T - self.middle)
        below = np.flatnonzero(loss_T <= loss)
        return float(np.exp(log_T[below[0]])) if below.size and below[0] > 0 else float("nan")


def curve(tokens: Array, loss: Array) -> Curve | None:
    """The curve of one size, a parabola in log tokens; None below three budgets."""
    if np.unique(tokens).size < LEAST_BUDGETS:
        return None
    middle = float(np.log(tokens).mean())
    return Curve(
        coefficients=np.polyfit(np.log(tokens) - middle, loss, 2),
        middle=middle,
        least_tokens=float(tokens.min()),
        most_tokens=float(tokens.max()),
    )


def value_of_cleaning(of: Pairs, *, level: float = 0.95) -> Finding:
    """The compute multiplier of clean text, 1/worth, over the pairs whose worth can be read off a clean curve of their size.

    `value` and `interval` are the multiplier's (geometric mean, Student's on its log). Fewer than three such pairs: cannot tell,
    or, where all spoilt runs are worse than every clean one of their size, a bound.
    """

    log_worth: list[float] = []
    worse = 0
    for size in np.unique(of.params_P):
        rows = of.params_P == size
        found = curve(of.tokens_P[rows], of.clean_P[rows])
        if found is None:
            continue
        for tokens, loss in zip(of.tokens_P[rows], of.spoilt_P[rows], strict=True):
            at = found.tokens_at(float(loss))
            if not np.isfinite(at) or at < found.least_tokens / BEYOND:
                worse += 1
            else:
                log_worth.append(float(np.log(at / tokens)))
    if worse > len(log_worth):
        return _bound(of, worse)
    if len(log_worth) < 3:
        why = f"{len(log_worth)} spoilt runs have clean runs of their size to be held against (three budgets each)."
        return cannot_tell(NAME, why, remedy="clean runs at three budgets of the same size", reference=REFERENCE)
    values = -np.array(log_worth)
    half = float(student((1 - level) / 2, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size))
    point, low, high = (float(np.exp(values.mean() + shift)) for shift in (0.0, -half, half))
    sure = low > 1
    each = f"{show(1 / point, 2)} ({show(1 / high, 2)} - {show(1 / low, 2)})"
    return Finding(
        name=NAME,
        verdict="found" if sure else "ok" if high < 1 else "cannot tell",
        evidence=f"A token of this text is worth {each} clean ones: cleaning saves a "
        f"factor of {show(point, 3)} ({show(low, 3)} - {show(high, 3)}) of compute at the same size ({values.size} runs"
        + (f"; {worse} more are worse than any clean one)." if worse else ")."),
        value=point,
        interval=(low, high),
        caveats=("Runs of one trunk are not independent: the interval is too narrow by as much.",),
        reference=REFERENCE,
    )


def _bound(of: Pairs, worse: int) -> Finding:
    times = show(float(of.tokens_P.max() / of.tokens_P.min()), 2)
    return Finding(
        name=NAME,
        verdict="problem",
        evidence=f"{worse} of {of.params_P.size} spoilt runs are worse than every clean run of their size, though some saw "
        f"{times} times the tokens: clean text is worth more than {times} times the compute, and no number of these "
        "tokens may make up for it.",
        remedy="clean the text; more of it is not the remedy",
        reference=REFERENCE,
    )
