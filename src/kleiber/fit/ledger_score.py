"""Ledger score: forecasts held against what happened.

The way the data takes: ledger (+ a run table with the results) -> one outcome per forecast -> error, inside or not, CRPS -> the
same few numbers over all, by law and by distance.
The one idea: an outcome is one run, so it is held against the interval of one run, and every count says what it cannot tell:
below five outcomes nothing, and never that forecasts from one fit are independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.errors import Refusal
from kleiber.fit.estimate import Estimate, share
from kleiber.fit.ledger import Ledger
from kleiber.fit.ledger_entry import Entry
from kleiber.fit.ledger_outcome import Match, Unmatched, match
from kleiber.fit.quantile_score import crps, place
from kleiber.runs import RunTable

FEWEST = 5  # outcomes below which nothing is judged
BY_LUCK = 0.025
TOLERANCE = 0.01
INSIDE, NEAR, FAR, FURTHEST = "inside the runs", "0 - 1 decades", "1 - 2 decades", "beyond 2 decades"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One forecast and its outcome.

    `log_error` is ln(forecast / outcome): below 0 the forecast was too optimistic. `inside` says whether the outcome lies in the
    interval of one run, `crps` is in the unit of the loss, `place` is the share of the forecast below the outcome; the three are
    None for a forecast without draws.
    """

    entry: Entry
    outcome: float
    source: str
    log_error: float
    inside: bool | None
    crps: float | None
    place: float | None

    def to_json(self) -> dict[str, Any]:
        """One entry of `scored`."""
        entry = self.entry
        return {
            "id": entry.id,
            "line": entry.line,
            "date": entry.date,
            "run": entry.run,
            "law": entry.law,
            "at": dict(entry.at),
            "forecast": entry.loss,
            "new_run_interval": list(entry.new_run_interval) if entry.new_run_interval else None,
            "level": entry.level,
            "extrapolation_decades": entry.extrapolation_decades,
            "unit": entry.unit,
            "outcome": self.outcome,
            "source": self.source,
            "error": entry.loss - self.outcome,
            "log_error": self.log_error,
            "inside": self.inside,
            "crps": self.crps,
            "pit": self.place,
            **{name: entry.content.get(name) for name in ("runs", "objective", "seed", "versions")},
        }


