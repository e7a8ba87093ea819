"""From scattered counts to a full grid of steps, layers and experts, or an error that says where one is missing.

One idea: every step must have every layer, and every layer the same experts; a trace that lost some of them would make an
expert look idle that was only not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kleiber.errors import InputError
from kleiber.experts.trace import Floats, RoutingTrace


def gathered(count: Mapping[tuple[int, int], Floats], source: str) -> RoutingTrace:
    """The trace of counts per expert by (step, layer); raises `InputError` where layers disagree."""
    steps = tuple(sorted({step for step, _ in count}))
    layers = tuple(sorted({layer for _, layer in count}))
    if not count:
        raise InputError("the trace is empty", where=source)
    experts = len(next(iter(count.values())))
    for step in steps:
        for layer in layers:
            where = f"{source}, step {step}, layer {layer}"
            if (step, layer) not in count:
                raise InputError(
                    "the trace does not have this layer at this step", expected=f"{len(layers)} layers", where=where
                )
            if len(count[step, layer]) != experts:
                raise InputError(
                    "the layers disagree",
                    found=f"{len(count[step, layer])} experts",
                    expected=f"{experts}",
                    where=where,
                )
    count_SLE = np.stack([np.stack([count[step, layer] for layer in layers]) for step in steps])
    return RoutingTrace.from_counts(count_SLE, steps=steps, layers=layers, source=source)
