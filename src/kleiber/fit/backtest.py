"""Back-test: hide the top of the ladder, fit the rest, predict what was hidden, and roll the cut upwards.

The way the data takes: runs -> cuts along the ladder (`folds`) -> a fit below each cut, with draws -> errors, bias and coverage
above it, and the allocation exponent that each fit would have given -> the ranking of the laws by held-out error.

The one idea: a law is judged by the question it will be asked. And the loss is not the decision: on the digitised Chinchilla runs
the hidden losses are predicted to 1.2 % while the allocation exponent drifts from .60 to .51, so both are reported.

What the intervals mean: those of errors, bias and ranking resample the hidden *runs* (whole runs, through all folds), so
they say how much rests on few runs, not how much another ladder would differ.

Source: fitting by rolling origin, Tashman (2000), International Journal of Forecasting 16, 437; docs/fitting.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.fit import folds as cutting
from kleiber.fit.estimate import Estimate, estimate, share
from kleiber.fit.fitting import FEWEST_CLUSTERS, cluster_codes, fit
from kleiber.fit.frontier import cloud, frontier, other_inputs, splits
from kleiber.fit.objective import Objective
from kleiber.fit.result import Fit
from kleiber.fit.scorecard import LEVEL, Backtest, Fold, Score
from kleiber.fit.search import STARTS
from kleiber.laws import Law, find
from kleiber.runs import RunTable, read

Array = NDArray[np.float64]

RESAMPLES = 1000
SCATTERS = 10  # residuals drawn per draw, so that new-run intervals are not ragged with few draws


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A law under a name, with parameters held fixed."""

    name: str
    law: Law
    fixed: Mapping[str, float] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """How many parameters are fitted."""
        return len(self.law.names) - len(self.fixed)


def backtest(
    runs: RunTable | str | Path | Any,
    laws: Law | str | Sequence[Law | str] = ("chinchilla",),
    *,
    folds: int | Sequence[float] = len(cutting.SHARES),
    objective: Objective | None = None,
    seed: int = 0,
    bootstrap: int = 200,
    starts: int = STARTS,
    fixed: Mapping[str, float] | None = None,
    cluster: str | None = None,
) -> Backtest:
    """Hide the top of the ladder, fit the rest, predict; at several cuts and for every law.

    `folds` is how many cuts to make (each in a gap of the ladder that leaves free parameters + 3 runs), or the cuts
    themselves in the unit of the axis (FLOP; `examples`, `tokens`, ... where all laws have that one input).
    `bootstrap` draws per fit give the intervals; 0 leaves coverage out. `fixed` holds parameters of every law that has them.
    `cluster` names a column of runs that are resampled together, as in `fit`; a fold with fewer than three clusters below its
    cut has no draws, so that it says nothing of intervals.

    Raises `InputError` for laws of different targets or an impossible cut, `Refusal` for too short a ladder.
    """
    table = runs if isinstance(runs, RunTable) else read(runs)
    asked = [laws] if isinstance(laws, (str, Law)) else list(laws)
    chosen = [find(law) if isinstance(law, str) else law for law in asked]
    pins = fixed or {}
    contestants = [
        Contestant(name=name, law=law, fixed={key: value for key, value in pins.items() if key in law.names})
        for name, law in zip(_names(chosen), chosen, strict=True)
    ]
    return contest(
        table,
        contestants,
        folds=folds,
        objective=objective,
        seed=seed,
        bootstrap=bootstrap,
        starts=starts,
        cluster=cluster,
    )


