"""Is there a graph at all? The tree of the units against that of units whose inputs were shuffled, each by itself.

One idea: a network at its beginning, or one recorded on too few inputs, has units that are no more alike than independent ones;
then whatever is summed up of their graph is noise. Shuffling each unit's values over the inputs makes exactly such a graph, so
that the rank of the real one among shuffled ones is an exact test.

Shapes: N inputs, U units, B shufflings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.topology.graph import REFERENCE, functional_graph, matrix
from kleiber.diagnose.topology.refusal import refused
from kleiber.diagnose.topology.spanning_tree import spanning_lengths
from kleiber.errors import Refusal
from kleiber.finding import Finding

SHUFFLINGS, UNITS = 19, 128


def functional_structure(activations_NU: ArrayLike, *, units: int = UNITS, seed: int = 0) -> Finding:
    """Are units more alike than by chance? The mean edge of the tree of 1 - |corr|, among shuffled ones.

    The value is the mean edge, the interval that of the shuffled graphs. Raises `InputError` where a value is not a finite
    number.

    >>> noise = np.random.default_rng(0).normal(size=(100, 12))
    >>> functional_structure(noise).verdict, functional_structure(np.repeat(noise, 2, axis=1)).verdict
    ('cannot tell', 'found')
    """
    activations = matrix(activations_NU)
    try:
        graph = functional_graph(activations, units=units, seed=seed)
    except Refusal as refusal:
        return refused("functional_structure", refusal, reference=REFERENCE)
    rng = np.random.default_rng([seed, 3])
    chosen = activations[:, graph.units_U]
    shuffled = np.array(
        [spanning_lengths(functional_graph(rng.permuted(chosen, axis=0)).distance_UU).mean() for _ in range(SHUFFLINGS)]
    )
    own = float(spanning_lengths(graph.distance_UU).mean())
    interval = (float(shuffled.min()), float(shuffled.max()))
    there = own < interval[0]
    alike = "so units act together" if there else "so units are no more alike than by chance"
    words = (
        f"{len(graph.units_U)} units over {graph.inputs} inputs have a tree with a mean edge of {own:.3f}, "
        f"shuffled ones {interval[0]:.3f} to {interval[1]:.3f}, {alike}. {graph.left_out()}"
    )
    return Finding(
        name="functional_structure",
        verdict="found" if there else "cannot tell",
        evidence=words.strip(),
        remedy="" if there else "more inputs, or a network that has been trained",
        value=own,
        interval=interval,
        caveats=("that units act together is no sign of a small gap or a large one",),
        reference=REFERENCE,
    )
