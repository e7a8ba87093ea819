"""What the charts of one fit have in common: the runs as points, thinned honestly, and the law anywhere in the plane.

One idea: a chart never asks the table or the law directly; it asks the scene, which knows what the law needs, what it
holds fixed and how many runs it shows.

Legend: R runs, G points of a curve, B draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.figures.marks import UNITS, span
from kleiber.fit.frontier import other_inputs, splits
from kleiber.laws.follows import FOLLOWS
from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.fit.result import Fit

Array = NDArray[np.float64]
MOST_POINTS, ALWAYS = 2000, 20
NAMES = {"params": "Params", "tokens": "Tokens", "flops": "Training compute (FLOP)"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A fit made ready for drawing."""

    fit: Fit

    @property
    def target(self) -> str:
        """What the law predicts, with its unit, as an axis title."""
        name = self.fit.law.target.replace("_", " ").capitalize()
        unit = UNITS.get(self.fit.runs.conventions.get("loss", "unknown"))
        return f"{name} ({unit})" if unit and self.fit.law.target == "loss" else name

    @property
    def spans_plane(self) -> bool:
        """Whether the law depends on params and tokens separately."""
        return splits(self.fit.law)

    @property
    def fitted(self) -> bool:
        """Whether there are parameters to draw a law with."""
        return bool(np.isfinite(self.fit.theta_P).all())

    @cached_property
    def held(self) -> dict[str, float]:
        """Inputs of the law that no axis shows, with the value they are held at: the middle of the runs' range."""
        return other_inputs(self.fit)

    @property
    def held_words(self) -> str:
        """A sentence on what is held fixed, empty where nothing is."""
        pieces = [f"{name} at {show(value)}" for name, value in self.held.items()]
        return f"Curves hold {' and '.join(pieces)}, the middle of the runs' range." if pieces else ""

    def law(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        """The law at points of the plane, (G,)."""
        return np.asarray(self.fit.predict(self._inputs(params, tokens)), dtype=float)

    def _inputs(self, params: ArrayLike, tokens: ArrayLike) -> Mapping[str, Array]:
        params_G, tokens_G = np.broadcast_arrays(np.asarray(params, dtype=float), np.asarray(tokens, dtype=float))
        known = {name: factor * params_G**p * tokens_G**q for name, (factor, p, q) in FOLLOWS.items()}
        fixed = {name: np.full(params_G.shape, value) for name, value in self.held.items()}
        return {name: {**known, **fixed}[name] for name in self.fit.law.inputs}

    @cached_property
    def columns(self) -> dict[str, Array]:
        """What is known of every run: the target as `observed`, params, tokens, flops = 6 params tokens, other inputs."""
        table = self.fit.table
        if table is None:
            return {}
        found = {name: table.column(name) for name in ("params", "tokens", "flops") if table.has(name)}
        if {"params", "tokens"} <= found.keys():
            found["flops"] = 6.0 * found["params"] * found["tokens"]
        found.update({name: table.column(name) for name in self.fit.law.inputs if name not in found})
        return {**found, "observed": table.column(self.fit.law.target)}

    @cached_property
    def predicted(self) -> Array:
        """The law at every run."""
        assert self.fit.table is not None
        return np.asarray(self.fit.predict(self.fit.table.inputs(self.fit.law.inputs)), dtype=float)

    @cached_property
    def residuals(self) -> Array:
        """ln(observed / law): above zero where a run is worse than the law says."""
        return np.log(self.columns["observed"] / self.predicted)

    @cached_property
    def row_numbers(self) -> NDArray[np.int64]:
        """The 1-based row of every run in its source."""
        assert self.fit.table is not None
        return np.asarray(self.fit.table.row_numbers)

    @cached_property
    def shown(self) -> NDArray[np.int64]:
        """Positions of the runs that are drawn: all, or evenly spaced by compute plus those furthest from the law."""
        count = len(self.columns.get("observed", ()))
        if count <= MOST_POINTS:
            return np.arange(count)
        order = np.argsort(self.columns.get("flops", self.columns["observed"]), kind="stable")
        even = order[np.linspace(0, count - 1, MOST_POINTS - ALWAYS).round().astype(np.int64)]
        far = np.argsort(-np.abs(self.residuals), kind="stable")[:ALWAYS] if self.fitted else even[:0]
        return np.unique(np.concatenate([even, far]))

    @property
    def count_words(self) -> str:
        """How many runs there are and how many of them are drawn."""
        total, shown = self.fit.runs.count, len(self.shown)
        if self.fit.table is None:
            return f"Fitted to {total} runs, which are not in the fit file and so not drawn."
        if shown < total:
            return (
                f"{shown:,} of {total:,} runs drawn: evenly spaced by compute, and the {ALWAYS} furthest from the law."
            )
        return f"{total:,} runs."

    def range(self, name: str) -> tuple[float, float]:
        """The smallest and largest `name` among the runs."""
        if name in self.columns:
            return span(self.columns[name])
        ranges = self.fit.runs.ranges
        if name == "observed":
            return ranges[self.fit.law.target]
        if name == "flops" and name not in ranges:
            return tuple(6.0 * np.array(ranges["params"]) * np.array(ranges["tokens"]))  # type: ignore[return-value]
        return ranges[name]
