"""Several models of one shape as one batched model, by `torch.func`: losses and gradients of all from one pass.

One idea: a tiny model leaves most of an accelerator idle, and K of them stacked along a first axis are K times the work in as
many kernel launches as one. On a processor nothing is idle, so the lab trains them one by one in processes; which is quicker on
a GPU, `benchmarks/lab_throughput.py` measures there.

Shapes: K models, B windows, T bytes of context, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Stack:
    """K models of one shape: their parameters and buffers side by side under the names of one, and that one as a bare form."""

    form: nn.Module
    weights: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @staticmethod
    def of(models: Sequence[nn.Module]) -> Stack:
        """Copies of the models' weights, each `(K, ...)`."""
        weights, buffers = stack_module_state(list(models))
        return Stack(form=copy.deepcopy(models[0]).to("meta"), weights=weights, buffers=buffers)

    def gradients(self, input_KBT: Tensor, target_KBT: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Gradients `(K, ...)` by name, and mean losses `(K,)` in nats per token, every model on its own batch."""

        def loss(weights: dict[str, Tensor], buffers: dict[str, Tensor], input_BT: Tensor, target_BT: Tensor) -> Tensor:
            logits_BTV = functional_call(self.form, (weights, buffers), (input_BT,))
            return functional.cross_entropy(logits_BTV.float().flatten(0, 1), target_BT.flatten())

        return vmap(grad_and_value(loss))(self.weights, self.buffers, input_KBT, target_KBT)
