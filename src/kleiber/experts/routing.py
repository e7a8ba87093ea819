"""What a trace and a placement mean for a step: how much longer than even the slowest device works, and what it must be sent.

The way the data takes: loads (steps x layers x experts) and a `Placement` (or none: experts side by side, one slot each) -> the
load of every device -> `Routing`, per layer of the model. A trace of fewer or more layers than the model has is read by depth:
layer i of the model takes the layer of the trace that stands as deep.

One idea: devices wait for each other in every step, so the slowest is looked for step by step and only then averaged; a trace
whose busy experts move from step to step is even as a whole and uneven at every moment. What tokens need is reckoned over
stretches of steps, as many as `MOST_ROWS` allows.

Shapes: S steps, L layers of experts in the model, E experts, G devices, N slots (or experts), W stretches of steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.experts.communication import Reach, even_routing
from kleiber.experts.placement.placement import Placement
from kleiber.experts.reach import inclusion, needed, odds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_ROWS = 1024  # stretches x layers whose reach is reckoned: a quarter of a second of 256 experts


@dataclass(frozen=True, kw_only=True, eq=False)
class Routing:
    """Per layer of experts: `slowest_L`, the longest time of a device's experts over that under even loads, mean over steps.

    `reached`: what tokens need, rows stretch by stretch and in these layer by layer; `dropped_L`: the part of the assignments
    beyond the capacity, by which the mean device has less to do.
    """

    slowest_L: Floats
    reached: Reach
    dropped_L: Floats


def even(experts: int, chosen: int, nodes: int, devices: int, layers: int, limit: int | None) -> Routing:
    """Every expert liked as well: nothing to wait for."""
    check_side_by_side(experts, devices)
    reached = even_routing(experts, chosen, nodes, devices, limit)
    return Routing(
        slowest_L=np.ones(layers),
        reached=replace(
            reached,
            device_LG=np.repeat(reached.device_LG, layers, axis=0),
            node_LN=np.repeat(reached.node_LN, layers, axis=0),
        ),
        dropped_L=np.zeros(layers),
    )


def measured(
    loads: Floats,
    chosen: int,
    nodes: int,
    devices: int,
    *,
    layers: int,
    limit: int | None = None,
    capacity_factor: float | None = None,
    placement: Placement | None = None,
) -> Routing:
    """What loads, (S, L, E) or (L, E), mean under a placement; experts beyond `capacity_factor` x a step's mean drop tokens.

    Raises `InputError` where loads, placement and devices do not belong together, or a layer has no load.

    >>> found = measured(np.array([[3.0, 1, 1, 1]]), 1, 1, 2, layers=1)
    >>> float(found.slowest_L[0].round(3))
    1.333
    >>> moving = np.array([[[3.0, 1, 1, 1]], [[1.0, 1, 1, 3]]])  # even over both steps, uneven in each
    >>> float(measured(moving, 1, 1, 2, layers=1).slowest_L[0].round(3))
    1.333
    """
    load_SLE = loads[None] if loads.ndim == 2 else loads
    total_L = load_SLE.sum(axis=(0, 2))
    if (total_L <= 0).any():
        raise InputError("a layer has no load", where=f"layer {int(np.flatnonzero(total_L <= 0)[0])}")
    kept_SLE, dropped_L = capped(load_SLE, capacity_factor)
    expert_LN, share_LN, device_N = _slots(load_SLE.shape[1:], nodes, devices, placement)
    into_NG = (device_N[:, None] == np.arange(devices)).astype(float)
    # Step by step, so that a long trace needs no more memory than a short one.
    longest_SL = np.stack(
        [(_served(step_LE[None], expert_LN, share_LN)[0] @ into_NG).max(axis=1) for step_LE in kept_SLE]
    )
    depth_L = by_depth(load_SLE.shape[1], layers)
    load_WLE, kept_WLE = stretches(load_SLE), stretches(kept_SLE)
    part_WLE = np.divide(kept_WLE, load_WLE, out=np.ones_like(load_WLE), where=load_WLE > 0)
    slot_WLN = _served(load_WLE, expert_LN, share_LN)
    part_WLN = np.take_along_axis(part_WLE, np.broadcast_to(np.maximum(expert_LN, 0), slot_WLN.shape), axis=2)
    reached = _reached(slot_WLN, part_WLN, chosen, device_N, nodes, devices)
    if limit is not None and limit < nodes:
        reached = _limited(reached, load_SLE.shape[2], nodes, devices, limit)
    return Routing(
        slowest_L=(longest_SL.sum(axis=0) * devices / total_L)[depth_L],
        reached=replace(
            reached,
            device_LG=reached.device_LG.reshape(len(load_WLE), -1, devices)[:, depth_L].reshape(-1, devices),
            node_LN=reached.node_LN.reshape(len(load_WLE), -1, nodes)[:, depth_L].reshape(-1, nodes),
        ),
        dropped_L=dropped_L[depth_L],
    )


def stretches(load_SLE: Floats) -> Floats:
    """The loads added up over stretches of steps, (W, L, E); a layer idle in one of them takes its load of all steps.

    >>> stretches(np.array([[[1.0, 0]], [[0.0, 0]]]))[:, 0].tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    count = max(1, min(len(load_SLE), MOST_ROWS // load_SLE.shape[1]))
    load_WLE = np.stack([part_SLE.sum(axis=0) for part_SLE in np.array_split(load_SLE, count)])
    return np.where(load_WLE.sum(axis=2, keepdims=True) > 0, load_WLE, load_SLE.sum(axis=0))


def _reached(slot_WLN: Floats, part_WLN: Floats, chosen: int, device_N: Ints, nodes: int, devices: int) -> Reach:
    """What tokens need of which the part `part_WLN` is kept, a row for each stretch and layer."""
    slot_RN, part_RN = slot_WLN.reshape(-1, len(device_N)), part_WLN.reshape(-1, len(device_N))
    weight_RN = odds(inclusion(slot_RN, chosen), chosen)
    kept_RN = None if (part_RN == 1).all() else part_RN
    return Reach(
        device_LG=needed(weight_RN, chosen, device_N, devices, kept_RN),
        node_LN=needed(weight_RN, chosen, device_N // (devices // nodes), nodes, kept_RN),
        copies=float(chosen),
    )


def _limited(reached: Reach, experts: int, nodes: int, devices: int, limit: int) -> Reach:
    """The same where a token's experts lie on `limit` nodes: less by as much as for even loads, on nodes and on devices."""
    if experts % devices:
        raise InputError(
            "a node limit is reckoned for experts that fill the devices evenly",
            found=f"{experts} experts on {devices} devices",
        )
    free, limited = (even_routing(experts, int(reached.copies), nodes, devices, most) for most in (None, limit))
    return replace(
        reached,
        device_LG=reached.device_LG * limited.device_LG / free.device_LG,
        node_LN=reached.node_LN * limited.node_LN / free.node_LN,
    )


def by_depth(traced: int, layers: int) -> Ints:
    """The layer of a trace that stands for each layer of the model.

    >>> by_depth(2, 5), by_depth(3, 3)
    (array([0, 0, 1, 1, 1]), array([0, 1, 2]))
    """
    return ((np.arange(layers) + 0.5) * traced / layers).astype(np.int64)


def capped(load_SLE: Floats, capacity_factor: float | None) -> tuple[Floats, Floats]:
    """Loads with what lies beyond capacity = factor x mean load of a step cut off, and the part of each layer that is."""
    if capacity_factor is None:
        return load_SLE, np.zeros(load_SLE.shape[1])
    if not 0 < capacity_factor < float("inf"):
        raise InputError("a capacity factor is a positive number", found=capacity_factor)
    kept_SLE = np.minimum(load_SLE, capacity_factor * load_SLE.mean(axis=2, keepdims=True))
    return kept_SLE, 1 - kept_SLE.sum(axis=(0, 2)) / load_SLE.sum(axis=(0, 2))


def check_side_by_side(experts: int, devices: int) -> None:
    """Raise `InputError` where experts without a placement do not fill the devices."""
    if experts % devices:
        raise InputError(
            "the experts do not fill the devices evenly",
            found=f"{experts} experts on {devices} devices",
            remedy="a placement: kleiber experts place",
        )


def _served(load_XLE: Floats, expert_LN: Ints, share_LN: Floats) -> Floats:
    """What every slot serves of the loads."""
    expert_XLN = np.broadcast_to(np.maximum(expert_LN, 0), (*load_XLE.shape[:2], expert_LN.shape[1]))
    return np.take_along_axis(load_XLE, expert_XLN, axis=2) * share_LN


def _slots(shape: tuple[int, int], nodes: int, devices: int, placement: Placement | None) -> tuple[Ints, Floats, Ints]:
    """The expert of every slot, its share, and the device of the slot."""
    layers, experts = shape
    if placement is None:
        check_side_by_side(experts, devices)
        expert_LN = np.broadcast_to(np.arange(experts), shape)
        return expert_LN, np.ones(shape), np.arange(experts) // (experts // devices)
    cluster = placement.cluster
    if (cluster.nodes, cluster.devices) != (nodes, devices):
        raise InputError(
            "the placement is for another cluster",
            found=f"{cluster.devices} devices in {cluster.nodes} nodes",
            expected=f"{devices} in {nodes}",
        )
    if len(set(cluster.speed_G)) > 1:
        raise InputError("a step is reckoned for equal devices, none of them lost", where="the placement's cluster")
    if placement.experts != experts:
        raise InputError("the placement is for other experts", found=placement.experts, expected=experts)
    if placement.layers not in (1, layers):
        raise InputError("the placement has other layers than the trace", found=placement.layers, expected=layers)
    expert_LN = np.broadcast_to(placement.expert_LN, (layers, placement.expert_LN.shape[1]))
    return expert_LN, np.where(expert_LN >= 0, placement.share_LN, 0.0), cluster.device_N
