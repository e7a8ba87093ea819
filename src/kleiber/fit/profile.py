"""Profile intervals: how far a parameter can be moved before the other parameters can no longer make up for it.

The way the data takes: fit + runs -> for one parameter, a box of width zero moved away from the optimum -> the engine minimises
the rest, warm-started -> the objective's rise -> where it crosses a threshold lies the end of the interval.

The one idea: the rise that noise explains is known. With 2 (Q - Qmin) ~ tau chi2_1, and tau = mean psi^2 / mean psi' for a
robust objective (psi = rho'), the threshold is tau/2 times the chi-squared quantile; for squares it is Qmin/(n-p) F(1, n-p),
which is the exact answer for a linear model. Unlike a bootstrap this needs no draws and bends with the objective; unlike a
bootstrap it trusts that errors are independent and alike.

Sources: Venzon & Moolgavkar (1988), Applied Statistics 37, 87 (profiles); Hampel, Ronchetti, Rousseeuw & Stahel (1986), Robust
Statistics, section 7.2 (the tau test); Bates & Watts (1988), Nonlinear Regression Analysis, section 6.1 (F for squares).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, did_you_mean
from kleiber.fit.engine import Problem, minimise, predictions
from kleiber.fit.problem import build
from kleiber.fit.result import Fit
from kleiber.fit.search import SMOOTHED_STEPS, SMOOTHINGS
from kleiber.laws.evaluate import to_natural, to_search
from kleiber.quantity import show

Array = NDArray[np.float64]

EVALUATIONS = 40
TOLERANCE = 1e-3  # of the distance from the optimum
BETTER = 1e-6  # relative: a profile that finds a lower objective has found that the fit was not the optimum


@dataclass(frozen=True, kw_only=True)
class ProfileInterval:
    """A parameter's value and profile interval; an end is `open` where the box ended before the objective had risen enough."""

    name: str
    value: float
    low: float
    high: float
    low_open: bool
    high_open: bool

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the interval, an open end holding everything beyond it."""
        return (self.low_open or value >= self.low) and (self.high_open or value <= self.high)

    def to_json(self) -> dict[str, Any]:
        """One entry of `intervals`."""
        return {
            "value": self.value,
            "ci": [None if self.low_open else self.low, None if self.high_open else self.high],
            "open": [self.low_open, self.high_open],
        }

    def sentence(self) -> str:
        """The interval in words."""
        low = "no lower end" if self.low_open else show(self.low)
        high = "no upper end" if self.high_open else show(self.high)
        return f"{self.name} = {show(self.value)} ({low} - {high})"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Profile intervals by parameter; `rise` is the threshold on the summed objective, `better` whether a lower one was met."""

    intervals: Mapping[str, ProfileInterval]
    level: float
    rise: float
    better: bool

    def to_json(self) -> dict[str, Any]:
        """The profile as `kleiber/profile/1`."""
        return {
            "schema": "kleiber/profile/1",
            "level": self.level,
            "rise": self.rise,
            "better_optimum_met": self.better,
            "intervals": {name: interval.to_json() for name, interval in self.intervals.items()},
            "sentences": list(self.sentences()),
        }

    def sentences(self) -> tuple[str, ...]:
        """Every interval, and a warning where the profile went below the fit's own optimum."""
        lines = [f"{interval.sentence()} at {100 * self.level:g} %" for interval in self.intervals.values()]
        if self.better:
            lines.append(
                "A profile met a lower objective than the fit's: search again with more starts (--starts 512)."
            )
        return tuple(lines)

    def __str__(self) -> str:
        return "\n".join(self.sentences())


def profile(fit: Fit, names: Sequence[str] | None = None, *, level: float = 0.95) -> Profile:
    """Profile intervals at `level` of the parameters `names` (default: all that were fitted).

    Raises `InputError` for an unknown name or a fit that came without its runs; `Refusal` for a refused fit without a value.
    """
    problem, u_P = problem_of(fit)
    asked = list(names) if names is not None else [name for name in fit.law.names if name not in fit.fixed]
    for name in asked:
        if name not in fit.law.names:
            raise InputError(f"no parameter {name!r}", remedy=did_you_mean(name, fit.law.names))
    rise = threshold(problem, u_P, level)
    traced = [_trace(fit, problem, u_P, fit.law.names.index(name), rise) for name in asked]
    return Profile(
        intervals={interval.name: interval for interval, _ in traced},
        level=level,
        rise=rise,
        better=any(better for _, better in traced),
    )


def problem_of(fit: Fit) -> tuple[Problem, Array]:
    """The problem that a fit solved, and its optimum in search coordinates."""
    if fit.table is None:
        raise InputError("this fit came without its runs", remedy="fit the run table itself")
    if not np.isfinite(fit.theta_P).all():
        fit.usable()
    problem = build(fit.law, fit.table, fit.objective, fit.fixed)
    return problem, to_search(fit.theta_P, fit.law.form.logged)


def threshold(problem: Problem, u_P: Array, level: float) -> float:
    """How far the summed objective may rise above its minimum."""
    from scipy import stats

    z_R = problem.objective.residual(predictions(problem, u_P[None])[0], problem.y_R)
    free = int((problem.lower_P < problem.upper_P).sum())
    spare = max(z_R.size - free, 1)
    if not np.isfinite(problem.delta):
        return float(0.5 * (z_R**2).sum() / spare * stats.f.ppf(level, 1, spare))
    return float(0.5 * stats.chi2.ppf(level, 1) * dispersion(z_R, problem.delta, spare))


