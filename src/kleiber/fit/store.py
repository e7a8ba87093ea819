"""A fit on disk: one JSON file, readable by any program, complete enough to plan from without the runs.

One idea: the file is the contract (`kleiber/fit/1`) plus what is needed to rebuild the cloud: draws, residuals, the law's
formula and bounds. Nothing is executed on loading: the formula goes through the same parser as any other text.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.fit.objective import Objective
from kleiber.fit.outcome import Outcome
from kleiber.fit.result import Fit, RunFacts
from kleiber.laws import LAWS, Law
from kleiber.laws.parameter import Parameter

SCHEMA = "kleiber/fit/1"


def to_json(fit: Fit) -> dict[str, Any]:
    """The fit as `kleiber/fit/1`, without the draws."""
    return {
        "schema": SCHEMA,
        "law": fit.law.name,
        "formula": fit.law.formula,
        "parameters": {name: _parameter(fit, name) for name in fit.law.names},
        "objective": {"name": fit.objective.name, "delta": fit.objective.delta, "value": _number(fit.objective_value)},
        "search": {"starts": fit.starts, "agreeing": fit.agreeing},
        "runs": {
            "count": fit.runs.count,
            "hash": fit.runs.hash,
            "source": fit.runs.source,
            "conventions": dict(fit.runs.conventions),
            "filters": list(fit.runs.steps),
        },
        "outcome": fit.outcome.label,
        "outcome_detail": fit.outcome_detail,
        "remedy": fit.outcome.value,
        "bootstrap": {"draws": len(fit.draws_BP), "resampling": fit.resampling},
        "fixed": dict(fit.fixed),
        "seed": fit.seed,
        "findings": [finding.to_json() for finding in fit.findings],
    }


def _parameter(fit: Fit, name: str) -> dict[str, Any]:
    interval, se = fit.interval(name), fit.se
    return {
        "value": _number(fit.parameters[name]),
        "se": _number(se[name]) if se else None,
        "ci95": [_number(end) for end in interval] if interval else None,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def save(fit: Fit, path: str | Path) -> Path:
    """Write the fit to `path` whole or not at all."""
    state = to_json(fit)
    state["state"] = {
        "draws": fit.draws_BP.tolist(),
        "residuals": fit.residuals_R.tolist(),
        "ranges": {name: list(ends) for name, ends in fit.runs.ranges.items()},
        "flops_over_6nd": list(fit.runs.flops_over_6nd) if fit.runs.flops_over_6nd else None,
        "law": {
            "title": fit.law.title,
            "source": fit.law.source,
            "target": fit.law.target,
            "extra_inputs": list(fit.law.extra_inputs),
            "between": list(fit.law.between) if fit.law.between else None,
            "parameters": [asdict(parameter) for parameter in fit.law.parameters],
        },
    }
    target = Path(path)
    write_whole(target, json.dumps(state, allow_nan=False) + "\n")
    return target


def write_whole(target: Path, text: str) -> None:
    """Write `text` beside `target`, flush it, and rename it into place, so that no reader ever sees half a file."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError("cannot write the file", where=str(target), found=error.strerror) from error


def looks_like_fit(path: Path) -> bool:
    """Whether `path` is a JSON file that bears the fit schema near its start."""
    try:
        with path.open("rb") as handle:
            return f'"{SCHEMA}"'.encode() in handle.read(200)
    except OSError:
        return False


def load(path: str | Path) -> Fit:
    """Read a fit written by `save`. Raises `InputError` naming the file where it is not one, or is damaged."""
    where = str(path)
    try:
        state = json.loads(Path(path).read_text(encoding="utf-8"))
        if state.get("schema") != SCHEMA:
            raise InputError("not a fit file", where=where, found=state.get("schema"), expected=SCHEMA)
        return _rebuild(state)
    except OSError as error:
        raise InputError("cannot read the file", where=where, found=error.strerror) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "the fit file is damaged", where=where, found=str(error), remedy="fit the runs again"
        ) from error


def _rebuild(state: Mapping[str, Any]) -> Fit:
    law, inner, runs = _law(state), state["state"], state["runs"]
    theta = [state["parameters"][name]["value"] for name in law.names]
    value = state["objective"]["value"]
    draws = np.asarray(inner["draws"], dtype=float).reshape(-1, len(law.names))
    findings = [{key: item[key] for key in item if key != "schema"} for item in state["findings"]]
    return Fit(
        law=law,
        theta_P=np.array([math.nan if number is None else number for number in theta], dtype=float),
        draws_BP=draws,
        objective=Objective(name=state["objective"]["name"], delta=state["objective"]["delta"]),
        objective_value=math.nan if value is None else value,
        starts=state["search"]["starts"],
        agreeing=state["search"]["agreeing"],
        runs=RunFacts(
            count=runs["count"],
            hash=runs["hash"],
            source=runs["source"],
            conventions=runs["conventions"],
            ranges={name: (low, high) for name, (low, high) in inner["ranges"].items()},
            steps=tuple(runs["filters"]),
            flops_over_6nd=tuple(counted) if (counted := inner.get("flops_over_6nd")) else None,
        ),
        outcome=Outcome[state["outcome"].upper()],
        outcome_detail=state["outcome_detail"],
        findings=tuple(
            Finding(
                **{
                    **item,
                    "rows": tuple(item["rows"]),
                    "caveats": tuple(item["caveats"]),
                    "interval": tuple(item["interval"]) if item["interval"] else None,
                }
            )
            for item in findings
        ),
        residuals_R=np.asarray(inner["residuals"], dtype=float),
        seed=state["seed"],
        resampling=state["bootstrap"]["resampling"],
        fixed=state["fixed"],
    )


def _law(state: Mapping[str, Any]) -> Law:
    for shipped in LAWS:
        if shipped.name == state["law"] and shipped.formula == state["formula"]:
            return shipped
    described = state["state"]["law"]
    parameters = tuple(Parameter(**{**item, "starts": tuple(item["starts"])}) for item in described["parameters"])
    return Law(
        state["formula"],
        name=state["law"],
        title=described["title"],
        source=described["source"],
        target=described["target"],
        extra_inputs=tuple(described["extra_inputs"]),
        between=tuple(described["between"]) if described["between"] else None,
        parameters=parameters,
    )
