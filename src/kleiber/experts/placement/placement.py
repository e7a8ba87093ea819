"""Placement: which replica sits in which slot of which device, with which share of its expert's tokens.

One idea: slots are numbered once for all layers, device by device, so a placement of L layers is two arrays over layers and
slots (which expert, which share), and everything asked of it (loads, balance, what must move) is arithmetic on these two.

Shapes: L layers, E experts, G devices, N slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.experts.cluster import Cluster

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EMPTY = -1


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where every replica is, and what that is worth on the loads it was made for.

    `expert_LN`: the expert in each slot, -1 where it is empty; `share_LN`: the part of the expert's tokens that this replica
    serves (adding up to 1 per expert); `load_LE`: the loads it was made for; `bound_L`: a balancedness that no placement can
    exceed.

    >>> two = Placement(policy="by hand", cluster=Cluster.of(1, 2, 2), expert_LN=np.array([[0, 1, 2, 0]]),
    ...                 share_LN=np.array([[0.5, 1, 1, 0.5]]), load_LE=np.array([[2.0, 1, 1]]), bound_L=np.ones(1))
    >>> two.device_load_LG()
    array([[2., 2.]])
    >>> two.balancedness_L()
    array([1.])
    """

    policy: str
    cluster: Cluster
    expert_LN: Ints
    share_LN: Floats
    load_LE: Floats
    bound_L: Floats

    @property
    def layers(self) -> int:
        """L."""
        return self.expert_LN.shape[0]

    @property
    def experts(self) -> int:
        """E."""
        return self.load_LE.shape[1]

    def slot_load_LN(self, load_LE: Floats | None = None) -> Floats:
        """What each replica serves of `load_LE` (by default what the placement was made for)."""
        return by_slot(self.load_LE if load_LE is None else load_LE, self.expert_LN) * self.share_LN

    def device_load_LG(self, load_LE: Floats | None = None) -> Floats:
        """What each device serves."""
        return served_by_device(self.slot_load_LN(load_LE), self.cluster.device_N, self.cluster.devices)

    def balancedness_L(self, load_LE: Floats | None = None) -> Floats:
        """Mean over longest time of a device, per layer: (sum load / sum speed) / max(load / speed)."""
        return balancedness(self.device_load_LG(load_LE), self.cluster.speed_G)

    @property
    def balancedness(self) -> float:
        """The mean over layers."""
        return float(self.balancedness_L().mean())

    @property
    def gap_L(self) -> Floats:
        """How far each layer may at most be from the best placement: bound less balancedness."""
        return np.maximum(self.bound_L - self.balancedness_L(), 0.0)

    def longest_L(self, load_LE: Floats | None = None) -> Floats:
        """The load of the busiest device over its speed, per layer."""
        load_LG, speed_G = self.device_load_LG(load_LE), self.cluster.speed_G
        return np.divide(load_LG, speed_G, out=np.zeros_like(load_LG), where=speed_G > 0).max(axis=1)

    def to_json(self) -> dict[str, Any]:
        """The placement as `kleiber/placement/1`, without the seconds it took. Empty slots are left out."""
        balancedness_L, gap_L = self.balancedness_L(), self.gap_L
        layers = []
        for layer in range(self.layers):
            used_N = self.expert_LN[layer] >= 0
            layers.append(
                {
                    "physical_to_logical": self.expert_LN[layer, used_N].tolist(),
                    "device_of_slot": self.cluster.device_N[used_N].tolist(),
                    "share": self.share_LN[layer, used_N].tolist(),
                    "balancedness": float(balancedness_L[layer]),
                    "bound": float(self.bound_L[layer]),
                    "gap": float(gap_L[layer]),
                }
            )
        return {
            "schema": "kleiber/placement/1",
            "policy": self.policy,
            "layers": layers,
            "balancedness": float(balancedness_L.mean()),
        }


def by_slot(value_LE: Floats, expert_LN: Ints) -> Floats:
    """What belongs to the expert of each slot, 0 in empty slots."""
    return np.where(expert_LN >= 0, np.take_along_axis(value_LE, np.maximum(expert_LN, 0), axis=1), 0.0)


def served_by_device(load_LN: Floats, device_N: Ints, devices: int) -> Floats:
    """Loads of slots added up by device."""
    key_LN = np.arange(len(load_LN))[:, None] * devices + device_N
    served = np.bincount(key_LN.ravel(), weights=load_LN.ravel(), minlength=len(load_LN) * devices)
    return served.astype(np.float64, copy=False).reshape(len(load_LN), devices)


def balancedness(load_LG: Floats, speed_G: Floats) -> Floats:
    """(sum load / sum speed) / max(load / speed) over the last axis; devices of speed 0 serve nothing and are left out.

    >>> balancedness(np.array([[3.0, 1.0], [0.0, 0.0]]), np.ones(2))
    array([0.66666667, 1.        ])
    """
    alive_G = speed_G > 0
    longest_L = (load_LG[..., alive_G] / speed_G[alive_G]).max(axis=-1)
    mean_L = load_LG[..., alive_G].sum(axis=-1) / speed_G.sum()
    return np.divide(mean_L, longest_L, out=np.ones_like(mean_L), where=longest_L > 0)
