"""How long devices talk: seconds of a collective from bytes, ranks and the slower of the wires that it needs.

all-gather, reduce-scatter: (r - 1)/r x bytes / speed + log2(r) x latency; all-reduce: twice that; all-to-all: the same with the
bytes that one device sends; point to point: bytes / speed + latency. `bytes` is the whole tensor, not a rank's part of it.

Ranks are numbered so that tensor parallelism is innermost, then context, experts and data, the pipeline outermost. A group
whose members are `stride` apart has node/stride of them in a node; they share its network cards, so the group's speed between
nodes is members x network, at most the link's.

Sources: Thakur, Rabenseifner & Gropp 2005, doi 10.1177/1094342005051521 (bandwidth terms); DeepSeek-AI 2024,
arXiv 2412.19437, section 3.2 (a token crosses the network once per node that it needs).
"""

from __future__ import annotations

from math import comb, log2

from kleiber.cost.hardware import Hardware


def one_way(device: Hardware) -> float:
    """The link's bytes per second in one direction (0: not known)."""
    return device.link / 2


def group_speed(device: Hardware, ranks: int, stride: int, link: float = 1.0, network: float = 1.0) -> float:
    """Bytes per second of a group of `ranks` devices, `stride` apart; `link` and `network`: the parts of peak reached.

    >>> from kleiber.cost import find_hardware
    >>> h100 = find_hardware("h100")
    >>> [group_speed(h100, ranks, stride) / 1e9 for ranks, stride in ((8, 1), (16, 1), (16, 8))]
    [450.0, 400.0, 50.0]
    """
    inside = one_way(device) * link
    if ranks * stride <= device.node:
        return inside
    members = max(1, min(ranks, device.node // stride))
    return min(inside, members * device.network * network)


def all_gather(size: float, ranks: int, speed: float, latency: float = 0.0) -> float:
    """Seconds until each of `ranks` has all `size` bytes, or (reduce-scatter) its part of their sum.

    >>> all_gather(8e9, 8, 350e9)
    0.02
    """
    return size * (ranks - 1) / ranks / speed + latency * log2(ranks)


def all_reduce(size: float, ranks: int, speed: float, latency: float = 0.0) -> float:
    """Seconds until each of `ranks` has the sum of `size` bytes: a reduce-scatter and an all-gather."""
    return 2 * all_gather(size, ranks, speed, latency)


def all_to_all(size: float, ranks: int, speed: float, latency: float = 0.0) -> float:
    """Seconds in which each of `ranks` sends `size` bytes, spread evenly over all of them."""
    return all_gather(size, ranks, speed, latency)


def point_to_point(size: float, speed: float, latency: float = 0.0) -> float:
    """Seconds to send `size` bytes to one neighbour."""
    return size / speed + latency


def exposed(communication: float, compute: float) -> float:
    """What is left to wait for when communication runs behind compute: max(0, communication - compute).

    >>> exposed(3.0, 2.0), exposed(2.0, 3.0)
    (1.0, 0.0)
    """
    return max(0.0, communication - compute)


def nodes_reached(count: int, chosen: int, nodes: int, most: int | None = None) -> float:
    """Nodes that the `chosen` of `count` experts of a token lie on, on average, when each is equally likely.

    n (1 - C(E - E/n, k)/C(E, k)), never more than `most`.

    >>> round(nodes_reached(256, 8, 8), 3), nodes_reached(256, 8, 8, most=4)
    (5.295, 4.0)
    """
    if nodes <= 1:
        return 1.0
    each = count // nodes
    reached = nodes * (1 - comb(count - each, chosen) / comb(count, chosen))
    return reached if most is None else min(reached, float(most))


def dispatch(
    size: float, copies: int, reached: float, nodes: int, device: Hardware, link: float, network: float
) -> float:
    """Seconds to send one device's tokens, `size` bytes, to their experts (or back): network and link at the same time.

    A token crosses the network once per other node that it needs, then goes to each of `copies` experts over the link.
    """
    across = reached * (nodes - 1) / nodes
    over_network = size * across / (device.network * network) if across else 0.0
    return max(over_network, size * copies / (one_way(device) * link))
