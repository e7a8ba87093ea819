"""How each shape is best served: devices per replica, sequences at once, and what a token then takes.

The way the data takes: columns of shapes + device -> for every number of devices and every batch: memory, time to first token,
time per token, device-seconds per token -> for each shape the cheapest that keeps the brief's limits.
The one idea: a step of decoding reads the weights once for all sequences, so a larger batch makes tokens cheaper until memory
is full, the step is too slow, or arithmetic takes over; which of the three it is differs by shape, and is simply tried.

A step takes max(FLOPs / peak, bytes / bandwidth), each at its efficiency, as in `kleiber.cost.latency`; devices of a replica
share work and memory evenly, and every doubling of them loses a tenth of what they do to talking (`shared`): an assumption,
without which a replica would always be as large as it may. One tenth of memory is kept free for everything that is not
modelled.

Legend: M shapes.
"""

from __future__ import annotations

from math import log2

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.shapes import Shapes

Array = NDArray[np.float64]
DEVICES = (1, 2, 4, 8, 16, 32, 64)
BATCHES = tuple(2**power for power in range(11))
USABLE = 0.9  # of a device's memory
SHARED = 0.9  # of the work of its devices is left when a replica is doubled
STATE_BYTES = 16.0  # of weights, gradients and Adam per param in training, if nothing is held twice
COLUMNS = ("devices", "batch", "ttft_s", "tpot_s", "memory_bytes", "prefill_s", "decode_s")


def serve(shapes: Shapes, brief: Brief) -> Shapes:
    """`shapes` with the columns of the cheapest way to serve each; `decode_s` is infinite where none keeps the limits.

    `devices` and `batch` per replica; `ttft_s`, `tpot_s`: latency at the full context; `memory_bytes` per device;
    `prefill_s`, `decode_s`: device-seconds per token read and written at the mean context.
    """
    if brief.hardware is None:
        return shapes.with_columns(**_unpriced(shapes, brief))
    best, least_M = {name: np.full(len(shapes), np.inf) for name in COLUMNS}, np.full(len(shapes), np.inf)
    for devices in DEVICES:
        for batch in BATCHES:
            found = _one(shapes, brief, devices, batch)
            spent_M = _spent(found, brief)
            better_M = _kept(found, brief) & (spent_M < least_M)
            _put(best, found, better_M)
            least_M[better_M] = spent_M[better_M]
    return shapes.with_columns(**best)


def _spent(found: dict[str, Array], brief: Brief) -> Array:
    """Device-seconds of a served token, read or written."""
    return (1 - brief.output_share) * found["prefill_s"] + brief.output_share * found["decode_s"]


def shared(devices: float) -> float:
    """The part of their work that so many devices of a replica get done.

    >>> shared(1), round(shared(8), 3)
    (1.0, 0.729)
    """
    return float(SHARED ** log2(devices))


def by_batch(shapes: Shapes, brief: Brief, least: int = 1) -> dict[str, Array]:
    """For every batch the smallest replica, of at least `least` devices, that keeps the limits.

    More than `least` only up to where the tokens are cheapest. The columns are those of `serve`, (batches, M), infinite where a
    batch cannot be served; with `least` 1 the cheapest of them is `serve`'s.
    """
    most_M = serve(shapes, brief)["devices"]
    most_M = np.where(np.isfinite(most_M), np.maximum(most_M, least), 0.0)
    found = {name: np.full((len(BATCHES), len(shapes)), np.inf) for name in COLUMNS}
    for place, batch in enumerate(BATCHES):
        row = {name: column[place] for name, column in found.items()}
        for devices in (number for number in reversed(DEVICES) if number >= least):
            one = _one(shapes, brief, devices, batch)
            _put(row, one, _kept(one, brief) & (devices <= most_M))
    return found


def _put(into: dict[str, Array], found: dict[str, Array], where: NDArray[np.bool_]) -> None:
    if not where.any():
        return
    for name, column in into.items():
        column[where] = found[name][where] if found[name].ndim else found[name]


def _one(shapes: Shapes, brief: Brief, devices: int, batch: int) -> dict[str, Array]:
    """All of it for one number of devices and one batch."""
    device = brief.hardware
    assert device is not None
    peak = brief.serving_peak * shared(devices)
    bandwidth = device.bandwidth * brief.bandwidth_efficiency * shared(devices)
    read = shapes["resident_bytes"] + shapes["routed_bytes"] * touched(shapes.option.expansion, batch)
    full = np.maximum(
        batch * shapes["last_flops"] / (peak * brief.prefill_efficiency),
        (read + batch * shapes["cache_bytes"]) / bandwidth,
    )
    mean = np.maximum(
        batch * shapes["decode_flops"] / (peak * brief.prefill_efficiency),
        (read + batch * shapes["mean_cache_bytes"]) / bandwidth,
    )
    return {
        "devices": np.array(float(devices)),
        "batch": np.array(float(batch)),
        "ttft_s": shapes["prompt_flops"] / (peak * brief.prefill_efficiency * devices),
        "tpot_s": full / devices,
        "memory_bytes": (shapes["weight_bytes"] + batch * shapes["cache_bytes"]) / devices,
        "prefill_s": shapes["prefill_flops"] / (peak * brief.prefill_efficiency),
        "decode_s": mean / batch,
    }


def touched(expansion: int, batch: int) -> float:
    """The part of the routed experts that a batch reads when each token is sent to one in `expansion`, evenly.

    1 - (1 - 1/expansion)^batch.

    >>> touched(32, 1), round(touched(32, 64), 3)
    (0.03125, 0.869)
    """
    return 1.0 - (1.0 - 1.0 / expansion) ** batch


def memory_limit(brief: Brief) -> float:
    """Bytes of a serving device that weights and caches may take."""
    asked = np.inf if brief.max_memory_gb is None else brief.max_memory_gb * 1e9
    return min(asked, np.inf if brief.hardware is None else USABLE * brief.hardware.memory)


def _kept(found: dict[str, Array], brief: Brief) -> NDArray[np.bool_]:
    return (
        (found["memory_bytes"] <= memory_limit(brief))
        & (found["ttft_s"] <= _seconds(brief.max_ttft_ms))
        & (found["tpot_s"] <= _seconds(brief.max_tpot_ms))
    )


def _seconds(limit_ms: float | None) -> float:
    return np.inf if limit_ms is None else limit_ms / 1e3


def _unpriced(shapes: Shapes, brief: Brief) -> dict[str, Array]:
    """Without hardware nothing takes time; memory is that of the weights and one sequence on one device."""
    held = shapes["weight_bytes"] + shapes["cache_bytes"]
    nothing = np.full(len(shapes), np.nan)
    fits = np.where(held <= memory_limit(brief), 0.0, np.inf)
    return {
        "devices": np.ones(len(shapes)),
        "batch": np.ones(len(shapes)),
        "ttft_s": nothing,
        "tpot_s": nothing,
        "memory_bytes": held,
        "prefill_s": np.zeros(len(shapes)),
        "decode_s": fits,
    }
