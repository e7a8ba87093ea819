"""Every shape that could answer a brief, with what each costs: one row per shape, one column per count.

The way the data takes: brief -> options of its families -> polynomials of width and depth -> columns over all shapes.
The one idea: nothing here depends on how long a shape is trained, so all of it is computed once and every question about
tokens, money or time is arithmetic on columns.

Legend: M shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import Shape, bytes_of, cache, decode_flops, params, prefill_flops, train_flops
from kleiber.cost.families import Option, options
from kleiber.cost.grid import Polynomial, buildable, polynomial
from kleiber.plan.architecture.brief import Brief

Array = NDArray[np.float64]
Count = Callable[[Shape], float]


def counts(brief: Brief, convention: str) -> Mapping[str, Count]:
    """What is counted of a shape: params, FLOPs per token, bytes. `convention` says which params the law counts."""
    size = bytes_of(brief.precision)

    def counted(shape: Shape) -> float:
        found = params(shape)
        return found.active - found.embedding if convention == "non_embedding" else found.active

    def resident(shape: Shape) -> float:
        """Bytes that every pass reads, whatever the experts chosen: all but the looked-up table and the routed experts."""
        found = params(shape)
        return size * (found.total - found.groups["embedding"] - found.groups.get("routed", 0))

    return {
        "params": counted,
        "active": lambda shape: params(shape).active,
        "total": lambda shape: params(shape).total,
        "train_flops": lambda shape: train_flops(shape, brief.train_context),
        "prefill_flops": lambda shape: prefill_flops(shape, brief.mean_context) / brief.mean_context,
        "prompt_flops": lambda shape: prefill_flops(shape, brief.context),
        "decode_flops": lambda shape: decode_flops(shape, brief.mean_context),
        "last_flops": lambda shape: decode_flops(shape, brief.context),
        "weight_bytes": lambda shape: size * params(shape).total,
        "resident_bytes": resident,
        "routed_bytes": lambda shape: size * params(shape).groups.get("routed", 0),
        "cache_bytes": lambda shape: cache(shape, brief.context, brief.precision).per_sequence,
        "mean_cache_bytes": lambda shape: cache(shape, brief.mean_context, brief.precision).per_sequence,
    }


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


def enumerate_shapes(brief: Brief, convention: str) -> list[Shapes]:
    """Every buildable shape of every option of the brief's families, option by option."""
    return [
        shapes_of(option, counts(brief, convention)) for option in options(brief.families, vocabulary=brief.vocabulary)
    ]


def shapes_of(option: Option, counted: Mapping[str, Count]) -> Shapes:
    """Every buildable shape of one option."""
    width_M, depth_M = buildable(option)
    polynomials = {name: polynomial(option, count) for name, count in counted.items()}
    columns = {name: found.at(width_M, depth_M) for name, found in polynomials.items()}
    return Shapes(option=option, width_M=width_M, depth_M=depth_M, columns=columns, polynomials=polynomials)
