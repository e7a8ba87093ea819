"""What a design is, and the grids that designs are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.laws import find

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Design:
    """Planted parameters (natural units), inputs (each (R,)) and the noise of log target the design can bear."""

    theta: Mapping[str, float]
    inputs: Mapping[str, Array]
    noise: float


def published(law: str, name: str) -> dict[str, float]:
    return dict(find(law).coefficients(name).values)


def grid(**axes: Array) -> dict[str, Array]:
    """Every combination of the axes, as flat columns."""
    return dict(zip(axes, (mesh.ravel() for mesh in np.meshgrid(*axes.values(), indexing="ij")), strict=True))


def ladder(low: float, high: float, sizes: int, ratios: tuple[float, float], steps: int) -> dict[str, Array]:
    """`sizes` model sizes, each at `steps` ratios of tokens to params."""
    mesh = grid(params=np.geomspace(low, high, sizes), ratio=np.geomspace(*ratios, steps))
    return {"params": mesh["params"], "tokens": mesh["params"] * mesh["ratio"]}
