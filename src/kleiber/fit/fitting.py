"""`fit`: a law meets the runs.

The way the data takes: runs + law -> `problem.build` (a box, log inputs) -> `search.search` (the global optimum, and how many
starts agree) -> `resample.bootstrap` (draws) -> `judge.verdict` (may it be used?) -> `Fit`.
The one idea: every step works on the same `Problem` with the same engine, so the point, its error and its refusal cannot
come from different objectives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.fit import judge
from kleiber.fit.engine import Problem, predictions
from kleiber.fit.objective import Objective
from kleiber.fit.outcome import Outcome
from kleiber.fit.problem import build
from kleiber.fit.resample import Resamples, bootstrap
from kleiber.fit.result import CLUSTER, Fit, RunFacts
from kleiber.fit.search import STARTS, Found, search
from kleiber.laws import Law, find
from kleiber.laws.evaluate import to_natural
from kleiber.runs import RunTable, read

DEFAULT_LAW = "chinchilla"
DEFAULT_BOOTSTRAP = 1000
FEWEST_CLUSTERS = 3


def fit(
    runs: RunTable | str | Path | Any,
    law: Law | str = DEFAULT_LAW,
    *,
    objective: Objective | None = None,
    bootstrap: int = DEFAULT_BOOTSTRAP,
    cluster: str | None = None,
    seed: int = 0,
    starts: int = STARTS,
    fixed: Mapping[str, float] | None = None,
) -> Fit:
    """Fit `law` (a name, a formula or a `Law`) to `runs` (anything `kleiber.read` takes).

    Minimises the summed `objective` (Huber 1e-3 on log loss by default) from `starts` spread-out starts, then refits to
    `bootstrap` resamples of the runs, or of clusters of runs that share a value in column `cluster`.
    A fit that the runs do not support comes back with a refusing `outcome`, not as an exception.

    Raises `InputError` for what cannot be read, `ColumnError` for a missing input.
    """
    chosen = find(law) if isinstance(law, str) else law
    table = runs if isinstance(runs, RunTable) else read(runs, require=(chosen.target,))
    settings = objective or Objective()
    pinned = dict(fixed or {})
    if bootstrap < 0 or starts < 1:
        raise InputError("bootstrap must be 0 or more and starts 1 or more", found=f"{bootstrap}, {starts}")
    problem = build(chosen, table, settings, pinned)
    clusters_R = cluster_codes(table, cluster) if cluster else None
    if reason := judge.too_few(chosen, problem):
        return _refused(chosen, table, settings, seed, pinned, reason)
    found = search(chosen, problem, starts=starts, seed=seed)
    draws = _draws(chosen, problem, found, bootstrap, seed, clusters_R)
    natural = to_natural(draws.u_BP, chosen.form.logged)
    outcome, detail = judge.verdict(
        chosen, problem, found.u_P, natural, agreeing=found.agreeing, converged=found.converged
    )
    return Fit(
        law=chosen,
        theta_P=to_natural(found.u_P, chosen.form.logged),
        draws_BP=natural,
        objective=settings,
        objective_value=found.value,
        starts=found.starts,
        agreeing=found.agreeing,
        runs=facts(table),
        outcome=outcome,
        outcome_detail=detail,
        findings=_findings(found, draws),
        residuals_R=settings.residual(predictions(problem, found.u_P[None])[0], problem.y_R),
        seed=seed,
        resampling=(CLUSTER + cluster if cluster else "pairs") if bootstrap else "none",
        fixed=pinned,
        table=table,
    )


def _draws(law: Law, problem: Problem, found: Found, count: int, seed: int, clusters_R: Any) -> Resamples:
    if count == 0:
        empty = np.empty((0, len(law.names)))
        return Resamples(u_BP=empty, checked=0, improved=0, converged_share=1.0)
    return bootstrap(law, problem, found.u_P, draws=count, seed=seed, clusters_R=clusters_R)


def _refused(
    law: Law, table: RunTable, objective: Objective, seed: int, fixed: Mapping[str, float], reason: str
) -> Fit:
    """A fit that was not even tried: no parameters, the reason and the remedy."""
    nothing = np.full(len(law.names), np.nan)
    return Fit(
        law=law,
        theta_P=nothing,
        draws_BP=np.empty((0, len(law.names))),
        objective=objective,
        objective_value=float("nan"),
        starts=0,
        agreeing=0,
        runs=facts(table),
        outcome=Outcome.TOO_FEW_RUNS,
        outcome_detail=reason,
        findings=(),
        residuals_R=np.empty(0),
        seed=seed,
        resampling="none",
        fixed=fixed,
        table=table,
    )


def facts(table: RunTable) -> RunFacts:
    """What a fit keeps of its runs."""
    return RunFacts(
        count=len(table),
        hash=table.hash,
        source=table.source,
        conventions=table.conventions.to_dict() | _tokenizer(table),
        ranges=table.ranges,
        steps=table.steps,
        flops_over_6nd=_flops_over_6nd(table),
    )


def _flops_over_6nd(table: RunTable) -> tuple[float, float] | None:
    """The least and the greatest of flops / (6 params tokens), where all three were given and params are all of a run's."""
    if not all(table.has(name) for name in ("params", "tokens", "flops")) or table.has("active_params"):
        return None
    if any(how.startswith(("6 ", "flops /")) for how in table.derived.values()):
        return None
    ratio_R = table.column("flops") / (6.0 * table.column("params") * table.column("tokens"))
    ends = float(ratio_R.min()), float(ratio_R.max())
    return ends if np.isfinite(ends).all() else None


