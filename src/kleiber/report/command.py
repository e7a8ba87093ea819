"""The command that makes the same report again, from what the fit remembers of its runs."""

from __future__ import annotations

import re
import shlex

from kleiber.fit.fitting import DEFAULT_BOOTSTRAP, DEFAULT_LAW
from kleiber.fit.result import Fit
from kleiber.fit.search import STARTS

COLUMN = re.compile(r"column '(.*)'", re.DOTALL)


def command(fit: Fit, flops: float | None, name: str, title: str | None = None) -> str:
    """`kleiber report SOURCE ...` with every option that differs from the default."""
    words = ["kleiber", "report", fit.runs.source]
    filters = [step.removeprefix("where ") for step in fit.runs.steps if step.startswith("where ")]
    words += _mapping(fit) + [word for each in filters for word in ("--where", each)]
    stated = [f"{kind}={word}" for kind, word in fit.runs.conventions.items() if word != "unknown"]
    words += ["--conventions", ",".join(stated)] if stated else []
    if fit.law.name != DEFAULT_LAW:
        words += ["--law", fit.law.formula if fit.law.name == "custom" else fit.law.name]
    words += _objective(fit) + _draws(fit)
    words += [word for pair in fit.fixed.items() for word in ("--fix", f"{pair[0]}={pair[1]:.12g}")]
    words += ["--flops", f"{flops:.15g}".replace("e+", "e")] if flops is not None else []
    words += ["--title", title] if title else []
    return shlex.join([*words, "-o", name])


def _mapping(fit: Fit) -> list[str]:
    derived = fit.table.derived if fit.table is not None else {}
    named = [(name, match.group(1)) for name, how in derived.items() if (match := COLUMN.fullmatch(how))]
    return [word for name, column in named for word in ("--map", f'{name}="{column}"')]


def _objective(fit: Fit) -> list[str]:
    named = [] if fit.objective.name == "huber_log" else ["--objective", fit.objective.name]
    return named if fit.objective.delta == 1e-3 else [*named, "--delta", f"{fit.objective.delta:g}"]


def _draws(fit: Fit) -> list[str]:
    words = [] if len(fit.draws_BP) == DEFAULT_BOOTSTRAP else ["--bootstrap", str(len(fit.draws_BP))]
    if fit.cluster is not None:
        words += ["--cluster", fit.cluster]
    words += ["--starts", str(fit.starts)] if fit.starts not in (0, STARTS) else []
    return [*words, "--seed", str(fit.seed)] if fit.seed else words
