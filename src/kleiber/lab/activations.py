"""Activations of any PyTorch module as an array (inputs x units): forward hooks on its layers, a sample of the units kept.

The way the data takes: a module and inputs -> a forward pass in evaluation mode -> what each layer gave, one column per unit ->
the same sampled columns of every batch -> NumPy. `kleiber diagnose topology` and `kleiber.diagnose.topology` take it from
there: they know of arrays only.

Shapes: N inputs (or tokens), U units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kleiber.errors import InputError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Activations:
    """`values_NU`: one row per input; `units`: what each column is, `layer[index]`; `total`: how many units there were."""

    values_NU: NDArray[np.float32]
    units: tuple[str, ...]
    total: int


def activations(
    model: nn.Module,
    inputs: Tensor,
    *,
    layers: Sequence[str] = (),
    units: int | None = None,
    tokens: bool = False,
    batch: int = 256,
    seed: int = 0,
) -> Activations:
    """Run `inputs` (training inputs, `(N, ...)`) through the model and keep what its layers give.

    `layers`: names as in `model.named_modules()`; by default every layer without layers of its own, but for the last one, whose
    outputs are the answer. `units`: that many columns, drawn at random and the same for every batch. Each entry of what a layer
    gives for an input is a unit, so that a map of a convolution counts once per place; with `tokens` the second axis is a
    series of inputs, and each token a row. The model is left as it was, in the mode it was in. Raises `InputError` for a name
    that is no layer, and where layers give no numbers.

    >>> net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    >>> found = activations(net, torch.zeros(4, 3), units=6)
    >>> found.values_NU.shape, found.total
    ((4, 6), 10)
    """
    watched = _watched(model, layers)
    rng = np.random.default_rng(seed)
    rows: list[NDArray[np.float32]] = []
    names: list[str] = []
    chosen: NDArray[np.intp] | None = None
    for begin in range(0, len(inputs), batch):
        seen = _seen(model, inputs[begin : begin + batch], watched, tokens=tokens)
        if not seen:
            raise InputError(
                "no layer gave numbers for each input", found=", ".join(watched) or "no layers", where="the model"
            )
        if chosen is None:
            names = [f"{name}[{place}]" for name, part in seen.items() for place in range(part.shape[1])]
            every = len(names) if units is None else min(units, len(names))
            chosen = np.sort(rng.choice(len(names), size=every, replace=False))
        rows.append(torch.cat(list(seen.values()), dim=1)[:, torch.from_numpy(chosen)].cpu().numpy())
    if chosen is None:
        raise InputError("there are no inputs", found=f"shape {tuple(inputs.shape)}")
    return Activations(values_NU=np.concatenate(rows), units=tuple(names[place] for place in chosen), total=len(names))


class Watcher:
    """Tells somebody of a model's activations every few steps; a listener of the lab's trainer, or called by any loop.

    `see(step, draw)` is told the step and a function that gives `(inputs, units)`: who finds no time for it need not call it.
    Each time other inputs and other units are drawn, so that one look says nothing about the error of the next.
    """

    def __init__(
        self,
        see: Callable[[int, Callable[[], NDArray[np.float32]]], object],
        inputs: Tensor,
        *,
        every: int,
        rows: int = 256,
        units: int = 128,
        layers: Sequence[str] = (),
        tokens: bool = False,
        seed: int = 0,
    ) -> None:
        if every < 1 or rows < 1:
            raise InputError("a watcher looks every so many steps at so many inputs", found=f"{every} and {rows}")
        self._see, self._inputs, self._every, self._rows = see, inputs, every, rows
        self._units, self._layers, self._tokens, self._seed = units, tuple(layers), tokens, seed

    def look(self, model: nn.Module, step: int) -> None:
        """Tell of the model as it stands at a step, where the step is due."""
        if step % self._every == 0:
            self._see(step, lambda: self._draw(model, step))

    def __call__(self, trainer: object, lr: float, loss: Tensor) -> None:
        """A step of the lab's trainer was taken."""
        model, step = getattr(trainer, "model", None), getattr(trainer, "step", None)
        assert isinstance(model, nn.Module)
        assert isinstance(step, int)
        self.look(model, step)

    def end(self, row: object) -> None:
        """The run is over."""

    def _draw(self, model: nn.Module, step: int) -> NDArray[np.float32]:
        rng = np.random.default_rng([self._seed, step])
        some = rng.permutation(len(self._inputs))[: self._rows]
        seed = int(rng.integers(2**31))
        inputs = self._inputs[torch.from_numpy(some).to(self._inputs.device)]
        return activations(
            model, inputs, layers=self._layers, units=self._units, tokens=self._tokens, seed=seed
        ).values_NU


def _watched(model: nn.Module, layers: Sequence[str]) -> dict[str, nn.Module]:
    """The layers by name."""
    known = dict(model.named_modules())
    for name in layers:
        if name not in known:
            raise InputError(
                f"the model has no layer {name}", remedy=did_you_mean(name, [word for word in known if word])
            )
    if layers:
        return {name: known[name] for name in layers}
    leaves = {name: part for name, part in known.items() if not any(True for _ in part.children())}
    return dict(list(leaves.items())[:-1]) or leaves


def _seen(model: nn.Module, inputs: Tensor, watched: dict[str, nn.Module], *, tokens: bool) -> dict[str, Tensor]:
    """What each layer gave, `(rows, units)`; layers that give no floating-point tensor of one row per input are passed over."""
    found: dict[str, Tensor] = {}
    rows = inputs.shape[0] * (inputs.shape[1] if tokens else 1)

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_part: nn.Module, _given: object, gave: object) -> None:
            if isinstance(gave, Tensor) and gave.is_floating_point() and gave.numel() and gave.numel() % rows == 0:
                leads = gave.shape[:2] == inputs.shape[:2] if tokens else gave.shape[0] == rows
                if leads:
                    found[name] = gave.detach().float().reshape(rows, -1)

        return hook

    with still(model), torch.no_grad():
        handles = [part.register_forward_hook(keep(name)) for name, part in watched.items()]
        try:
            model(inputs)
        finally:
            for handle in handles:
                handle.remove()
    return found


@contextmanager
def still(model: nn.Module) -> Iterator[None]:
    """In evaluation mode, then each part in its own mode again."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
