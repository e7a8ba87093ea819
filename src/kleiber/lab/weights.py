"""All weights of a model in one vector, and AdamW over it, with one learning rate for each stretch of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from kleiber.lab.models.roles import rate_and_decay, role
from kleiber.lab.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray


Stretch = tuple[tuple[float, float], list[tuple[str, nn.Parameter]]]
"""A rate and a decay, and the named tensors that have them."""


def layout(model: nn.Module, recipe: Recipe, *, width: int) -> list[Stretch]:
    """In which order a model's tensors lie in the vector: those of one rate and decay together, otherwise the model's order."""
    stretches: dict[tuple[float, float], list[tuple[str, nn.Parameter]]] = {}
    for name, weight in model.named_parameters():
        stretches.setdefault(rate_and_decay(role(name, weight.dim()), recipe, width), []).append((name, weight))
    return list(stretches.items())


class Weights:
    """Weights, gradients and moments of a model as vectors `(P,)`; the model's own tensors become views into them.

    Tensors of one rate and decay lie side by side, otherwise in the model's order: with a single rate the layout is the
    model's own.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, *, width: int) -> None:
        self.recipe = recipe
        laid = layout(model, recipe, width=width)
        weights = [weight for _, group in laid for _, weight in group]
        self.flat = torch.cat([weight.detach().reshape(-1) for weight in weights]).requires_grad_()
        self.gradient = self.flat.grad = torch.zeros_like(self.flat)
        self.first, self.second = torch.zeros_like(self.gradient), torch.zeros_like(self.gradient)
        begin = 0
        stretches: list[tuple[tuple[float, float], int, int]] = []
        for rate, group in laid:
            end = self._lay(begin, [weight for _, weight in group])
            stretches.append((rate, begin, end))
            begin = end
        self._steps: list[torch.Tensor] = []
        self._scales = [scale for (scale, _), _, _ in stretches]
        self._optimiser = self._adam(stretches)

    def _lay(self, begin: int, weights: list[nn.Parameter]) -> int:
        for weight in weights:
            end = begin + weight.numel()
            weight.data = self.flat.detach()[begin:end].view_as(weight)
            weight.grad = self.gradient[begin:end].view_as(weight)
            begin = end
        return begin

    def _adam(self, stretches: list[tuple[tuple[float, float], int, int]]) -> torch.optim.AdamW:
        groups, states = [], {}
        for (_, decay), begin, end in stretches:
            part = self.flat.detach()[begin:end].requires_grad_()
            part.grad = self.gradient[begin:end]
            steps = torch.zeros((), dtype=torch.float32, device=part.device)
            self._steps.append(steps)
            states[part] = {"step": steps, "exp_avg": self.first[begin:end], "exp_avg_sq": self.second[begin:end]}
            groups.append({"params": [part], "weight_decay": decay})
        betas = (self.recipe.beta1, self.recipe.beta2)
        optimiser = torch.optim.AdamW(groups, lr=self.recipe.lr, betas=betas, fused=True)
        optimiser.state.update(states)
        return optimiser

    def step(self, lr: float) -> None:
        """Clip the gradient as a whole, move every stretch at its rate, and forget the gradient."""
        torch.nn.utils.clip_grad_norm_([self.flat], self.recipe.clip_norm)
        for group, scale in zip(self._optimiser.param_groups, self._scales, strict=True):
            group["lr"] = lr * scale
        self._optimiser.step()
        self.gradient.zero_()

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Copies of the weights and of AdamW's two moments, `(P,)` each."""
        return array(self.flat), array(self.first), array(self.second)

    def restore(
        self, weights_P: NDArray[np.float32], first_P: NDArray[np.float32], second_P: NDArray[np.float32], *, step: int
    ) -> None:
        """Go to where a run stood after `step` steps."""
        with torch.no_grad():
            self.flat.copy_(torch.from_numpy(weights_P))
            self.first.copy_(torch.from_numpy(first_P))
            self.second.copy_(torch.from_numpy(second_P))
            for steps in self._steps:
                steps.fill_(step)


def array(vector: torch.Tensor) -> NDArray[np.float32]:
    """A copy in this process's memory."""
    return vector.detach().cpu().numpy().copy()