@dataclass(frozen=True, kw_only=True)
class Group:
    """What some forecasts amount to together.

    `log_error` is the mean of |ln(forecast / outcome)|; `bias` the mean of ln(forecast / outcome) with Student's 95 % interval;
    `coverage` the share inside with Wilson's interval, of the `judged` forecasts that have an interval, `expected` how many of
    them should be, and `luck` the chance of as few or fewer if the intervals were right. `error` and `crps` are means in the unit
    of the loss, None where units differ.
    """

    name: str
    count: int
    judged: int
    inside: int
    expected: float
    coverage: Estimate | None
    luck: float | None
    log_error: float
    bias: Estimate
    error: float | None
    crps: float | None
    unit: str | None

    @property
    def verdict(self) -> str:
        """`ok`, `warning` (biased), `problem` (intervals too narrow) or `cannot tell` (fewer than five outcomes)."""
        if self.count < FEWEST:
            return "cannot tell"
        if self.judged >= FEWEST and self.luck is not None and self.luck < BY_LUCK:
            return "problem"
        return "warning" if self.bias.excludes(0.0) else "ok"

    def to_json(self) -> dict[str, Any]:
        """One group."""
        return {
            "name": self.name,
            "count": self.count,
            "inside": self.inside,
            "judged": self.judged,
            "expected": self.expected,
            "coverage": self.coverage.to_json() if self.coverage else None,
            "luck": self.luck,
            "mean_log_error": self.log_error,
            "bias": self.bias.to_json(),
            "mean_error": self.error,
            "mean_crps": self.crps,
            "unit": self.unit,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The score of a ledger: over all, by law, by distance; each forecast; and what was not scored, with the reason."""

    ledger: Ledger
    overall: Group
    by_law: tuple[Group, ...]
    by_reach: tuple[Group, ...]
    beyond: Group | None
    scored: tuple[Scored, ...]
    unmatched: tuple[Unmatched, ...]
    several: int
    tolerance: float

    @property
    def fits(self) -> int:
        """How many different fits the scored forecasts come from."""
        return len({(one.entry.runs_hash, one.entry.formula) for one in self.scored})

    def sentences(self) -> tuple[str, ...]:
        """What the score says, in sentences that can be quoted."""
        from kleiber.fit.ledger_words import sentences

        return sentences(self)

    def to_json(self) -> dict[str, Any]:
        """The score as `kleiber/ledger-score/1` (the caller adds provenance)."""
        return {
            "schema": "kleiber/ledger-score/1",
            "ledger": self.ledger.path,
            "overall": self.overall.to_json(),
            "by_law": [group.to_json() for group in self.by_law],
            "by_distance": [group.to_json() for group in self.by_reach],
            "fits": self.fits,
            "scored": [one.to_json() for one in self.scored],
            "open": [one.to_json() for one in self.unmatched],
            "duplicates": [{"id": one.id, "line": one.line} for one in self.ledger.duplicates],
            "tolerance": self.tolerance,
            "chain": self.ledger.chain_json(),
            "sentences": list(self.sentences()),
        }


def score(ledger: Ledger, runs: RunTable | None = None, *, tolerance: float = TOLERANCE) -> Scores:
    """Hold the forecasts of `ledger` against their outcomes: those settled in it, and the runs of a table.

    A run is a forecast's outcome if it bears the name that the forecast gave, else if it lies within the relative `tolerance` of
    it in every input. The same forecast recorded again counts once, the earliest. Raises `Refusal` where nothing has an outcome
    yet, `ConventionError` where the only outcomes are in other units.
    """
    matches, unmatched = match(ledger, runs, tolerance)
    if not matches:
        what = (
            f"None of {len(ledger.forecasts)} forecasts has an outcome yet"
            if ledger.entries
            else "No forecast stands here"
        )
        raise Refusal(
            what, remedy="kleiber ledger settle ID --loss X, or --runs with the results, when the runs are done"
        )
    scored = tuple(_scored(one) for one in matches)
    far = [one for one in scored if one.entry.extrapolation_decades > 1]
    return Scores(
        ledger=ledger,
        overall=_group("all", scored),
        by_law=_grouped(scored, lambda one: one.entry.law_words),
        by_reach=tuple(
            sorted(_grouped(scored, _reach), key=lambda group: (INSIDE, NEAR, FAR, FURTHEST).index(group.name))
        ),
        beyond=_group("beyond 1 decade", far) if far else None,
        scored=scored,
        unmatched=unmatched,
        several=sum(one.candidates > 1 for one in matches),
        tolerance=tolerance,
    )


def chance_of_as_few(inside: int, levels: Sequence[float]) -> float:
    """The chance that `inside` or fewer of independent outcomes fall into intervals that hold them with chance `levels`.

    >>> round(chance_of_as_few(7, [0.95] * 9), 4)
    0.0712
    """
    counts = np.ones(1)
    for level in levels:
        counts = np.convolve(counts, [1 - level, level])
    return float(min(1.0, counts[: inside + 1].sum()))


def _scored(found: Match) -> Scored:
    entry, outcome = found.entry, found.loss
    ends, quantiles = entry.new_run_interval, entry.quantiles
    return Scored(
        entry=entry,
        outcome=outcome,
        source=found.source,
        log_error=float(np.log(entry.loss / outcome)),
        inside=ends[0] <= outcome <= ends[1] if ends else None,
        crps=crps(quantiles, outcome, entry.levels) if quantiles else None,
        place=place(quantiles, outcome, entry.levels) if quantiles else None,
    )


def _reach(one: Scored) -> str:
    decades = one.entry.extrapolation_decades
    return INSIDE if decades <= 0 else NEAR if decades <= 1 else FAR if decades <= 2 else FURTHEST


def _grouped(scored: Sequence[Scored], name_of: Callable[[Scored], str]) -> tuple[Group, ...]:
    names = dict.fromkeys(map(name_of, scored))
    return tuple(_group(name, [one for one in scored if name_of(one) == name]) for name in names)


def _group(name: str, scored: Sequence[Scored]) -> Group:
    units = {one.entry.unit for one in scored}
    levels = [one.entry.level for one in scored if one.inside is not None]
    inside = sum(bool(one.inside) for one in scored)
    errors = np.array([one.log_error for one in scored])
    ranked = [one.crps for one in scored if one.crps is not None]
    alike = len(units) == 1
    return Group(
        name=name,
        count=len(scored),
        judged=len(levels),
        inside=inside,
        expected=float(sum(levels)),
        coverage=share(inside, len(levels)) if levels else None,
        luck=chance_of_as_few(inside, levels) if levels else None,
        log_error=float(np.abs(errors).mean()),
        bias=_mean(errors),
        error=float(np.mean([abs(one.entry.loss - one.outcome) for one in scored])) if alike else None,
        crps=float(np.mean(ranked)) if alike and ranked else None,
        unit=units.pop() if alike else None,
    )


def _mean(errors: np.ndarray) -> Estimate:
    """The mean with Student's 95 % interval; none for a single number."""
    mean = float(errors.mean())
    if errors.size < 2:
        return Estimate(value=mean)
    from scipy.special import stdtrit

    half = float(stdtrit(errors.size - 1, 0.975) * errors.std(ddof=1) / np.sqrt(errors.size))
    return Estimate(value=mean, interval=(mean - half, mean + half))
