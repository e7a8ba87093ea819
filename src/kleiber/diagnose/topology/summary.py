"""A functional graph in a handful of numbers: the lengths of its tree and the lives of its loops.

The way the data takes: activations -> graph -> tree edges (dimension 0) and loops (dimension 1) -> `Topology`.

One idea: the published code takes `d + b/2` for the middle of a life by a slip of precedence; the middle is `(b + d) / 2`.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from kleiber.diagnose.topology.graph import FunctionalGraph, functional_graph
from kleiber.diagnose.topology.persistence import CUTOFF, FIELD, SECONDS, Loops, loops
from kleiber.diagnose.topology.spanning_tree import spanning_lengths

UNITS, LEAST_LIFE = 256, 0.02
"""Units sampled by default; loops that live no longer than this are left out, as by Corneanu et al."""
FEATURES = ("life", "midlife", "mean_edge", "edge_spread")


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What the topology of a functional graph is summed up in.

    `mean_edge`, `edge_spread`: mean and standard deviation of the tree's edges (lives of dimension 0). `life`, `midlife`: means
    of `d - b` and `(b + d) / 2` over the loops that live longer than 0.02; None where there is none, or where loops were not
    asked for (`cutoff` None). `alive` of the `bars` were alive at the cut-off and count as dying there.
    """

    mean_edge: float
    edge_spread: float
    life: float | None
    midlife: float | None
    bars: int
    alive: int
    units: int
    live: int
    dead: int
    inputs: int
    cutoff: float | None
    field: int | None

    def feature(self, name: str) -> float | None:
        """One of `FEATURES`."""
        return {
            "life": self.life,
            "midlife": self.midlife,
            "mean_edge": self.mean_edge,
            "edge_spread": self.edge_spread,
        }[name]


def topology(
    activations_NU: ArrayLike,
    *,
    units: int | None = UNITS,
    loops_too: bool = True,
    cutoff: float = CUTOFF,
    field: int = FIELD,
    seconds: float = SECONDS,
    seed: int = 0,
) -> Topology:
    """Sum up the functional graph of activations on training inputs, `(inputs, units)`.

    `units` sampled at random (None for all); `loops_too=False` leaves dimension 1, and gudhi, out. Raises as `functional_graph`
    and `loops` do.

    >>> import numpy as np
    >>> found = topology(np.random.default_rng(0).normal(size=(500, 40)), loops_too=False)
    >>> found.units, found.life, round(found.mean_edge, 2)
    (40, None, 0.9)
    """
    graph = functional_graph(activations_NU, units=units, seed=seed)
    found = loops(graph.distance_UU, cutoff=cutoff, field=field, seconds=seconds) if loops_too else None
    return summed_up(graph, found)


def summed_up(graph: FunctionalGraph, found: Loops | None) -> Topology:
    """The summary of a graph whose loops were found, or left out."""
    edges = spanning_lengths(graph.distance_UU)
    kept = middle = None
    if found is not None:
        long = found.deaths_K - found.births_K > LEAST_LIFE
        kept, middle = (found.deaths_K - found.births_K)[long], ((found.births_K + found.deaths_K) / 2)[long]
    return Topology(
        mean_edge=float(edges.mean()),
        edge_spread=float(edges.std()),
        life=float(kept.mean()) if kept is not None and kept.size else None,
        midlife=float(middle.mean()) if middle is not None and middle.size else None,
        bars=int(kept.size) if kept is not None else 0,
        alive=found.alive if found else 0,
        units=len(graph.units_U),
        live=graph.live,
        dead=len(graph.dead),
        inputs=graph.inputs,
        cutoff=found.cutoff if found else None,
        field=found.field if found else None,
    )
