"""The weights of a run cut over ranks by FSDP2, under the same AdamW, clipping and rates as in one process.

One process keeps all weights in one vector, which makes AdamW one fused call. FSDP2 cuts every tensor along its first axis into
a `DTensor`, which cannot be a view into such a vector. So here AdamW has a group for each stretch of that vector (one rate and
decay) with the stretch's tensors in it. AdamW works entry by entry and clipping takes the norm over all entries, so both are the
same arithmetic but for the order of sums. Cutting the vector itself would have been shorter, but would keep whole weights and
gradients on every rank: FSDP2 holds one block's at a time, which is what a run too large for one device needs.

`vectors` and `restore` speak the layout of one process, so that a checkpoint fits either. Source: PyTorch 2.13, `fully_shard`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from kleiber.lab.recipe import Recipe
from kleiber.lab.weights import array, layout

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ShardedWeights:
    """This rank's part of weights, gradients and moments."""

    def __init__(self, model: nn.Module, recipe: Recipe, *, width: int, mesh: DeviceMesh) -> None:
        self._clip_norm = recipe.clip_norm
        laid = [(rate, [name for name, _ in group]) for rate, group in layout(model, recipe, width=width)]
        _cut(model, mesh)
        named = dict(model.named_parameters())
        groups = [{"params": [named[name] for name in names], "weight_decay": decay} for (_, decay), names in laid]
        self._scales = [scale for (scale, _), _ in laid]
        self._weights = [weight for group in groups for weight in group["params"]]
        betas = (recipe.beta1, recipe.beta2)
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.lr, betas=betas, fused=True)
        for weight in self._weights:
            steps = torch.zeros((), dtype=torch.float32, device=weight.device)
            first, second = torch.zeros_like(weight), torch.zeros_like(weight)
            self._optimiser.state[weight] = {"step": steps, "exp_avg": first, "exp_avg_sq": second}

    def step(self, lr: float) -> None:
        """Clip the gradient as a whole, move every group at its rate, and forget the gradient."""
        torch.nn.utils.clip_grad_norm_(self._weights, self._clip_norm)
        for group, scale in zip(self._optimiser.param_groups, self._scales, strict=True):
            group["lr"] = lr * scale
        self._optimiser.step()
        self._optimiser.zero_grad()

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Weights and AdamW's two moments, gathered, `(P,)` each; every rank must ask."""
        states = [self._optimiser.state[weight] for weight in self._weights]
        parts = (self._weights, [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states])
        weights_P, first_P, second_P = (array(torch.cat([_whole(part) for part in group])) for group in parts)
        return weights_P, first_P, second_P

    def restore(
        self, weights_P: NDArray[np.float32], first_P: NDArray[np.float32], second_P: NDArray[np.float32], *, step: int
    ) -> None:
        """Go to where a run stood after `step` steps."""
        begin = 0
        for weight in self._weights:
            state, end = self._optimiser.state[weight], begin + weight.numel()
            held = (weight, state["exp_avg"], state["exp_avg_sq"])
            for tensor, vector_P in zip(held, (weights_P, first_P, second_P), strict=True):
                _put(tensor, vector_P[begin:end])
            state["step"].fill_(step)
            begin = end


def _cut(model: nn.Module, mesh: DeviceMesh) -> None:
    """Each block by itself, so that one is whole at a time, then the rest."""
    for part in (*model.get_submodule("blocks").children(), model):
        fully_shard(part, mesh=mesh)
        assert isinstance(part, FSDPModule)
        # Summed, then divided: gloo cannot average.
        part.set_force_sum_reduction_for_comms(True)


@torch.no_grad()
def _whole(tensor: Tensor) -> Tensor:
    assert isinstance(tensor, DTensor)
    return tensor.full_tensor().reshape(-1)


@torch.no_grad()
def _put(tensor: Tensor, whole_N: NDArray[np.float32]) -> None:
    assert isinstance(tensor, DTensor)
    whole = torch.from_numpy(whole_N.copy()).view(tensor.shape).to(tensor.device)
    # Every rank has read the same file: nothing need be sent.
    tensor.copy_(distribute_tensor(whole, tensor.device_mesh, [Shard(0)], src_data_rank=None))