def dispersion(z_R: Array, delta: float, spare: int) -> float:
    """tau = mean psi^2 / mean psi' of Huber's psi, with n - p in place of n.

    psi' is the share of residuals within delta; where delta is far below their spread that share is a handful of runs, p of
    which the optimum interpolates, so it is taken from the density in a wider window, without those p.
    """
    spread = 1.4826 * float(np.median(np.abs(z_R)))
    window = max(delta, spread * z_R.size**-0.2)
    within = int((np.abs(z_R) <= window).sum()) - (z_R.size - spare if window > delta else 0)
    share = max(within, 1) / (spare if window > delta else z_R.size) * delta / window
    squared = (np.clip(z_R, -delta, delta) ** 2).sum() / spare
    return float(squared / share)


def rise_at(problem: Problem, u_P: Array, index: int, value: float) -> tuple[float, Array]:
    """The minimum of the objective with coordinate `index` held at `value`, and where it lies."""
    lower, upper, start = problem.lower_P.copy(), problem.upper_P.copy(), u_P.copy()
    lower[index] = upper[index] = start[index] = value
    held_problem = dataclasses.replace(problem, lower_P=lower, upper_P=upper)
    start_BP = start[None]
    # A near-L1 objective is a field of small facets, in which a warm start sticks: come from a smoother one, as a search does.
    for smoothing in SMOOTHINGS if np.isfinite(problem.delta) else ():
        smoothed = dataclasses.replace(held_problem, smoothing=smoothing)
        start_BP = minimise(smoothed, start_BP, max_steps=SMOOTHED_STEPS).u_BP
    held = minimise(held_problem, start_BP)
    return float(held.value_B[0]), held.u_BP[0]


def _trace(fit: Fit, problem: Problem, u_P: Array, index: int, rise: float) -> tuple[ProfileInterval, bool]:
    lowest = rise_at(problem, u_P, index, u_P[index])[0]
    step = _first_step(fit, problem, u_P, index)
    low, low_open, least_low = _end(problem, u_P, index, lowest, rise, -step)
    high, high_open, least_high = _end(problem, u_P, index, lowest, rise, step)
    logged = fit.law.form.logged[index]
    natural = [float(np.exp(end)) if logged else float(end) for end in (low, high)]
    interval = ProfileInterval(
        name=fit.law.names[index],
        value=float(to_natural(u_P, fit.law.form.logged)[index]),
        low=natural[0],
        high=natural[1],
        low_open=low_open,
        high_open=high_open,
    )
    return interval, min(least_low, least_high) < lowest - BETTER * abs(lowest)


def _first_step(fit: Fit, problem: Problem, u_P: Array, index: int) -> float:
    """A first guess of the half width: two standard deviations of the draws, else a small share of the box."""
    if len(fit.draws_BP) >= 20:
        spread = float(to_search(fit.draws_BP, fit.law.form.logged)[:, index].std())
        if np.isfinite(spread) and spread > 0:
            return 2.0 * spread
    width = problem.upper_P[index] - problem.lower_P[index]
    return float(min(0.05 * width, 0.1))


def _end(
    problem: Problem, u_P: Array, index: int, lowest: float, rise: float, step: float
) -> tuple[float, bool, float]:
    """Where the profile crosses `rise` in the direction of `step`: (end, is the box's own end, least objective met).

    The signed root of the rise is nearly linear in the parameter, so a secant on it, kept inside its bracket, needs few steps.
    """
    bound = problem.upper_P[index] if step > 0 else problem.lower_P[index]
    room = abs(float(bound - u_P[index]))
    goal, least = np.sqrt(rise), np.inf
    inside, inside_root, near_P = 0.0, 0.0, u_P
    outside: float | None = None
    outside_root, distance = np.inf, abs(step)
    for _ in range(EVALUATIONS):
        distance = min(distance, room)
        value, at_P = rise_at(problem, near_P, index, float(u_P[index] + np.sign(step) * distance))
        least = min(least, value)
        root = float(np.sqrt(max(value - lowest, 0.0))) if np.isfinite(value) else np.inf
        if root <= goal:
            inside, inside_root, near_P = distance, root, at_P
            if distance >= room:
                return float(bound), True, least
        else:
            outside, outside_root = distance, root
        if outside is not None and outside - inside <= TOLERANCE * outside:
            break
        distance = _next(inside, inside_root, outside, outside_root, goal)
    return float(u_P[index] + np.sign(step) * (inside if outside is None else 0.5 * (inside + outside))), False, least


def _next(inside: float, inside_root: float, outside: float | None, outside_root: float, goal: float) -> float:
    """The next distance: outwards until the goal is bracketed, then by secant, a little past it so that both ends close in."""
    if outside is None:
        return max(1.5 * inside, min(inside * goal / max(inside_root, 1e-12 * goal), 3.0 * inside))
    if not np.isfinite(outside_root):
        return 0.5 * (inside + outside)
    share = (goal - inside_root) / (outside_root - inside_root)
    width = outside - inside
    past = 0.3 * TOLERANCE * outside
    guess = inside + share * width
    guess += past if share < 0.5 else -past
    return float(np.clip(guess, inside + 0.02 * width, outside - 0.02 * width))
