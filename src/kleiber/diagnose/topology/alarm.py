"""An alarm during training: does the estimated gap grow? Looked at after every checkpoint, it stays as rare as it says.

The way the data takes: a draw of activations -> an estimate of the gap (`Monitor`, within its share of the time) -> all
estimates so far -> capital (`betting`) -> a finding.

One idea: what must be fresh is the draw. Each look at other units and other inputs makes the error of one estimate independent of
the last, given the network; a fixed sample would carry its own luck from checkpoint to checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.diagnose.topology.betting import REFERENCE, capital_above, capital_of_growth, highest_excluded
from kleiber.diagnose.topology.matched import REMEDY, SoundRuns, above_sound_runs
from kleiber.errors import InputError, Refusal
from kleiber.finding import Finding

LEAST_LOOKS = 8
Draw = Callable[[], NDArray[np.floating]]
Estimate = Callable[[NDArray[np.floating]], float]


def gap_above(estimates_T: ArrayLike, *, tolerated: float, level: float = 0.05, seed: int = 0) -> Finding:
    """Has the estimated gap gone above what is tolerated? Estimates in the order of the checkpoints, as shares of 1.

    The null: at no checkpoint was the expected estimate above `tolerated`. A false alarm, ever, has probability `level` at
    most. The interval runs from the largest gap that is shown to have been exceeded to 1. `seed` is not used: this alarm draws
    nothing.
    """
    del seed
    estimates = _estimates(estimates_T, level)
    if len(estimates) < LEAST_LOOKS:
        return _too_few("gap_above", len(estimates))
    capital_T = capital_above(estimates, tolerated)
    lower = highest_excluded(estimates, level=level)
    recent = float(np.median(estimates[-5:]))
    shown = f"Over {len(estimates)} checkpoints the estimated gap came to {100 * recent:.1f} points (median of the last five)"
    return _finding(
        "gap_above",
        capital_T,
        level,
        value=recent,
        interval=(lower, 1.0),
        loud=f"{shown}, and checkpoint {{first}} showed it above the tolerated {100 * tolerated:g}",
        quiet=f"{shown}; that it was ever above the tolerated {100 * tolerated:g} is not shown",
    )


def gap_growth(estimates_T: ArrayLike, *, level: float = 0.05, seed: int = 0) -> Finding:
    """Does the estimated gap grow over the checkpoints? Only the order of the estimates counts, so any measure will do.

    The null: the estimates are exchangeable, as they are where the network stays as it is. A false alarm, ever, has probability
    `level` at most. Leave out the beginning of training, where every gap grows from nothing.
    """
    estimates = _estimates(estimates_T, level)
    if len(estimates) < LEAST_LOOKS:
        return _too_few("gap_growth", len(estimates))
    if np.ptp(estimates) == 0:
        return cannot_tell(
            "gap_growth", "All estimates are equal.", remedy="fresh units and inputs for each look", reference=REFERENCE
        )
    half = len(estimates) // 2
    before, after = float(np.median(estimates[:half])), float(np.median(estimates[half:]))
    halves = f"the first {half} checkpoints is {before:.3g}, of the other {len(estimates) - half} {after:.3g}"
    shown = f"The median estimate of {halves}"
    return _finding(
        "gap_growth",
        capital_of_growth(estimates, seed=seed),
        level,
        value=after - before,
        interval=None,
        loud=f"{shown}: it grows, as checkpoint {{first}} showed",
        quiet=f"{shown}; that it grows is not shown",
    )


class Monitor:
    """Estimates a gap from fresh activations now and then, never for more than its share of the time, and raises the alarm.

    `estimate` makes a gap (or any measure) of activations `(inputs, units)`; where it refuses, the look is lost. `share`: of
    the time since the monitor was made, at most this much is spent in it; whether to look is decided before anything is drawn,
    from times alone, so that the alarm keeps its level. With `sound`, looks at runs known not to overfit, the alarm is for more
    than these show at the same steps; with `tolerated` for more than that; with neither for growth, which any young run shows.

    >>> monitor = Monitor(lambda drawn: float(drawn.mean()), tolerated=0.1, share=1.0)
    >>> for step in range(30):
    ...     monitor(step, lambda: np.full((5, 5), 0.3))
    >>> monitor.finding().verdict, monitor.alarm_at is not None
    ('warning', True)
    """

    def __init__(
        self,
        estimate: Estimate,
        *,
        tolerated: float | None = None,
        sound: SoundRuns | None = None,
        level: float = 0.05,
        share: float = 0.05,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not 0 < share <= 1:
            raise InputError("the share of the time is above 0 and at most 1", found=share)
        if not 0 < level < 1:
            raise InputError("the level is a probability", found=level)
        if tolerated is not None and sound is not None:
            raise InputError("one alarm at a time", found="tolerated and sound", remedy="a monitor for each")
        self._estimate, self._tolerated, self._sound, self._level = estimate, tolerated, sound, level
        self._share, self._clock = share, clock
        self._begun, self._spent_seconds = clock(), 0.0
        self.steps: list[int] = []
        self.estimates: list[float] = []
        self.skipped = self.refused = 0
        self.alarm_at: int | None = None

    def __call__(self, step: int, draw: Draw) -> None:
        """A checkpoint; `draw` is called where there is time for it."""
        begin = self._clock()
        if self._spent_seconds > self._share * (begin - self._begun):
            self.skipped += 1
            return
        try:
            self.estimates.append(float(self._estimate(draw())))
            self.steps.append(step)
        except Refusal:
            self.refused += 1
        finally:
            self._spent_seconds += self._clock() - begin
        if self.alarm_at is None and self._raised():
            self.alarm_at = step

    def finding(self) -> Finding:
        """What the looks so far say."""
        found = self._judged()
        if not self.refused:
            return found
        # A run that leaves the reference runs behind is refused an estimate just where an alarm would be due.
        lost = (
            f"{self.refused} of {self.refused + len(self.estimates)} looks were refused an estimate and are not in this"
        )
        return replace(found, caveats=(*found.caveats, lost))

    def _judged(self) -> Finding:
        if self._sound is not None:
            looks_S = self._sound.looks(self.steps, self.estimates)
            return above_sound_runs(looks_S, self._sound.value_RS, lower=self._sound.lower, level=self._level)
        if self._tolerated is not None:
            return gap_above(self.estimates, tolerated=self._tolerated, level=self._level)
        return gap_growth(self.estimates, level=self._level)

    def _raised(self) -> bool:
        if self._sound is not None:
            return self._judged().verdict == "warning"
        if len(self.estimates) < LEAST_LOOKS:
            return False
        capital_T = (
            capital_of_growth(self.estimates)
            if self._tolerated is None
            else capital_above(self.estimates, self._tolerated)
        )
        return bool(capital_T[-1] >= 1 / self._level)


def _estimates(values: ArrayLike, level: float) -> NDArray[np.float64]:
    if not 0 < level < 1:
        raise InputError("the level is a probability", found=level)
    return numbers(values, what="the estimates")


def _too_few(name: str, count: int) -> Finding:
    why, remedy = f"{count} estimates are too few for an alarm.", f"at least {LEAST_LOOKS} checkpoints"
    return cannot_tell(name, why, remedy=remedy, reference=REFERENCE)


def _finding(
    name: str,
    capital_T: NDArray[np.float64],
    level: float,
    *,
    value: float,
    interval: tuple[float, float] | None,
    loud: str,
    quiet: str,
) -> Finding:
    over = np.flatnonzero(capital_T >= 1 / level)
    words = loud.format(first=over[0] + 1) if over.size else quiet
    return Finding(
        name=name,
        verdict="warning" if over.size else "ok",
        evidence=f"{words} (evidence {capital_T.max():.3g} to 1; the alarm is at {1 / level:.3g}).",
        remedy=REMEDY if over.size else "",
        value=value,
        interval=interval,
        caveats=(f"at most {100 * level:g} % of runs without it raise this alarm, however often one looks",
                 "an alarm on the estimate, which is worth what its calibration is worth"),
        reference=REFERENCE,
    )  # fmt: skip
