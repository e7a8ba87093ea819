"""The alarm whose null is what sound runs show at the same step: is this run above every one of them?

The way the data takes: runs known not to overfit, looked at as they train -> their looks at the steps they share (`SoundRuns`) ->
how many of them the run at hand has beaten so far -> a p-value that may be looked at after every checkpoint -> a finding.

One idea: any measure moves while a network learns, so that a ceiling or a slope cries on every young run. What a sound run shows
at the same step moves with it. And whole runs are compared, because the looks at one run go together: its luck is its own.

Formula: of runs i and j the one that lies higher is that with the larger max over steps of (value - mean) / sd, both by the runs
other than i and j. A run that is one more sound run beats w of R with a chance of at most (2 (R + 1 - w) - 1) / (R + 1): in any
tournament of n players no more than 2 (n - w) - 1 win w times or more. Once beaten is beaten, so that the chance is that of ever.

Source: leaving out the run at hand as well as the other is Barber et al., Predictive inference with the jackknife+ (Ann. Stat.,
2021); the count of wins is a sum: m players who win w times or more have at most m (m - 1) / 2 + m (n - m) wins together.
Shapes: R sound runs, S steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError, Refusal
from kleiber.finding import Finding

REMEDY = "label a few hundred fresh examples and measure the gap; stop, or train on more data"
NAME = "above_sound_runs"
REFERENCE = "Barber et al., Predictive inference with the jackknife+ (Ann. Stat. 2021)"
LEAST_RUNS, LEAST_STEPS, RECENT = 4, 2, 5
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SoundRuns:
    """Looks at runs that are known not to overfit: `value_RS` at the steps `step_S` that all have; is `lower` worse?"""

    step_S: NDArray[np.int64]
    value_RS: Array
    lower: bool = False

    def looks(self, steps: ArrayLike, values: ArrayLike) -> Array:
        """The looks at another run at these steps, `(S,)`, NaN where there is none; looks at other steps are left out.

        >>> runs = sound_runs([([10, 20], [0.1, 0.2])] * 4)
        >>> runs.looks([20, 25], [0.3, 0.9]).tolist()
        [nan, 0.3]
        """
        step_T, value_T = _run(steps, values)
        found_S = np.full(self.step_S.size, np.nan)
        here_S, place_S = np.isin(self.step_S, step_T), np.searchsorted(step_T, self.step_S)
        found_S[here_S] = value_T[place_S[here_S]]
        return found_S


def sound_runs(runs: Iterable[tuple[ArrayLike, ArrayLike]], *, lower: bool = False) -> SoundRuns:
    """Gather looks at sound runs, each `(steps, values)`, at the steps that all have.

    The values are whatever is measured of activations at a look (the mean edge of the tree), or is free: the training loss, of
    which the lower is the worse (`lower`). Raises `InputError` where steps do not rise or a value is not finite, and `Refusal`
    where there are fewer than four runs or they share fewer than two steps.
    """
    each = [_run(steps, values) for steps, values in runs]
    if len(each) < LEAST_RUNS:
        raise Refusal(
            f"{len(each)} sound runs are too few to hold another against", remedy=f"{LEAST_RUNS} or more, 19 for 5 %"
        )
    shared = each[0][0]
    for step_T, _ in each[1:]:
        shared = np.intersect1d(shared, step_T)
    if shared.size < LEAST_STEPS:
        raise Refusal(f"the sound runs share {shared.size} steps", remedy="look at all of them at the same steps")
    value_RS = np.stack([value_T[np.searchsorted(step_T, shared)] for step_T, value_T in each])
    return SoundRuns(step_S=shared, value_RS=value_RS, lower=lower)


def beaten(value_S: ArrayLike, sound_RS: ArrayLike) -> NDArray[np.int64]:
    """How many sound runs a run has beaten up to each step, `(S,)`; a step without a look (NaN) adds nothing.

    >>> rng = np.random.default_rng(0)
    >>> sound_RS = rng.normal(size=(19, 4))
    >>> beaten(np.array([0.0, 0.0, 9.0, 0.0]), sound_RS)[-2:].tolist()
    [19, 19]
    """
    sound, value = np.asarray(sound_RS, dtype=np.float64), np.asarray(value_S, dtype=np.float64)
    # Mean and spread without each run in turn, about the mean of all, so that no digits are lost.
    about_RS, rest = sound - sound.mean(axis=0), len(sound) - 1
    middle_RS = -about_RS / rest
    square_RS = np.square(about_RS).sum(axis=0) - np.square(about_RS) - rest * np.square(middle_RS)
    spread_RS = np.sqrt(np.maximum(square_RS, 0) / (rest - 1)) + 1e-300
    highest_R = ((about_RS - middle_RS) / spread_RS).max(axis=1)
    excess_RS = np.where(np.isnan(value), -np.inf, (value - sound.mean(axis=0) - middle_RS) / spread_RS)
    return np.asarray((np.maximum.accumulate(excess_RS, axis=1) > highest_R[:, None]).sum(axis=0), dtype=np.int64)


def chance_of(wins: ArrayLike, runs: int) -> Array:
    """How likely one more sound run is ever to beat so many of `runs`, at most.

    >>> chance_of([19, 18, 3], 19).tolist()
    [0.05, 0.15, 1.0]
    """
    return np.minimum(1.0, (2 * (runs + 1 - np.asarray(wins)) - 1) / (runs + 1))


def above_sound_runs(
    value_S: ArrayLike, sound_RS: ArrayLike, *, lower: bool = False, level: float = 0.05, seed: int = 0
) -> Finding:
    """Does a run lie above (`lower`: below) sound runs at the same steps? Looks `(S,)`, NaN for none, and theirs `(R, S)`.

    The null: the run is one more sound run (the runs, whole, are exchangeable). A false alarm, ever, has probability `level` at
    most; with R runs no level below 1 / (R + 1) can be had. value: how far the last five looks lie above the mean of the sound
    runs at their steps, in what is measured; the interval is what sound runs would show there (central 95 % by Student).
    `seed` is not used. Raises `InputError` where shapes do not agree or a sound look is not finite.
    """
    del seed
    value, sound = _checked(value_S, sound_RS, level)
    runs, seen_S = len(sound), np.isfinite(value)
    if runs < LEAST_RUNS or 1 / (runs + 1) > level:
        why = f"{runs} sound runs cannot show a level below {100 / (runs + 1):.2g} %, and {100 * level:g} % is asked."
        need = max(LEAST_RUNS, math.ceil(1 / level - 1e-9) - 1)
        return cannot_tell(NAME, why, remedy=f"{need} sound runs or more, or a higher level", reference=REFERENCE)
    if not seen_S.any():
        why = "The run was not looked at where the sound runs were."
        return cannot_tell(NAME, why, remedy="look at the same steps", reference=REFERENCE)
    if not np.ptp(sound[:, seen_S], axis=0).min() > 0:
        return cannot_tell(
            NAME, "At some step all sound runs show the same.", remedy="another measure", reference=REFERENCE
        )
    wins_S = beaten(-value, -sound) if lower else beaten(value, sound)
    over = np.flatnonzero(chance_of(wins_S, runs) <= level)
    excess, half = _recent(value, sound, seen_S)
    looks, side = int(seen_S.sum()), "below" if lower else "above"
    shown = f"Over {looks} looks the run lies {excess:+.3g} from the mean of {runs} sound runs (last {min(RECENT, looks)} looks)"
    first = f" from look {seen_S[: over[0] + 1].sum()} on" if over.size else ""
    p_value = float(chance_of(wins_S, runs)[-1])
    return Finding(
        name=NAME,
        verdict="warning" if over.size else "ok",
        evidence=f"{shown}; it has been {side} {wins_S[-1]} of them{first} (p = {p_value:.2g}).",
        remedy=REMEDY if over.size else "",
        value=excess,
        interval=(-half, half),
        caveats=(f"at most {100 * level:g} % of runs like the sound ones raise this alarm, however often one looks",
                 "another rate, size or kind of data is no sound run of these: it may raise the alarm, or hide under it"),
        reference=REFERENCE,
    )  # fmt: skip


def _recent(value_S: Array, sound_RS: Array, seen_S: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean excess of the last looks over sound runs, and the half-width of what one more sound run would show there."""
    from scipy.stats import t

    last = np.flatnonzero(seen_S)[-RECENT:]
    each_R = sound_RS[:, last].mean(axis=1)
    half = t.ppf(0.975, each_R.size - 1) * each_R.std(ddof=1) * np.sqrt(1 + 1 / each_R.size)
    return float(value_S[last].mean() - each_R.mean()), float(half)


