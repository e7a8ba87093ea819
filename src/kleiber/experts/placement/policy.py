"""What a policy is: a name and a function from loads and devices to experts and shares; and how every policy is run.

One idea: a policy knows nothing of nodes, groups, memory or lost devices. A cluster is boiled down to slots and speeds per
device; where groups must stay in a node, groups are dealt to nodes first and the policy is asked once per node.

Shapes: L layers, E experts, G devices, N slots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.placement.best import Arrange
from kleiber.experts.placement.bounds import bound
from kleiber.experts.placement.nodes import by_node
from kleiber.experts.placement.placement import Floats, Placement
from kleiber.experts.trace import checked_counts


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One way to place experts.

    `arrange(load_LE, slots_G, speed_G)`: the expert in each slot (L x N, -1 for none) and its share; there are at least as many
    slots as experts. To add a policy, write one file with a `Policy` and list it in `kleiber.experts.placement.POLICIES`.
    """

    name: str
    title: str
    arrange: Arrange

    def place(
        self, loads: ArrayLike, cluster: Cluster, *, groups: int | None = None, source: str = "the loads"
    ) -> Placement:
        """Place the experts of every layer.

        `loads`: layers x experts; `groups`: that many groups of consecutive experts, each kept in one node (as many as
        experts: the replicas of an expert stay in one node); None: anywhere. Raises `InputError` for loads that are no loads,
        for fewer slots than experts, and for groups that no node can hold.
        """
        load_LE = checked_loads(loads, source)
        check_room(load_LE.shape[1], cluster)
        if groups is not None:
            check_groups(load_LE.shape[1], groups)
        bound_L = bound(load_LE, cluster, groups)
        if groups is None:
            expert_LN, share_LN = self.arrange(load_LE, cluster.slots_G, cluster.speed_G)
        else:
            expert_LN, share_LN = by_node(self.arrange, load_LE, cluster, groups, bound_L)
        return Placement(
            policy=self.name,
            cluster=cluster,
            expert_LN=expert_LN,
            share_LN=share_LN,
            load_LE=load_LE,
            bound_L=bound_L,
        )


def checked_loads(loads: ArrayLike, source: str) -> Floats:
    """Loads as layers x experts; raises `InputError` naming layer and expert of the first that is none."""
    found = np.asarray(loads)
    if found.ndim != 2:
        raise InputError("loads are layers x experts", found=f"shape {found.shape}", where=source)
    return checked_counts(found, source)[0]


def check_room(experts: int, cluster: Cluster) -> None:
    """Raises `InputError` where not every expert finds a slot."""
    slots = int(cluster.slots_G.sum())
    if slots < experts:
        lost = f", {len(cluster.lost)} devices lost" if cluster.lost else ""
        raise InputError(
            "there are fewer slots than experts",
            found=f"{slots} slots for {experts} experts{lost}",
            remedy="more slots per device, more devices, or more memory for experts",
        )


def usual_groups(experts: int, nodes: int) -> int:
    """The router's groups where nobody says: the least multiple of the nodes, from 8 on, that divides the experts; or one each.

    Eight is what DeepSeek-V3 has (256 experts in 8 groups, arXiv 2412.19437).

    >>> usual_groups(256, 4), usual_groups(256, 16), usual_groups(10, 3)
    (8, 16, 10)
    """
    return next((groups for groups in range(nodes, experts, nodes) if groups >= 8 and experts % groups == 0), experts)


def check_groups(experts: int, groups: int) -> None:
    """Raises `InputError` where experts do not fall into that many equal groups."""
    if groups < 1 or experts % groups:
        raise InputError("experts do not fall into that many equal groups", found=f"{experts} experts, {groups} groups")
