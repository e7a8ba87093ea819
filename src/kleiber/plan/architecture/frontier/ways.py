"""The ways to serve a shape that a frontier must look at.

The way the data takes: shapes -> every batch, each on the smallest replica that holds it -> per shape, those that no other way
beats in what the axes ask -> one row per shape and way. What cannot be served within the limits has none.
The one idea: `serving` picks the cheapest way, which is right unless latency or memory is an axis; then a smaller batch is
worth its price, and how much it is worth is what the frontier shows.

Legend: W ways (batches), M shapes, N rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.frontier.axes import Axis
from kleiber.plan.architecture.serving import DEVICES, by_batch, serve
from kleiber.plan.architecture.shapes import Shapes

Array = NDArray[np.float64]


def ways(shapes: Shapes, wish: Brief, axes: Sequence[Axis]) -> Shapes:
    """`shapes` with the columns of `serve`: a row for every way that could lie on the frontier."""
    names = {axis.name for axis in axes if axis.side == "serving"}
    if wish.hardware is None or not names - {"serving_cost"}:
        served = serve(shapes, wish)
        return served.take(np.isfinite(served["decode_s"]))
    # Where time counts, more devices than the cheapest number of them are worth their talk: a node, and as many as there may be.
    quick = bool(names & {"tpot_ms", "ttft_ms"})
    least = sorted({1, min(max(DEVICES), wish.hardware.node), max(DEVICES)} if quick else {1})
    tried = [by_batch(shapes, wish, number) for number in least]
    found = {name: np.concatenate([each[name] for each in tried]) for name in tried[0]}
    asked = [_column(name, found) for name in ("tpot_ms", "ttft_ms", "memory_gb") if name in names]
    if "serving_cost" in names or (wish.max_cost is not None and wish.serve_tokens.median):
        asked.append(found["decode_s"])
    way_N, shape_N = np.nonzero(_worth_a_look(asked, found["decode_s"]))
    columns = {name: column[way_N, shape_N] for name, column in found.items()}
    return shapes.take(shape_N).with_columns(**columns)


def _column(name: str, found: dict[str, Array]) -> Array:
    if name == "memory_gb":
        return found["memory_bytes"] * found["devices"]
    return found[name.replace("_ms", "_s")]


def _worth_a_look(asked: list[Array], price_WM: Array) -> NDArray[np.bool_]:
    """Per shape the ways that no other beats in `asked`; of equals the cheapest, and of those the first."""
    kept_WM = np.isfinite(price_WM)
    for way in range(len(price_WM)):
        for other in range(len(price_WM)):
            if other == way:
                continue
            no_worse_M = np.all([column[other] <= column[way] for column in asked], axis=0) & np.isfinite(
                price_WM[other]
            )
            better_M = np.any([column[other] < column[way] for column in asked], axis=0)
            cheaper_M = price_WM[other] < price_WM[way]
            same_M = price_WM[other] == price_WM[way]
            kept_WM[way] &= ~(no_worse_M & (better_M | cheaper_M | (same_M & (other < way))))
    return kept_WM