def contest(
    table: RunTable,
    contestants: Sequence[Contestant],
    *,
    folds: int | Sequence[float] = len(cutting.SHARES),
    objective: Objective | None = None,
    seed: int = 0,
    bootstrap: int = 200,
    starts: int = STARTS,
    cluster: str | None = None,
) -> Backtest:
    """The back-test of several laws, or of one law with different parameters held fixed, on the same folds."""
    settings = objective or Objective()
    _check(contestants)
    codes_R = cluster_codes(table, cluster) if cluster else np.arange(len(table))
    along, values_R = cutting.axis(table, [each.law for each in contestants])
    fewest = max(each.free for each in contestants) + cutting.SPARE
    cuts = (
        cutting.automatic(values_R, fewest, folds) if isinstance(folds, int) else cutting.given(values_R, folds, fewest)
    )

    def fitted(each: Contestant, below_R: NDArray[np.bool_]) -> Fit:
        enough = len(np.unique(codes_R[below_R])) >= FEWEST_CLUSTERS
        draws, together = (bootstrap, cluster) if enough else (0, None)
        return fit(
            table.take(below_R), each.law, objective=settings, bootstrap=draws, seed=seed, starts=starts, fixed=each.fixed,
            cluster=together,
        )  # fmt: skip

    judged: list[Fold] = []
    errors: dict[str, Array] = {each.name: np.full((len(cuts), len(table)), np.nan) for each in contestants}
    exponents: dict[str, list[Array]] = {each.name: [] for each in contestants}
    for each, (number, cut) in product(contestants, enumerate(cuts)):
        below_R = values_R <= cut
        found = fitted(each, below_R)
        inside, error_T = _judge(found, table.take(~below_R), seed)
        errors[each.name][number, ~below_R] = error_T
        exponent_K = _exponents(found, float(values_R[below_R].max()), along)
        if exponent_K is not None:
            exponents[each.name].append(exponent_K)
        reach = float(np.log10(values_R.max() / values_R[below_R].max()))
        judged.append(_fold(each.name, along, cut, found, error_T, inside, exponent_K, reach, seed))
    ranking = _rank(errors, seed)
    return Backtest(
        folds=tuple(judged), ranking=ranking, drift=_drift(exponents[ranking[0].law], seed), along=along, cuts=cuts,
        objective=settings, bootstrap=bootstrap, cluster=cluster, seed=seed, source=table.source, hash=table.hash,
        errors=errors,
    )  # fmt: skip


def _check(contestants: Sequence[Contestant]) -> None:
    if not contestants:
        raise InputError("no law to back-test", expected="at least one")
    targets = sorted({each.law.target for each in contestants})
    if len(targets) > 1:
        raise InputError("laws of different targets cannot be ranked together", found=" and ".join(targets))


def _names(laws: Sequence[Law]) -> list[str]:
    """The laws' names, and the formula where two would share one."""
    names = [law.name for law in laws]
    return [law.formula if names.count(law.name) > 1 else law.name for law in laws]


