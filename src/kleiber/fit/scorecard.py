"""Scorecard: what a back-test found, as values and in words.

One idea: a fold is a row that a person can read by itself (where was the cut, how many runs on either side, how wrong, and what
split would it have advised), and the ranking compares laws only pairwise on the same hidden runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.fit.estimate import Estimate, share
from kleiber.fit.objective import Objective

Array = NDArray[np.float64]

LEVEL = 0.95
NEGLIGIBLE = 1e-4  # a log error that is larger by less than 0.01 % of the loss is not larger
FIXED = 1e-6  # an exponent that no draw moves by more is the law's, not the runs'


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One law at one cut: fitted to the runs up to `cut`, judged on those beyond.

    `log_rmse` is the root mean square of ln(predicted / measured) over the hidden runs and `bias` its mean (positive: the
    prediction was too high); `coverage` the share of hidden runs inside their 95 % new-run interval; `reach_decades` how
    far the furthest hidden run lies beyond the largest fitted one.
    """

    law: str
    along: str
    cut: float
    fit_runs: int
    test_runs: int
    log_rmse: Estimate
    bias: Estimate
    coverage: Estimate
    allocation_exponent: Estimate | None
    parameters: Mapping[str, float]
    outcome: str
    reach_decades: float

    def to_json(self) -> dict[str, Any]:
        """One entry of `folds`."""
        exponent = self.allocation_exponent
        return {
            "law": self.law,
            "along": self.along,
            "cut": self.cut,
            "cut_flops": self.cut if self.along == "flops" else None,
            "fit_runs": self.fit_runs,
            "test_runs": self.test_runs,
            "log_rmse": _finite(self.log_rmse.value),
            "log_rmse_ci95": _pair(self.log_rmse),
            "bias": _finite(self.bias.value),
            "bias_ci95": _pair(self.bias),
            "coverage95": _finite(self.coverage.value),
            "coverage95_ci95": _pair(self.coverage),
            "allocation_exponent": _finite(exponent.value) if exponent else None,
            "allocation_exponent_ci95": _pair(exponent) if exponent else None,
            "parameters": {name: _finite(value) for name, value in self.parameters.items()},
            "outcome": self.outcome,
            "reach_decades": self.reach_decades,
        }


