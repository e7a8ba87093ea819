"""Where the experts of a layer sit: a placement as three arrays, and which seat each token is sent to.

An expert may sit in several slots; of its tokens each slot serves its share. Of n tokens of an expert in order, token k (from 0)
goes to the first replica whose cumulative share reaches (k + 1/2) / n: the split is exact to within one token, and needs neither
random numbers nor a word between ranks.

Shapes: E experts, S slots over all ranks, L slots of one rank, N choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from kleiber.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Seats:
    """A placement: `expert_of_slot_S`, `device_of_slot_S` and `share_S`, slots in the order of their devices.

    Build it with `seats`, which checks and sorts.
    """

    experts: int
    devices: int
    expert_of_slot_S: NDArray[np.int64]
    device_of_slot_S: NDArray[np.int64]
    share_S: NDArray[np.float64]

    def of_device(self, device: int) -> NDArray[np.int64]:
        """The experts in a device's slots, `(L,)`."""
        return self.expert_of_slot_S[self.device_of_slot_S == device]

    @property
    def slots_D(
        self,
    ) -> NDArray[np.int64]:
        """How many slots each device has."""
        return np.bincount(self.device_of_slot_S, minlength=self.devices)

    def slot_of(self, expert_N: Tensor) -> Tensor:
        """The slot that serves each choice, `(N,)`: every replica its share of its expert's choices, to within one."""
        order_S = np.lexsort((np.arange(len(self.share_S)), self.expert_of_slot_S))
        expert_S = self.expert_of_slot_S[order_S]
        first_S = np.r_[True, expert_S[1:] != expert_S[:-1]]
        total_S = np.cumsum(self.share_S[order_S])
        before_S = (total_S - self.share_S[order_S])[
            np.maximum.accumulate(np.where(first_S, np.arange(len(first_S)), 0))
        ]
        reach_S = expert_S + np.minimum(total_S - before_S, 1.0)
        # Rounding must not leave the last token without a seat.
        reach_S[np.r_[first_S[1:], True]] = expert_S[np.r_[first_S[1:], True]] + 1.0
        device = expert_N.device
        place_N = expert_N + _middle(expert_N, self.experts)
        found_N = torch.searchsorted(torch.from_numpy(reach_S).to(device), place_N)
        return torch.from_numpy(order_S).to(device)[found_N]


def _middle(expert_N: Tensor, experts: int) -> Tensor:
    """For each choice (k + 1/2) / n, where it is the k-th of its expert's n."""
    order_N = expert_N.argsort(stable=True)
    count_E = torch.bincount(expert_N, minlength=experts)
    sorted_N = expert_N[order_N]
    number_N = torch.arange(len(expert_N), device=expert_N.device) - (count_E.cumsum(0) - count_E)[sorted_N]
    middle_N = torch.empty(len(expert_N), dtype=torch.float64, device=expert_N.device)
    middle_N[order_N] = (number_N.double() + 0.5) / count_E[sorted_N]
    return middle_N


def seats(
    expert_of_slot: ArrayLike, device_of_slot: ArrayLike, share: ArrayLike, *, experts: int, devices: int
) -> Seats:
    """A checked placement of `experts` on `devices`, from three arrays with an entry per slot.

    Raises `InputError` where lengths differ, a number is out of range, an expert sits nowhere, shares are negative or do not sum
    to one, or a device has no slot.

    >>> seats([0, 1, 1], [0, 0, 1], [1.0, 0.25, 0.75], experts=2, devices=2).of_device(0)
    array([0, 1])
    """
    expert_S, device_S = np.asarray(expert_of_slot, dtype=np.int64), np.asarray(device_of_slot, dtype=np.int64)
    share_S = np.asarray(share, dtype=np.float64)
    if not expert_S.shape == device_S.shape == share_S.shape == (expert_S.size,):
        raise InputError(
            "a placement is three lists of one length", found=f"{expert_S.shape}, {device_S.shape}, {share_S.shape}"
        )
    for name, number_S, end in (("expert", expert_S, experts), ("device", device_S, devices)):
        missing = sorted(set(range(end)) - set(number_S.tolist()))
        beyond = sorted(set(number_S.tolist()) - set(range(end)))
        if missing or beyond:
            raise InputError(
                f"every {name} needs a slot, and no other may have one",
                found=f"without a slot {missing[:5]}, unknown {beyond[:5]}",
                expected=f"{name}s 0 to {end - 1}",
            )
    sum_E = np.bincount(expert_S, weights=share_S, minlength=experts)
    if (share_S < 0).any() or not np.allclose(sum_E, 1.0, atol=1e-6):
        worst = int(np.abs(sum_E - 1).argmax())
        raise InputError("an expert's shares must sum to one", found=f"{sum_E[worst]:g} for expert {worst}")
    order_S = device_S.argsort(kind="stable")
    return Seats(
        experts=experts,
        devices=devices,
        expert_of_slot_S=expert_S[order_S],
        device_of_slot_S=device_S[order_S],
        share_S=share_S[order_S],
    )