def _judge(fitted: Fit, hidden: RunTable, seed: int) -> tuple[NDArray[np.bool_] | None, Array]:
    """Which hidden runs lie in their 95 % new-run interval (T,), and ln(predicted / measured) (T,)."""
    measured_T = hidden.column(fitted.law.target)
    inputs = hidden.inputs(fitted.law.inputs)
    with np.errstate(all="ignore"):
        error_T = np.log(np.broadcast_to(fitted.predict(inputs), measured_T.shape)) - np.log(measured_T)
        if len(fitted.draws_BP) == 0:
            return None, error_T
        draws_BT = np.tile(
            np.broadcast_to(fitted.predict_draws(inputs), (len(fitted.draws_BP), len(hidden))), (SCATTERS, 1)
        )
        scatter_BT = np.random.default_rng([seed, 2]).choice(fitted.scatter_R, size=draws_BT.shape)
        new_BT = draws_BT * np.exp(-scatter_BT) if fitted.objective.on_log else draws_BT - scatter_BT
        low_T, high_T = np.nanquantile(new_BT, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return (low_T <= measured_T) & (measured_T <= high_T), error_T


def _exponents(fitted: Fit, top: float, along: str) -> Array | None:
    """The allocation exponent at the largest fitted compute for the optimum and every draw, where the law has one."""
    if not splits(fitted.law) or not np.isfinite(fitted.theta_P).all():
        return None
    flops = top if along == "flops" else fitted.runs.ranges.get("flops", (1e20, 1e20))[1]
    return frontier(fitted.law, cloud(fitted), flops, other_inputs(fitted)).exponent_K


def _fold(
    name: str,
    along: str,
    cut: float,
    fitted: Fit,
    error_T: Array,
    inside_T: NDArray[np.bool_] | None,
    exponent_K: Array | None,
    reach: float,
    seed: int,
) -> Fold:
    picks = np.random.default_rng([seed, 3]).integers(error_T.size, size=(RESAMPLES, error_T.size))
    resampled = error_T[picks]
    return Fold(
        law=name,
        along=along,
        cut=cut,
        fit_runs=fitted.runs.count,
        test_runs=error_T.size,
        log_rmse=estimate(np.sqrt((error_T**2).mean()), np.sqrt((resampled**2).mean(axis=1)), LEVEL),
        bias=estimate(error_T.mean(), resampled.mean(axis=1), LEVEL),
        coverage=Estimate(value=float("nan")) if inside_T is None else share(int(inside_T.sum()), inside_T.size, LEVEL),
        allocation_exponent=None if exponent_K is None else estimate(exponent_K[0], exponent_K[1:], LEVEL),
        parameters=fitted.parameters,
        outcome=fitted.outcome.label,
        reach_decades=reach,
    )


def _rank(errors: Mapping[str, Array], seed: int) -> tuple[Score, ...]:
    """Laws by root mean square error, every fold counting alike; intervals from whole runs resampled through all folds."""
    runs = next(iter(errors.values())).shape[1]
    weights_BR = np.random.default_rng([seed, 4]).multinomial(runs, np.full(runs, 1.0 / runs), size=RESAMPLES)
    points = {name: _pooled(error_FR, np.ones((1, runs)))[0] for name, error_FR in errors.items()}
    draws = {name: _pooled(error_FR, weights_BR.astype(float)) for name, error_FR in errors.items()}
    order = sorted(points, key=lambda name: (not np.isfinite(points[name]), points[name]))
    best = order[0]
    return tuple(
        Score(
            law=name,
            log_rmse=estimate(points[name], draws[name], LEVEL),
            behind=estimate(points[name] - points[best], draws[name] - draws[best], LEVEL),
        )
        for name in order
    )


def _pooled(error_FR: Array, weights_BR: Array) -> Array:
    """sqrt(mean over folds of the weighted mean square error), (B,); a fold left without runs drops out of the mean."""
    hidden_FR = ~np.isnan(error_FR)
    squared_FR = np.where(hidden_FR, np.nan_to_num(error_FR, nan=0.0) ** 2, 0.0)
    count_BF = weights_BR @ hidden_FR.T.astype(float)
    kept_BF = count_BF > 0
    mean_BF = weights_BR @ squared_FR.T / np.where(kept_BF, count_BF, 1.0)
    total_B = np.where(kept_BF, mean_BF, 0.0).sum(axis=1)
    with np.errstate(all="ignore"):
        return np.sqrt(total_B / kept_BF.sum(axis=1))


def _drift(exponents: Sequence[Array], seed: int) -> Estimate | None:
    """Last exponent minus first. Draws of the two fits are paired at random, as if the nested tables were independent."""
    most = max((each_K.size for each_K in exponents), default=0)  # a fold without draws has the point alone
    kept = [each_K for each_K in exponents if np.isfinite(each_K[0]) and each_K.size == most]
    if len(kept) < 2:
        return None
    first_K, last_K = kept[0], kept[-1]
    shuffled = np.random.default_rng([seed, 5]).permutation(first_K[1:])
    return estimate(last_K[0] - first_K[0], last_K[1:] - shuffled, LEVEL)
