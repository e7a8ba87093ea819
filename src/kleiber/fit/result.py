"""Fit and Forecast: what a law says after it met the runs, with its doubt.

One idea: a fit is a cloud. `theta_P` is the optimum, `draws_BP` are refits to resampled runs; every number that leaves here
(an error, an interval, a forecast) is computed on that cloud, by the same objective as the point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import InputError, Refusal, did_you_mean
from kleiber.finding import Finding
from kleiber.fit.objective import Objective
from kleiber.fit.outcome import Outcome
from kleiber.laws.law import Law
from kleiber.quantity import show

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from kleiber.runs import RunTable

Array = NDArray[np.float64]
PLACES = ("params", "tokens", "flops")  # of a run, whether or not a law takes them
ROUNDED = 1.5  # how far flops = 6 params tokens may be off where all three are given, rounded as people write them


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a fit remembers of its runs: count, content hash, source, conventions, the range of every column, filters.

    `flops_over_6nd` is the least and the greatest of flops / (6 params tokens), None where nothing was counted apart.
    """

    count: int
    hash: str
    source: str
    conventions: Mapping[str, str]
    ranges: Mapping[str, tuple[float, float]]
    steps: tuple[str, ...] = ()
    flops_over_6nd: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What the law predicts at one point.

    `interval` is for the law's mean at that point (the draws); `new_run_interval` adds the scatter of single runs about the
    law. `extrapolation_decades` is log10 of the compute beyond the largest run, 0 inside the range; `outside` names the
    inputs beyond their own range.
    """

    at: Mapping[str, float]
    loss: float
    interval: tuple[float, float] | None
    new_run_interval: tuple[float, float] | None
    level: float
    extrapolation_decades: float
    outside: tuple[str, ...]
    target: str = "loss"

    def __rich__(self) -> str:
        return self.sentence()

    def sentence(self) -> str:
        """The forecast in one sentence."""
        where = ", ".join(f"{name} {show(value)}" for name, value in self.at.items())
        doubt = (
            f" ({self.level:.0%} interval {show(self.interval[0], 4)} - {show(self.interval[1], 4)})"
            if self.interval
            else ""
        )
        beyond = (
            f"; {self.extrapolation_decades:.1f} decades beyond the largest run" if self.extrapolation_decades else ""
        )
        return f"{self.target} {show(self.loss, 4)}{doubt} at {where}{beyond}"

    def to_json(self) -> dict[str, Any]:
        """The forecast as `kleiber/forecast/1` (the caller adds provenance)."""
        return {
            "schema": "kleiber/forecast/1",
            "at": dict(self.at),
            self.target: {
                "value": self.loss,
                "ci95": _pair(self.interval),
                "new_run_ci95": _pair(self.new_run_interval),
            },
            "level": self.level,
            "extrapolation_decades": self.extrapolation_decades,
            "outside": list(self.outside),
        }


CLUSTER = "cluster:"  # begins the name of a resampling of whole groups; the column follows


@dataclass(frozen=True, kw_only=True, repr=False)
class Fit:
    """A law fitted to runs.

    `theta_P` and `draws_BP` are in natural units, in the order of `law.names`; `starts` and `agreeing` are the search's;
    `fixed` holds parameters that were given, not fitted.
    """

    law: Law
    theta_P: Array
    draws_BP: Array
    objective: Objective
    objective_value: float
    starts: int
    agreeing: int
    runs: RunFacts
    outcome: Outcome
    outcome_detail: str
    findings: tuple[Finding, ...]
    residuals_R: Array
    seed: int
    resampling: str
    fixed: Mapping[str, float] = field(default_factory=dict)
    table: RunTable | None = field(default=None, repr=False, compare=False)

    @property
    def cluster(self) -> str | None:
        """The column whose runs were resampled together, or None."""
        return self.resampling.removeprefix(CLUSTER) if self.resampling.startswith(CLUSTER) else None

    @property
    def parameters(self) -> dict[str, float]:
        """The fitted values by name."""
        return dict(zip(self.law.names, map(float, self.theta_P), strict=True))

    @property
    def se(self) -> dict[str, float] | None:
        """Bootstrap standard errors by name, or None without draws."""
        if len(self.draws_BP) < 2:
            return None
        return dict(zip(self.law.names, map(float, self.draws_BP.std(axis=0, ddof=1)), strict=True))

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float] | None:
        """The percentile interval of parameter `name`, or None without draws."""
        if name not in self.law.names:
            raise InputError(f"no parameter {name!r}", remedy=did_you_mean(name, self.law.names))
        return percentile(self.draws_BP[:, self.law.names.index(name)], level) if len(self.draws_BP) else None

    @property
    def scatter_R(self) -> Array:
        """The scatter of single runs about the law: residuals times sqrt(R / (R - P)), for P parameters fitted to R runs.

        A fit follows the noise of its own runs, so that residuals are smaller than what a new run will show: by least squares
        their mean square is sigma^2 (R - P) / R where the law is nearly linear in its parameters. A robust objective
        follows its runs less; there this errs to the wide side (by 18 % for 12 runs and 5 parameters).
        Source: Davison & Hinkley (1997), section 6.2.
        """
        runs, fitted = self.residuals_R.size, len(self.law.names) - len(self.fixed)
        return self.residuals_R * np.sqrt(runs / max(runs - fitted, 1))

    @property
    def correlation(self) -> Array:
        """The correlation of the draws, (P, P); A, B and E are known jointly much better than one by one."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.atleast_2d(np.corrcoef(self.draws_BP, rowvar=False))

    def predict(self, inputs: Mapping[str, ArrayLike]) -> Array:
        """The law at `inputs` (R,) for the optimum."""
        return self.law.evaluate(self.theta_P, inputs)

    def predict_draws(self, inputs: Mapping[str, ArrayLike]) -> Array:
        """The law at `inputs` (R,) for every draw: (B, R)."""
        arrays = {name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in inputs.items()}
        return self.law.evaluate(self.draws_BP, arrays)

    def new_run_draws(self, at: Mapping[str, float]) -> Array:
        """What one run at `at` may come to: every draw of the law with the scatter of one run, (B,)."""
        draws_B = self.predict_draws(at)[:, 0]
        scatter_B = np.random.default_rng([self.seed, 2]).choice(self.scatter_R, size=draws_B.size)
        return draws_B * np.exp(-scatter_B) if self.objective.on_log else draws_B - scatter_B

    def __rich__(self) -> Table:
        from kleiber.fit.show import as_rich

        return as_rich(self)

    def _repr_html_(self) -> str:
        from kleiber.fit.show import as_html

        return as_html(self)

    def __repr__(self) -> str:
        from kleiber.fit.show import title

        values = ", ".join(f"{name}={value:.5g}" for name, value in self.parameters.items())
        return f"Fit({title(self)}; {values}; {self.outcome.label})"

    def save(self, path: str | Path) -> Path:
        """Write the fit to a JSON file (see `kleiber.fit.store`)."""
        from kleiber.fit.store import save

        return save(self, path)

    def usable(self) -> Fit:
        """The fit itself, or a `Refusal` with the remedy where its outcome forbids decisions."""
        if self.outcome.refused:
            raise Refusal(f"Not enough to rely on this fit: {self.outcome_detail}.", remedy=self.outcome.value)
        return self

    def forecast(self, *, level: float = 0.95, **inputs: float) -> Forecast:
        """The target at one point, e.g. `fit.forecast(params=70e9, tokens=1.4e12)`.

        A missing one of params, tokens, flops is derived by flops = 6 params tokens. Raises `Refusal` for a refused fit,
        `InputError` for a missing, unknown or impossible input.
        """
        self.usable()
        known = (*self.law.inputs, *PLACES)
        if surplus := [name for name in inputs if name not in known]:
            raise InputError(
                f"law {self.law.name!r} has no input {surplus[0]!r}",
                expected=", ".join(dict.fromkeys(known)),
                remedy=did_you_mean(surplus[0], known),
            )
        at = complete_inputs(inputs)
        self._agree(at)
        missing = [name for name in self.law.inputs if name not in at]
        if missing:
            raise InputError(
                f"a forecast with law {self.law.name!r} needs {missing[0]!r}", expected=", ".join(self.law.inputs)
            )
        point = float(np.ravel(self.predict({name: at[name] for name in self.law.inputs}))[0])
        interval = new_run = None
        if len(self.draws_BP):
            interval = percentile(self.predict_draws(at)[:, 0], level)
            new_run = percentile(self.new_run_draws(at), level)
        return Forecast(
            at=at,
            loss=point,
            interval=interval,
            new_run_interval=new_run,
            level=level,
            extrapolation_decades=extrapolation_decades(self.runs, at),
            outside=outside(self.runs, at),
            target=self.law.target,
        )

    def _agree(self, at: Mapping[str, float]) -> None:
        """Raise `InputError` where flops are not those of params and tokens, although the runs count them so."""
        ratios = self.runs.flops_over_6nd
        alike = (
            self.runs.conventions.get("flops") == "6nd" if ratios is None else max(abs(r - 1) for r in ratios) < 0.02
        )
        if not (alike and "active_params" not in self.runs.ranges and at.keys() >= set(PLACES)):
            return
        derived = 6.0 * at["params"] * at["tokens"]
        if not 1 / ROUNDED <= at["flops"] / derived <= ROUNDED:
            raise InputError(
                "params, tokens and flops contradict each other",
                found=f"{at['flops']:.3g} FLOP where 6 params tokens is {derived:.3g}",
                remedy="give two of the three",
            )


