"""What every JSON says of where it came from: versions, the runs' hash, the objective, the seed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

import kleiber

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.runs import RunTable

LIBRARIES = ("numpy", "scipy")


def versions() -> dict[str, str]:
    """The versions that a number depends on."""
    return {"kleiber": kleiber.__version__} | {name: _version(name) for name in LIBRARIES}


@cache
def _version(name: str) -> str:
    """The installed version, read off its metadata once: that takes longer than many an answer."""
    from importlib.metadata import version

    return version(name)


def of_runs(runs: RunTable) -> dict[str, Any]:
    """What a table contributes."""
    return {
        "runs": {
            "count": len(runs),
            "hash": runs.hash,
            "source": runs.source,
            "conventions": runs.conventions.to_dict(),
            "derived": dict(runs.derived),
            "filters": list(runs.steps),
        },
        "versions": versions(),
    }


def of_fit(fit: Fit) -> dict[str, Any]:
    """What a fit contributes."""
    value = fit.objective_value if isfinite(fit.objective_value) else None
    return {
        "law": fit.law.name,
        "formula": fit.law.formula,
        "runs": {"count": fit.runs.count, "hash": fit.runs.hash, "source": fit.runs.source},
        "objective": {"name": fit.objective.name, "delta": fit.objective.delta, "value": value},
        "bootstrap": {"draws": len(fit.draws_BP), "resampling": fit.resampling},
        "seed": fit.seed,
        "versions": versions(),
    }


def stamped(payload: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """`payload` first, then what it does not yet say of its provenance."""
    return {**payload, **{name: value for name, value in provenance.items() if name not in payload}}
