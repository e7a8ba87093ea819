"""At what scale will accuracy reach a mark? The scale with its interval, or a refusal.

The way the data takes: scores -> the straight line on log(-log) -> where it crosses the mark, with Fieller's interval -> a
place, or
none where the interval has no end.

The one idea: a crossing is a ratio of two estimates, and where the slope may be zero the interval of a ratio is endless.
Fieller's
interval says so by itself; a delta-method interval would print numbers.

Formula: with h(t) = b0 + b1 t - m, all t with h(t)^2 <= q^2 Var h(t), q Student's quantile.
Source: Fieller 1954, Journal of the Royal Statistical Society B 16, 175.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.emergence.binomial import regress
from kleiber.diagnose.emergence.jump import find_break, line, too_little
from kleiber.diagnose.emergence.scores import Scores, scores
from kleiber.diagnose.quantiles import student
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "threshold"
REFERENCE = "Fieller 1954, J. R. Stat. Soc. B 16, 175"
MOST_DECADES = 1.0  # an interval wider than this on either side of the point is no prediction


def threshold(
    x: ArrayLike,
    correct: ArrayLike,
    asked: ArrayLike,
    length: ArrayLike = 1.0,
    *,
    mark: float = 0.5,
    chance: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
) -> Finding:
    """The scale at which the law's accuracy is `mark`; `value` and `interval` in the unit of `x`.

    The answer is that of the largest model's `length`. It cannot tell where the scores are too few, where the climb breaks
    (then what lies beyond is another law), or where the interval has no end or reaches further than ten times either way.
    Raises `InputError` for a mark that is not between chance and 1.
    """
    of = scores(x, correct, asked, length, chance=chance)
    if not chance < mark < 1:
        raise InputError("the mark must lie between chance and 1", found=mark, expected=f"above {chance:g}, below 1")
    if why := too_little(of):
        return cannot_tell(NAME, why, remedy="more models on the way up", reference=REFERENCE)
    if (p := find_break(of, seed=seed).p) <= 0.05:
        why = f"The climb breaks (p = {max(p, 0.001):.2g}), so a line through all models says nothing of what lies beyond."
        return cannot_tell(
            NAME, why, remedy="fit the models above the break alone, once there are enough", reference=REFERENCE
        )
    return _crossing(of, mark, level)


def _crossing(of: Scores, mark: float, level: float) -> Finding:

    found = regress(of, line(of.x_M))
    goal = float(np.log(-np.log((mark - of.chance) / (1 - of.chance))) - np.log(of.length_M[-1]))
    b0, b1 = (float(b) for b in found.b_K)
    quantile = float(student((1 - level) / 2, found.freedom))
    (v00, v01), (_, v11) = (found.covariance_KK * found.dispersion).tolist()
    middle = float(np.log(of.x_M).mean())
    a, b, c = b1**2 - quantile**2 * v11, b1 * (b0 - goal) - quantile**2 * v01, (b0 - goal) ** 2 - quantile**2 * v00
    root = b**2 - a * c
    if a <= 0 or root < 0 or b1 >= 0:
        why = f"The slope may be zero, so {100 * mark:g} % may be reached anywhere or never."
        return cannot_tell(NAME, why, remedy="models over a wider range, or more questions each", reference=REFERENCE)
    low, high = (float(np.exp(middle + (-b + sign * np.sqrt(root)) / a)) for sign in (-1, 1))
    point = float(np.exp(middle + (goal - b0) / b1))
    reach = max(point / low, high / point)
    if np.log10(reach) > MOST_DECADES:
        why = f"{100 * mark:g} % is expected anywhere from {show(low, 2)} to {show(high, 2)}: too wide to plan by."
        return cannot_tell(NAME, why, remedy="models nearer to the mark", reference=REFERENCE)
    beyond = point / float(of.x_M[-1])
    where = f", {show(beyond, 2)} times the largest model" if beyond > 1 else ", within the models' range"
    return Finding(
        name=NAME,
        verdict="ok",
        evidence=f"Accuracy reaches {100 * mark:g} % at {show(point)} ({show(low)} - {show(high)}){where}.",
        value=point,
        interval=(low, high),
        caveats=(
            "For the law's mean; a single model scatters about it."
            if beyond <= 1
            else "Extrapolated: it holds if nothing breaks.",
        ),
        reference=REFERENCE,
    )
