"""Every shape that could answer a brief, with what each costs: one row per shape, one column per count.

The way the data takes: brief -> options of its families -> polynomials of width and depth -> columns over all shapes.
The one idea: nothing here depends on how long a shape is trained, so all of it is computed once and every question about
tokens, money or time is arithmetic on columns.

Legend: M shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import Shape, bytes_of, cache, decode_flops, params, prefill_flops, train_flops
from kleiber.cost.families import Option
from kleiber.cost.grid import Polynomial, buildable, polynomial
from kleiber.plan.architecture.brief import Brief

Array = NDArray[np.float64]
Count = Callable[[Shape], float]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What is counted of a shape, params, FLOPs per token and bytes, and what that depends on: `convention` says which params the
    law counts."""

    convention: str
    precision: str
    context: int
    mean_context: int
    train_context: int

    def items(self) -> Iterator[tuple[str, Count]]:
        """Every count by name."""
        size = bytes_of(self.precision)
        yield "params", self._params
        yield "active", lambda shape: params(shape).active
        yield "total", lambda shape: params(shape).total
        yield "train_flops", lambda shape: train_flops(shape, self.train_context)
        yield "prefill_flops", lambda shape: prefill_flops(shape, self.mean_context) / self.mean_context
        yield "prompt_flops", lambda shape: prefill_flops(shape, self.context)
        yield "decode_flops", lambda shape: decode_flops(shape, self.mean_context)
        yield "last_flops", lambda shape: decode_flops(shape, self.context)
        yield "weight_bytes", lambda shape: size * params(shape).total
        yield "resident_bytes", lambda shape: size * _resident(shape)
        yield "routed_bytes", lambda shape: size * params(shape).groups.get("routed", 0)
        yield "cache_bytes", lambda shape: cache(shape, self.context, self.precision).per_sequence
        yield "mean_cache_bytes", lambda shape: cache(shape, self.mean_context, self.precision).per_sequence

    def _params(self, shape: Shape) -> float:
        found = params(shape)
        return found.active - found.embedding if self.convention == "non_embedding" else found.active


def _resident(shape: Shape) -> int:
    """Params that every pass reads, whatever the experts chosen: all but the looked-up table and the routed experts."""
    found = params(shape)
    return found.total - found.groups["embedding"] - found.groups.get("routed", 0)


def counts(brief: Brief, convention: str) -> Counts:
    """What a brief needs to know of a shape."""
    return Counts(
        convention=convention,
        precision=brief.precision,
        context=brief.context,
        mean_context=brief.mean_context,
        train_context=brief.train_context,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Shapes:
    """All shapes of one option: `width_M`, `depth_M`, a column (M,) per count, and the polynomial behind each column."""

    option: Option
    width_M: NDArray[np.int64]
    depth_M: NDArray[np.int64]
    columns: Mapping[str, Array]
    polynomials: Mapping[str, Polynomial]

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.width_M)

    def take(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> Shapes:
        """Some of the shapes."""
        return Shapes(
            option=self.option,
            width_M=self.width_M[kept],
            depth_M=self.depth_M[kept],
            columns={name: column[kept] for name, column in self.columns.items()},
            polynomials=self.polynomials,
        )

    def with_columns(self, **more: Array) -> Shapes:
        """The same shapes with further columns."""
        return Shapes(
            option=self.option,
            width_M=self.width_M,
            depth_M=self.depth_M,
            columns={**self.columns, **more},
            polynomials=self.polynomials,
        )

    def build(self, index: int) -> Shape:
        """One of them as a `Shape`."""
        return self.option.build(int(self.width_M[index]), int(self.depth_M[index]))


@lru_cache(maxsize=256)
def shapes_of(option: Option, counted: Counts) -> Shapes:
    """Every buildable shape of one option; counted once, since a plan asks again for every change of its brief."""
    width_M, depth_M = buildable(option)
    polynomials = {name: polynomial(option, count) for name, count in counted.items()}
    columns = {name: found.at(width_M, depth_M) for name, found in polynomials.items()}
    return Shapes(option=option, width_M=width_M, depth_M=depth_M, columns=columns, polynomials=polynomials)