@dataclass(frozen=True, kw_only=True)
class Score:
    """A law in the ranking: held-out log-RMSE over all folds, and `behind`, how much worse than the best (paired)."""

    law: str
    log_rmse: Estimate
    behind: Estimate

    @property
    def distinguishable(self) -> bool:
        """Whether its error is larger than the best's by more than 0.01 % of the loss and beyond the paired interval."""
        return self.behind.interval is not None and self.behind.interval[0] > 0 and self.behind.value > NEGLIGIBLE

    def to_json(self) -> dict[str, Any]:
        """One entry of `ranking`."""
        return {
            "law": self.law,
            "log_rmse": self.log_rmse.to_json(),
            "behind": self.behind.to_json(),
            "distinguishable": self.distinguishable,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Backtest:
    """Every law at every cut, the ranking (best first), and the drift of the best law's allocation exponent.

    `errors` holds ln(predicted / measured) of each law, shape (folds, runs), NaN where a run was not hidden.
    """

    folds: tuple[Fold, ...]
    ranking: tuple[Score, ...]
    drift: Estimate | None
    along: str
    cuts: tuple[float, ...]
    objective: Objective
    bootstrap: int
    cluster: str | None
    seed: int
    source: str
    hash: str
    errors: Mapping[str, Array] = field(repr=False)

    @property
    def best(self) -> str:
        """The law with the least held-out error."""
        return self.ranking[0].law

    def of(self, law: str) -> tuple[Fold, ...]:
        """The folds of one law, by rising cut."""
        return tuple(fold for fold in self.folds if fold.law == law)

    @property
    def coverage(self) -> Estimate:
        """The best law's coverage over all folds that have draws, with Wilson's interval (hidden runs taken as independent)."""
        return _coverage(self.of(self.best))

    def to_json(self) -> dict[str, Any]:
        """The back-test as `kleiber/backtest/1`."""
        return {
            "schema": "kleiber/backtest/1",
            "folds": [fold.to_json() for fold in self.folds],
            "ranking": [score.to_json() for score in self.ranking],
            "best": self.best,
            "drift": self.drift.to_json() if self.drift else None,
            "along": self.along,
            "objective": {"name": self.objective.name, "delta": self.objective.delta},
            "bootstrap": self.bootstrap,
            "cluster": self.cluster,
            "seed": self.seed,
            "runs": {"source": self.source, "hash": self.hash},
            "sentences": list(self.sentences()),
        }

    def sentences(self) -> tuple[str, ...]:
        """What the back-test says, in sentences that can be quoted."""
        score = self.ranking[0]
        lines = [_headline(self, score)]
        if self.drift is not None:
            lines.append(_drift_words(self.of(self.best), self.drift))
        lines += [_behind_words(self.best, other) for other in self.ranking[1:]]
        refused = [fold for fold in self.of(self.best) if fold.outcome != "solved"]
        if refused:
            others = _coverage([fold for fold in self.of(self.best) if fold.outcome == "solved"])
            held = "" if others.interval is None else f"; the intervals of the others hold {_of_hundred(others)}"
            lines.append(
                f"{len(refused)} of {len(self.cuts)} folds rest on a fit that would be refused ({refused[0].outcome}){held}."
            )
        return tuple(lines)

    def __str__(self) -> str:
        return "\n".join(self.sentences())


def _headline(result: Backtest, score: Score) -> str:
    spread = (
        ""
        if score.log_rmse.interval is None
        else " ({:.2g} - {:.2g} %)".format(*(100 * end for end in score.log_rmse.interval))
    )
    within = f"Hidden top rungs are predicted within {100 * score.log_rmse.value:.2g} %{spread}"
    text = f"{within} by {score.law} (log-RMSE, {len(result.cuts)} cuts)"
    held = result.coverage
    if held.interval is None:
        return f"{text}."
    return f"{text}; 95 % intervals hold {_of_hundred(held)}."


def _coverage(folds: Sequence[Fold]) -> Estimate:
    """The share of hidden runs inside their intervals, over the folds that have draws; NaN where none has."""
    told = [(fold.coverage.value, fold.test_runs) for fold in folds if np.isfinite(fold.coverage.value)]
    if not told:
        return Estimate(value=float("nan"))
    return share(round(sum(part * count for part, count in told)), sum(count for _, count in told), LEVEL)


def _of_hundred(held: Estimate) -> str:
    assert held.interval is not None
    low, high = (round(100 * end) for end in held.interval)
    return f"{100 * held.value:.0f} of 100 ({low} - {high})"


def _drift_words(folds: Sequence[Fold], drift: Estimate) -> str:
    found = [fold.allocation_exponent for fold in folds if fold.allocation_exponent]
    kept = [each for each in found if np.isfinite(each.value)]
    if drift.interval is not None and max(abs(end) for end in drift.interval) < FIXED:
        return f"This law fixes the allocation exponent at {kept[0].value:.3f}, so its drift says nothing."
    path = f"{kept[0].value:.3f} to {kept[-1].value:.3f}"
    spread = "" if drift.interval is None else f" (change {drift.interval[0]:+.3f} to {drift.interval[1]:+.3f})"
    if drift.excludes(0.0):
        return f"The allocation exponent drifted from {path} as rungs were added{spread}: trust the loss more than the split."
    return f"The allocation exponent went from {path} as rungs were added{spread}, no more than its noise."


def _behind_words(best: str, other: Score) -> str:
    if not np.isfinite(other.log_rmse.value):
        return f"{other.law} could not predict every hidden run."
    text = f"{other.law} predicts within {100 * other.log_rmse.value:.2g} %"
    return (
        f"{text}, worse than {best}." if other.distinguishable else f"{text}, which these runs cannot tell from {best}."
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _pair(number: Estimate) -> list[float] | None:
    return list(number.interval) if number.interval else None
