"""Dispatch and combine: bytes over the two tiers of wires, and the seconds they take.

A token of width h goes to its experts (dispatch, b_d bytes a number) and its results come back (combine, b_c). Between nodes it
crosses once to each other node that it needs, or k times where nobody removes the duplicates; inside a node it goes over the
link once to each device that it needs, but for the one that the network delivered to. Both tiers work at the same time:

seconds = max(fullest network card bytes / network, fullest device bytes / link) + two waits of log2(devices) latencies.

What is fullest depends on the loads: the node and the device that most tokens need (`reach.py`), even where the mean is fine.

Legend: G devices of one expert-parallel group, N nodes.

Sources: DeepSeek-AI 2024, arXiv 2412.19437, section 3.2.2; deepseek-ai/DeepEP, docs/legacy.md (how its kernels forward).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.experts.reach import even_reach

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Wires:
    """What one device gets out of its wires: bytes per second, and seconds of a message for each doubling of the ranks.

    `link` inside a node (0 where there is one device in it), `network` between nodes, one way each.
    """

    link: float
    network: float
    latency: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """How many tokens need what: P(a token needs each device) and P(it needs each node), (L, G) and (L, N).

    `copies`: the experts of a token, that is the crossings where duplicates are not removed.
    """

    device_LG: Floats
    node_LN: Floats
    copies: float

    @property
    def layers(self) -> int:
        """L."""
        return self.device_LG.shape[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Traffic:
    """Bytes of one all-to-all of one layer, per device, mean and fullest, (L,).

    `network` over its card, `link` inside its node; `seconds_L` on the wires that were given.
    """

    network_L: Floats
    fullest_network_L: Floats
    link_L: Floats
    fullest_link_L: Floats
    seconds_L: Floats

    def to_json(self) -> dict[str, Any]:
        """Means over the layers."""
        return {
            "network_bytes": float(self.network_L.mean()),
            "fullest_network_bytes": float(self.fullest_network_L.mean()),
            "link_bytes": float(self.link_L.mean()),
            "fullest_link_bytes": float(self.fullest_link_L.mean()),
            "seconds": float(self.seconds_L.mean()),
        }


def even_routing(experts: int, chosen: int, nodes: int, devices: int, limit: int | None = None) -> Reach:
    """What a router needs that likes every expert as well, with at most `limit` nodes a token.

    >>> float(even_routing(256, 8, 8, 64).node_LN.sum().round(3))
    5.295
    """
    if devices % nodes:
        raise InputError("the devices do not fill the nodes evenly", found=f"{devices} devices in {nodes} nodes")
    in_nodes = even_reach(experts, chosen, nodes, limit)
    if limit is None or limit >= nodes:
        on_devices = even_reach(experts, chosen, devices)
    else:
        on_devices = even_reach(experts * limit // nodes, chosen, devices * limit // nodes)
    return Reach(
        device_LG=np.full((1, devices), on_devices / devices),
        node_LN=np.full((1, nodes), in_nodes / nodes),
        copies=float(chosen),
    )


def token_bytes(reached: Reach, width: int, dispatch_bytes: float, combine_bytes: float) -> dict[str, float]:
    """Bytes that a token sends between nodes per layer and forward pass, to every node it needs, its own counted as well.

    `naive`: once per expert; `deduplicated`: once per node.

    >>> found = token_bytes(even_routing(256, 8, 8, 64), 7168, 1.0, 2.0)
    >>> found["naive_dispatch"], round(found["deduplicated_dispatch"])
    (57344.0, 37952)
    """
    once = float(reached.node_LN.sum(axis=1).mean())
    return {
        "naive_dispatch": reached.copies * width * dispatch_bytes,
        "naive_combine": reached.copies * width * combine_bytes,
        "deduplicated_dispatch": once * width * dispatch_bytes,
        "deduplicated_combine": once * width * combine_bytes,
    }


def all_to_all(reached: Reach, tokens: float, token_size: float, wires: Wires, *, deduplicated: bool = True) -> Traffic:
    """One dispatch (or combine): every device sends `tokens` of `token_size` bytes to where they are needed.

    >>> wires = Wires(link=134e9, network=43e9)
    >>> found = all_to_all(even_routing(256, 8, 8, 64, limit=4), 4096, 7168, wires)
    >>> round(1e6 * found.seconds_L[0])
    2168
    """
    devices, nodes = reached.device_LG.shape[1], reached.node_LN.shape[1]
    per_node = devices // nodes
    sent = tokens * token_size
    times = 1.0 if deduplicated else reached.copies / reached.node_LN.sum(axis=1, keepdims=True)
    # What enters a node is shared by its cards, and comes from the devices of all other nodes.
    into_LN = sent * (nodes - 1) * reached.node_LN * times
    # A device gets its tokens from everywhere; those that its own card delivered, one in `per_node`, need no link.
    link_LG = sent * devices * reached.device_LG * (per_node - 1) / per_node
    over_network = into_LN / wires.network if nodes > 1 else np.zeros_like(into_LN)
    over_link = link_LG / wires.link if per_node > 1 else np.zeros_like(link_LG)
    waits = wires.latency * log2(devices) if devices > 1 else 0.0
    return Traffic(
        network_L=into_LN.mean(axis=1),
        fullest_network_L=into_LN.max(axis=1),
        link_L=link_LG.mean(axis=1),
        fullest_link_L=link_LG.max(axis=1),
        seconds_L=np.maximum(over_network.max(axis=1), over_link.max(axis=1)) + waits,
    )
