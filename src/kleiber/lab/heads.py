"""Where each head of a lab's model looks, and what tokens cost by their place in the context: what induction shows in.

The way the data takes: halves of tokens, each said twice, or followed by another -> the attention of every head, the mean over
such sequences; windows of held-out text -> the loss at each place. `kleiber diagnose induction` and `in-context`, and
`kleiber.diagnose.emergence.Onset` over training, take it from there: they know of arrays only.

The one idea: attention is computed without being kept, so what a head read is caught on its way in and its weights are computed
again.

Shapes: B sequences, W windows, T places, H heads of all blocks, S places of a half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kleiber.errors import InputError
from kleiber.lab.activations import still
from kleiber.lab.models import attention as grouped
from kleiber.lab.models import dense
from kleiber.lab.models.causal_attention import weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from kleiber.lab.train import Trainer

See = Callable[[int, "NDArray[np.float32]", "NDArray[np.float32]", "NDArray[np.float32]"], object]
"""Is told the step, losses `(W, T)`, attention `(H, 2 S, 2 S)` on what stands twice, and on what does not."""
KINDS = (dense.Attention, grouped.Attention)
AT_ONCE = 64


def twice(half_BS: NDArray[np.integer]) -> NDArray[np.int64]:
    """Sequences whose second half repeats the first, `(B, 2 S)`.

    >>> twice(np.array([[5, 3]])).tolist()
    [[5, 3, 5, 3]]
    """
    return np.concatenate([half_BS, half_BS], axis=1).astype(np.int64)


def not_twice(half_BS: NDArray[np.integer]) -> NDArray[np.int64]:
    """The control: each half followed by that of another sequence, `(B, 2 S)`, so that all is alike but the repetition.

    >>> not_twice(np.array([[5, 3], [4, 2]])).tolist()
    [[5, 3, 4, 2], [4, 2, 5, 3]]
    """
    if len(half_BS) < 2:
        raise InputError("a control needs two sequences or more", found=len(half_BS))
    return np.concatenate([half_BS, np.roll(half_BS, -1, axis=0)], axis=1).astype(np.int64)


def random_halves(text: NDArray[np.integer], *, places: int, sequences: int, seed: int = 0) -> NDArray[np.int64]:
    """`sequences` of different tokens drawn at random from those that the text holds, `(B, S)`.

    Fewer than `places` where the text has not so many different ones. Different, so that each has one place to look at; of the
    text, so that a model has seen each.
    """
    known = np.unique(text)
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(known)[:places] for _ in range(sequences)]).astype(np.int64)


def attention(model: nn.Module, token_BT: NDArray[np.integer]) -> NDArray[np.float32]:
    """Weights of every head of the model, block by block, `(H, T, T)`: query by key, the mean over the sequences.

    Raises `InputError` for a model without attention.
    """
    parts = [part for part in model.modules() if isinstance(part, KINDS)]
    if not parts:
        raise InputError(
            "the model has no attention to look at", remedy="the families dense, experts and hybrid have some"
        )
    caught: list[Tensor] = []

    def catch(part: Any, given: tuple[Tensor, ...]) -> None:
        query_BHKT, key_BHKT, _ = part.projected(*given)
        caught.append(weights(query_BHKT.float(), key_BHKT.float()).mean(dim=0))

    with still(model), torch.no_grad():
        hooks = [part.register_forward_pre_hook(catch) for part in parts]
        try:
            model(_on_device(model, token_BT))
        finally:
            for hook in hooks:
                hook.remove()
    return torch.cat(caught).cpu().numpy()


def losses(model: nn.Module, window_WT1: NDArray[np.integer]) -> NDArray[np.float32]:
    """Nats of every token of the windows but each one's first, `(W, T)`."""
    found = []
    with still(model), torch.no_grad():
        for begin in range(0, len(window_WT1), AT_ONCE):
            token_WT = _on_device(model, window_WT1[begin : begin + AT_ONCE])
            logits_WVT = model(token_WT[:, :-1]).float().mT
            found.append(functional.cross_entropy(logits_WVT, token_WT[:, 1:], reduction="none").cpu().numpy())
    return np.concatenate(found)


def held_out_windows(documents: Sequence[NDArray[np.integer]], *, context: int, most: int) -> NDArray[np.int64]:
    """Windows of `context + 1` tokens of held-out documents, spread evenly over them, at most so many, `(W, T + 1)`.

    Raises `InputError` where no document is that long.
    """
    cut = [text[at : at + context + 1] for text in documents for at in range(0, text.size - context, context)]
    if not cut:
        raise InputError("no held-out document fills a window", found=f"context {context}")
    chosen = np.unique(np.linspace(0, len(cut) - 1, min(most, len(cut))).round().astype(int))
    return np.stack([cut[at] for at in chosen]).astype(np.int64)


class HeadWatcher:
    """Tells somebody of heads and losses every few steps; a listener of the lab's trainer, or called by any loop."""

    def __init__(self, see: See, *, window_WT1: NDArray[np.integer], half_BS: NDArray[np.integer], every: int) -> None:
        if every < 1:
            raise InputError("a watcher looks every so many steps", found=every)
        self._see, self._every = see, every
        self._window_WT1 = window_WT1
        self._twice_BT, self._control_BT = twice(half_BS), not_twice(half_BS)

    def look(self, model: nn.Module, step: int) -> None:
        """Tell of the model as it stands at a step, where the step is due."""
        if step % self._every == 0:
            looks = (attention(model, self._twice_BT), attention(model, self._control_BT))
            self._see(step, losses(model, self._window_WT1), *looks)

    def __call__(self, trainer: Trainer, lr: float, loss: Tensor) -> None:
        """A step of the lab's trainer was taken."""
        self.look(trainer.model, trainer.step)

    def end(self, row: Mapping[str, Any] | None) -> None:
        """The run is over."""


def _on_device(model: nn.Module, token_BT: NDArray[np.integer]) -> Tensor:
    device = next(model.parameters()).device
    return torch.from_numpy(np.ascontiguousarray(token_BT, dtype=np.int64)).to(device)
