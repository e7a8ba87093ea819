"""What a trace and a placement mean for a step: how much longer than even the slowest device works, and what it must be sent.

The way the data takes: loads (layers x experts) and a `Placement` (or none: experts side by side, one slot each) -> the load of
every device -> `Routing`, per layer of the model. A trace of fewer or more layers than the model has is read by depth: layer i of
the model takes the layer of the trace that stands as deep.

Shapes: L layers of experts in the model, E experts, G devices, N slots (or experts).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.experts.communication import Reach, even_routing
from kleiber.experts.placement.placement import Placement
from kleiber.experts.reach import even_reach, inclusion, needed, odds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Routing:
    """Per layer of experts: `slowest_L`, the longest time of a device's experts over that under even loads on equal devices.

    `reached`: what tokens need; `dropped_L`: the part of the assignments beyond the capacity; `busiest_G`: mean time of each
    device's experts over that under even loads.
    """

    slowest_L: Floats
    busiest_G: Floats
    reached: Reach
    dropped_L: Floats


def even(experts: int, chosen: int, nodes: int, devices: int, layers: int, limit: int | None) -> Routing:
    """Every expert liked as well: nothing to wait for."""
    reached = even_routing(experts, chosen, nodes, devices, limit)
    return Routing(
        slowest_L=np.ones(layers),
        busiest_G=np.ones(devices),
        reached=replace(
            reached,
            device_LG=np.repeat(reached.device_LG, layers, axis=0),
            node_LN=np.repeat(reached.node_LN, layers, axis=0),
        ),
        dropped_L=np.zeros(layers),
    )


def measured(
    load_LE: Floats,
    chosen: int,
    nodes: int,
    devices: int,
    *,
    layers: int,
    limit: int | None = None,
    capacity_factor: float | None = None,
    placement: Placement | None = None,
) -> Routing:
    """What the loads of a trace mean under a placement; experts beyond `capacity_factor` x the mean load drop tokens.

    Raises `InputError` where loads, placement and devices do not belong together.

    >>> found = measured(np.array([[3.0, 1, 1, 1]]), 1, 1, 2, layers=1)
    >>> float(found.slowest_L[0].round(3))
    1.333
    """
    kept_LE, dropped_L = capped(load_LE, capacity_factor)
    slot_LN, device_N, speed_G = _slots(kept_LE, nodes, devices, placement)
    served_LG = np.stack([slot_LN[:, device_N == device].sum(axis=1) for device in range(devices)], axis=1)
    took_LG = served_LG / speed_G / (load_LE.sum(axis=1, keepdims=True) / devices)
    per_node = devices // nodes
    weight_LN = odds(inclusion(slot_LN, chosen), chosen)
    device_LG = needed(weight_LN, chosen, device_N, devices)
    node_LN = needed(weight_LN, chosen, device_N // per_node, nodes)
    if limit is not None and limit < nodes:
        experts = load_LE.shape[1]
        scale = even_reach(experts, chosen, nodes, limit) / even_reach(experts, chosen, nodes)
        node_LN = node_LN * scale
    depth_L = by_depth(len(load_LE), layers)
    return Routing(
        slowest_L=took_LG.max(axis=1)[depth_L],
        busiest_G=took_LG.mean(axis=0),
        reached=Reach(device_LG=device_LG[depth_L], node_LN=node_LN[depth_L], copies=float(chosen)),
        dropped_L=dropped_L[depth_L],
    )


def by_depth(traced: int, layers: int) -> Ints:
    """The layer of a trace that stands for each layer of the model.

    >>> by_depth(2, 5), by_depth(3, 3)
    (array([0, 0, 1, 1, 1]), array([0, 1, 2]))
    """
    return ((np.arange(layers) + 0.5) * traced / layers).astype(np.int64)


def capped(load_LE: Floats, capacity_factor: float | None) -> tuple[Floats, Floats]:
    """Loads with what lies beyond capacity = factor x mean load cut off, and the part of each layer that is."""
    if capacity_factor is None:
        return load_LE, np.zeros(len(load_LE))
    if not 0 < capacity_factor < float("inf"):
        raise InputError("a capacity factor is a positive number", found=capacity_factor)
    kept_LE = np.minimum(load_LE, capacity_factor * load_LE.mean(axis=1, keepdims=True))
    return kept_LE, 1 - kept_LE.sum(axis=1) / load_LE.sum(axis=1)


def _slots(load_LE: Floats, nodes: int, devices: int, placement: Placement | None) -> tuple[Floats, Ints, Floats]:
    """The load of every slot, its device, and the speed of every device."""
    layers, experts = load_LE.shape
    if placement is None:
        if experts % devices:
            raise InputError(
                "the experts do not fill the devices evenly",
                found=f"{experts} experts on {devices} devices",
                remedy="a placement: kleiber experts place",
            )
        return load_LE, np.arange(experts) // (experts // devices), np.ones(devices)
    cluster = placement.cluster
    if (cluster.nodes, cluster.devices) != (nodes, devices):
        raise InputError(
            "the placement is for another cluster",
            found=f"{cluster.devices} devices in {cluster.nodes} nodes",
            expected=f"{devices} in {nodes}",
        )
    if placement.experts != experts:
        raise InputError("the placement is for other experts", found=placement.experts, expected=experts)
    if placement.layers not in (1, layers):
        raise InputError("the placement has other layers than the trace", found=placement.layers, expected=layers)
    expert_LN = np.broadcast_to(placement.expert_LN, (layers, placement.expert_LN.shape[1]))
    served = np.take_along_axis(load_LE, np.maximum(expert_LN, 0), axis=1) * placement.share_LN
    return np.where(expert_LN >= 0, served, 0.0), cluster.device_N, cluster.speed_G