def _tokenizer(table: RunTable) -> dict[str, str]:
    """The tokenizer of all runs, where the table names one: losses per token of two tokenizers cannot be compared."""
    if not table.has("tokenizer"):
        return {}
    named = {str(name) for name in table.labels("tokenizer") if name is not None}
    return {"tokenizer": named.pop()} if len(named) == 1 else {}


def cluster_codes(table: RunTable, column: str) -> np.ndarray:
    """Integer codes 0..G-1 of the clusters, one per run. Raises `InputError` for fewer than three clusters."""
    _, codes = np.unique([str(value) for value in table.labels(column)], return_inverse=True)
    count = int(codes.max()) + 1
    if count < FEWEST_CLUSTERS:
        raise InputError(f"too few clusters in column {column!r}", found=count, expected=f"{FEWEST_CLUSTERS} or more")
    return codes.astype(np.int64)


def _findings(found: Found, draws: Resamples) -> tuple[Finding, ...]:
    share = found.agreeing / found.starts
    agreement = Finding(
        name="search_agreement",
        verdict="ok" if found.agreeing >= 2 else "warning",
        evidence=f"{found.agreeing} of {found.starts} starts agree on the optimum.",
        remedy="" if found.agreeing >= 2 else "search with more starts (--starts 512)",
        value=share,
        reference="docs/fitting.md",
    )
    if not draws.checked:
        return (agreement,)
    restarts = Finding(
        name="bootstrap_restarts",
        verdict="ok" if draws.improved <= 0.05 * draws.checked else "warning",
        evidence=f"{draws.improved} of {draws.checked} resamples searched again from scratch found a better optimum.",
        remedy="" if draws.improved <= 0.05 * draws.checked else "the intervals are too narrow: use a simpler law",
        value=draws.improved / draws.checked,
    )
    return (agreement, restarts)


def ensure(source: Fit | RunTable | str | Path, **settings: Any) -> Fit:
    """`source` as a fit: a `Fit`, a fit file, or runs, which are fitted first with the defaults (or `settings`)."""
    from kleiber.fit.store import load, looks_like_fit

    if isinstance(source, Fit):
        return source
    if isinstance(source, (str, Path)) and looks_like_fit(Path(source)):
        return load(Path(source))
    return fit(source, **settings)


def refit(previous: Fit, table: RunTable, **changes: Any) -> Fit:
    """The same question put to other runs: law, objective, fixed parameters and seed of `previous`, unless changed."""
    settings: dict[str, Any] = {
        "objective": previous.objective,
        "bootstrap": len(previous.draws_BP),
        "seed": previous.seed,
        "starts": previous.starts or STARTS,
        "fixed": previous.fixed,
    }
    law = changes.pop("law", previous.law)
    return fit(table, law, **{**settings, **changes})


def without_table(found: Fit) -> Fit:
    """The fit as it would come back from a file: the facts of the runs, not the runs."""
    return replace(found, table=None)