def percentile(draws_B: Array, level: float) -> tuple[float, float]:
    """The central interval of `draws_B` that holds `level` of them."""
    low, high = np.quantile(draws_B, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def complete_inputs(inputs: Mapping[str, float]) -> dict[str, float]:
    """The inputs with the missing one of params, tokens, flops filled in by flops = 6 params tokens.

    >>> complete_inputs({"params": 1e9, "tokens": 2e10})["flops"]
    1.2e+20
    """
    for name, value in inputs.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} must be a positive number", found=value)
    at = {name: float(value) for name, value in inputs.items()}
    if {"params", "tokens"} <= at.keys():
        at.setdefault("flops", 6.0 * at["params"] * at["tokens"])
    elif {"params", "flops"} <= at.keys():
        at["tokens"] = at["flops"] / (6.0 * at["params"])
    elif {"tokens", "flops"} <= at.keys():
        at["params"] = at["flops"] / (6.0 * at["tokens"])
    return at


def extrapolation_decades(runs: RunFacts, at: Mapping[str, float]) -> float:
    """log10 of the compute at `at` beyond the largest run's (0 inside), or of the furthest input where compute is unknown."""
    names = ["flops"] if "flops" in at and "flops" in runs.ranges else [name for name in at if name in runs.ranges]
    return max([0.0, *(float(np.log10(at[name] / runs.ranges[name][1])) for name in names)])


def outside(runs: RunFacts, at: Mapping[str, float]) -> tuple[str, ...]:
    """The names in `at` whose value lies outside the runs' own range."""
    spans = {name: runs.ranges[name] for name in at if name in runs.ranges}
    return tuple(name for name, (low, high) in spans.items() if not low * (1 - 1e-9) <= at[name] <= high * (1 + 1e-9))


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return list(interval) if interval is not None else None
