"""From loss to accuracy in two steps, the doubt of the first carried into the second.

The way the data takes: a fit's forecast of the loss at the target, draw by draw (`kleiber.fit`) · models with both loss and
accuracy ->
a sigmoid of accuracy on loss, refitted to resamples of the models (law `task-accuracy`) -> each draw of the loss through a draw
of the sigmoid -> accuracy with an interval, and how much of its width either step makes.

The one idea: plugging the point of the first step into the second throws away most of the doubt, since the sigmoid is steepest
just where one wants to know.

Source: Bhagia et al. 2024 (arXiv 2412.04403), the two steps; Gadre et al. 2024 (arXiv 2403.08540), loss to error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.series import numbers
from kleiber.errors import InputError, Refusal
from kleiber.finding import Finding
from kleiber.fit import Fit, Objective, fit
from kleiber.fit.estimate import Estimate, estimate
from kleiber.quantity import show
from kleiber.runs import RunTable

NAME = "two-step accuracy"
REFERENCE = "Bhagia et al. 2024 (arXiv 2412.04403)"
LAW = "task-accuracy"
FEWEST = 8


@dataclass(frozen=True, kw_only=True)
class TwoStep:
    """Accuracy at the target: with both doubts, with either alone; the loss it rests on; how far beyond the seen ones that is."""

    accuracy: Estimate
    from_loss_alone: Estimate
    from_sigmoid_alone: Estimate
    loss: Estimate
    beyond: float
    finding: Finding


def two_step(
    losses: Fit,
    at: dict[str, float],
    loss: ArrayLike,
    accuracy: ArrayLike,
    *,
    draws: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> TwoStep:
    """Accuracy at `at` by the fit `losses` and models with `loss` `(M,)` and `accuracy` `(M,)`.

    Raises `InputError` for accuracies outside 0 to 1 or fewer than eight models, `Refusal` where the loss fit may not be used
    or has no draws, or where the models do not show the sigmoid.
    """
    seen, hits = numbers(loss, what="loss"), numbers(accuracy, what="accuracy")
    if seen.size != hits.size or seen.size < FEWEST:
        raise InputError(
            "models with both loss and accuracy", found=f"{seen.size} and {hits.size}", expected=f"{FEWEST} or more"
        )
    if (hits <= 0).any() or (hits > 1).any():
        raise InputError("accuracy must lie above 0 and at most at 1", found=f"{hits.min():g} to {hits.max():g}")
    usable = losses.usable()
    if len(usable.draws_BP) < 2:
        raise Refusal("The fit has no draws to carry on.", remedy="fit with --bootstrap 400")
    table = RunTable.of({"loss": seen, "accuracy": hits})
    sigmoid = fit(table, LAW, objective=Objective(name="squared"), bootstrap=draws, seed=seed)
    if not np.isfinite(sigmoid.theta_P).all():
        raise Refusal(
            f"The models do not show how accuracy follows loss: {sigmoid.outcome_detail}.", remedy=sigmoid.outcome.value
        )
    return _carried(usable, at, seen, sigmoid, level, seed)


def _carried(losses: Fit, at: dict[str, float], seen: np.ndarray, sigmoid: Fit, level: float, seed: int) -> TwoStep:
    here = {name: np.array([float(at[name])]) for name in losses.law.inputs}
    point = float(losses.predict(here)[0])
    loss_B = losses.predict_draws(here)[:, 0]
    rng = np.random.default_rng(seed)
    count = max(2000, len(loss_B))
    loss_D = rng.choice(loss_B, count)
    theta_DP = sigmoid.draws_BP[rng.integers(len(sigmoid.draws_BP), size=count)]
    through = sigmoid.law.evaluate
    value = float(through(sigmoid.theta_P, {"loss": np.array([point])})[0])
    both_D = _each(sigmoid, theta_DP, loss_D)
    alone_D = through(sigmoid.theta_P, {"loss": loss_D})
    fixed_D = through(theta_DP, {"loss": np.array([point])})[:, 0]
    whole, first, second = (estimate(value, draw_D, level) for draw_D in (both_D, alone_D, fixed_D))
    low = float(seen.min())
    beyond = max(0.0, low - point) / float(np.ptp(seen)) if np.ptp(seen) > 0 else 0.0
    return TwoStep(
        accuracy=whole,
        from_loss_alone=first,
        from_sigmoid_alone=second,
        loss=estimate(point, loss_B, level),
        beyond=beyond,
        finding=_finding(whole, first, second, point, beyond),
    )


def _each(sigmoid: Fit, theta_DP: np.ndarray, loss_D: np.ndarray) -> np.ndarray:
    """Each draw of the sigmoid at its own draw of the loss: top - drop / (1 + exp(-steepness (loss - middle)))."""
    columns = dict(zip(sigmoid.law.names, theta_DP.T, strict=True))
    fall_D = np.clip(-columns["steepness"] * (loss_D - columns["middle"]), -700, 700)
    return columns["top"] - columns["drop"] / (1 + np.exp(fall_D))


def _finding(whole: Estimate, first: Estimate, second: Estimate, loss: float, beyond: float) -> Finding:
    assert whole.interval is not None, "two thousand draws"
    width, of_first, of_second = (
        each.interval[1] - each.interval[0] for each in (whole, first, second) if each.interval
    )
    wide = width > 0.5
    caveats = [f"The loss lies {100 * beyond:.0f} % of the seen range beyond the best model's."] if beyond > 0 else []
    return Finding(
        name=NAME,
        verdict="cannot tell" if wide else "ok",
        evidence=f"At loss {loss:.4g} accuracy is {whole}; the doubt "
        f"of the loss alone spans {show(of_first, 2)}, that of the sigmoid {show(of_second, 2)}.",
        remedy="models nearer to the target" if wide else "",
        value=None if wide else whole.value,
        interval=None if wide else whole.interval,
        caveats=tuple(caveats),
        reference=REFERENCE,
    )
