"""Ledger entry: one forecast, or what came of it, as a line says it.

One idea: a line says everything that the score will need, and is believed only as far as it can be read: every value is
checked for its kind, so that a line from another hand is left out, never half-understood.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kleiber.errors import Refusal
from kleiber.fit.chain import Link
from kleiber.fit.quantile_score import LEVELS
from kleiber.fit.result import Fit, Forecast

ID_DIGITS = 12
UNKNOWN = "unknown"
PASSING = ("date", "previous", "hash", "note", "versions", "level")  # what makes no other forecast


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A forecast as it was recorded: line, hash and date, and what `Forecast` and `Fit` said then.

    `quantiles` are those of one run at the levels `levels`, None without draws; `inputs` are the law's; `run` is the name that
    the run will have, where one was given. `content` is the whole line.
    """

    line: int
    hash: str
    date: str
    at: Mapping[str, float]
    inputs: tuple[str, ...]
    target: str
    loss: float
    interval: tuple[float, float] | None
    new_run_interval: tuple[float, float] | None
    levels: tuple[float, ...]
    quantiles: tuple[float, ...] | None
    level: float
    extrapolation_decades: float
    law: str
    formula: str
    runs_hash: str
    conventions: Mapping[str, str]
    run: str
    note: str
    content: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        """The first 12 digits of the hash: what people write down."""
        return self.hash.removeprefix("sha256:")[:ID_DIGITS]

    @property
    def law_words(self) -> str:
        """The law's name; the formula of a law without one."""
        return self.formula if self.law == "custom" else self.law

    @property
    def unit(self) -> str:
        """The unit of the loss."""
        return self.conventions.get("loss", UNKNOWN)

    @cached_property
    def identity(self) -> str:
        """What makes two entries the same forecast: all but date, place in the chain, note, versions, the level of the intervals
        and the name of the runs' file."""
        kept = {name: value for name, value in self.content.items() if name not in PASSING}
        kept["runs"] = {name: value for name, value in kept["runs"].items() if name != "source"}
        kept["loss"] = {name: value for name, value in kept["loss"].items() if not name.endswith("interval")}
        return json.dumps(kept, sort_keys=True)

    @property
    def place(self) -> dict[str, float]:
        """Where it was asked: the inputs by which a run is recognised; compute only where it does not follow from the others."""
        follows = {"params", "tokens"} <= self.at.keys()
        return {name: value for name, value in self.at.items() if not (name == "flops" and follows)}


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What happened, as it was recorded: the loss that the run of the entry with hash `of` came to."""

    line: int
    hash: str
    date: str
    of: str
    loss: float
    unit: str
    note: str


def content_of(fit: Fit, forecast: Forecast) -> dict[str, Any]:
    """What the fit and the forecast contribute to a line."""
    if not math.isfinite(forecast.loss):
        raise Refusal("There is no number to record at this point.", remedy="ask inside the domain of the law")
    return {
        "at": dict(forecast.at),
        "target": forecast.target,
        "loss": {
            "value": forecast.loss,
            "interval": _finite(forecast.interval),
            "new_run_interval": _finite(forecast.new_run_interval),
            "levels": list(LEVELS),
            "quantiles": _quantiles(fit, forecast),
        },
        "level": forecast.level,
        "extrapolation_decades": forecast.extrapolation_decades,
        "outside": list(forecast.outside),
        "law": fit.law.name,
        "formula": fit.law.formula,
        "inputs": list(fit.law.inputs),
        "parameters": fit.parameters,
        "fixed": dict(fit.fixed),
        "objective": {"name": fit.objective.name, "delta": fit.objective.delta},
        "bootstrap": {"draws": len(fit.draws_BP), "resampling": fit.resampling},
        "seed": fit.seed,
        "runs": {
            "count": fit.runs.count,
            "hash": fit.runs.hash,
            "source": fit.runs.source,
            "conventions": dict(fit.runs.conventions),
        },
    }


def _quantiles(fit: Fit, forecast: Forecast) -> list[float] | None:
    if not len(fit.draws_BP):
        return None
    import numpy as np

    return _finite(np.quantile(fit.new_run_draws(forecast.at), LEVELS).tolist())


def _finite(numbers: Any) -> list[float] | None:
    return list(numbers) if numbers is not None and all(map(math.isfinite, numbers)) else None


def entry_of(link: Link) -> Entry:
    """The forecast that a line holds. Raises KeyError, TypeError or ValueError where it says too little."""
    content, loss, runs = link.content, link.content["loss"], link.content["runs"]
    quantiles, levels = loss["quantiles"], tuple(map(_share, loss["levels"]))
    if quantiles is not None and (len(quantiles) != len(levels) or sorted(levels) != list(levels) or not levels):
        raise ValueError("quantiles and levels do not go together")
    return Entry(
        line=link.line,
        hash=link.hash,
        date=_text(content["date"]),
        at={_text(name): _positive(value) for name, value in content["at"].items()},
        inputs=tuple(map(_text, content["inputs"])),
        target=_text(content["target"]),
        loss=_positive(loss["value"]),
        interval=_ends(loss["interval"]),
        new_run_interval=_ends(loss["new_run_interval"]),
        levels=levels,
        quantiles=tuple(sorted(map(_number, quantiles))) if quantiles is not None else None,
        level=_share(content["level"]),
        extrapolation_decades=_number(content["extrapolation_decades"]),
        law=_text(content["law"]),
        formula=_text(content["formula"]),
        runs_hash=_text(runs["hash"]),
        conventions={_text(name): _text(word) for name, word in runs["conventions"].items()},
        run=_text(content["run"]),
        note=_text(content["note"]),
        content=content,
    )


def settlement_of(link: Link) -> Settlement:
    """The outcome that a line holds. Raises as `entry_of` does."""
    content = link.content
    if content["kind"] != "outcome":
        raise ValueError(f"unknown kind {content['kind']!r}")
    words = {name: _text(content[name]) for name in ("date", "of", "unit", "note")}
    return Settlement(line=link.line, hash=link.hash, loss=_positive(content["loss"]), **words)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _positive(value: Any) -> float:
    if not (number := _number(value)) > 0:
        raise ValueError(f"{value!r} is not positive")
    return number


def _share(value: Any) -> float:
    if not 0 < (number := _number(value)) < 1:
        raise ValueError(f"{value!r} does not lie between 0 and 1")
    return number


def _ends(pair: Any) -> tuple[float, float] | None:
    if pair is None:
        return None
    low, high = map(_number, pair)
    return low, high