def _run(steps: ArrayLike, values: ArrayLike) -> tuple[NDArray[np.int64], Array]:
    step_T, value_T = numbers(steps, what="the steps"), numbers(values, what="the looks")
    if step_T.size != value_T.size:
        raise InputError("steps and looks differ in length", found=f"{step_T.size} and {value_T.size}")
    if (step_T != np.round(step_T)).any() or (np.diff(step_T) <= 0).any():
        raise InputError("steps are whole numbers that rise", found=", ".join(f"{step:g}" for step in step_T[:5]))
    return step_T.astype(np.int64), value_T


def _checked(value_S: ArrayLike, sound_RS: ArrayLike, level: float) -> tuple[Array, Array]:
    value, sound = np.asarray(value_S, dtype=np.float64), np.asarray(sound_RS, dtype=np.float64)
    if not 0 < level < 1:
        raise InputError("the level is a probability", found=level)
    if value.ndim != 1 or sound.ndim != 2 or sound.shape[1] != value.size:
        raise InputError(
            "looks are a series, those at sound runs a matrix with a column for each",
            found=f"{value.shape} and {sound.shape}",
        )
    numbers(sound.reshape(-1), what="the looks at sound runs")
    if np.isinf(value).any():
        raise InputError("a look is infinite", found=f"row {np.flatnonzero(np.isinf(value))[0] + 1}")
    return value, sound
