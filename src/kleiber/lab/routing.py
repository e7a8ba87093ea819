"""Which experts the tokens went to, written down while a model trains: a routing trace.

    with RoutingRecorder(trainer.model, every=4) as recorder:
        trainer.train_trunk(400)
    recorder.write("trace.parquet")

One idea: a layer's `route` is wrapped while the block lasts, so that the model itself neither knows nor pays when nothing is
written down. Only training passes count, each a step. A compiled model must not be recorded: its
graph would be broken at every layer.

Shapes: S recorded steps, L layers of experts, E experts, N tokens of a step, C chosen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from kleiber.errors import InputError
from kleiber.lab.models.experts import Experts

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


class RoutingRecorder:
    """The choices of every layer of experts of a model, in each `every`-th training step from `first_step`."""

    def __init__(self, model: nn.Module, *, every: int = 1, first_step: int = 0) -> None:
        self._layers = [part for part in model.modules() if isinstance(part, Experts)]
        if not self._layers:
            raise InputError("there are no experts to watch", remedy="record a model of the family experts")
        if any(layer.setting.balance == "expert-choice" for layer in self._layers):
            raise InputError(
                "experts that choose their tokens take the same number each: there is nothing to write down",
                remedy="record a model with another balance",
            )
        self._every, self._first = every, first_step
        self._seen = [0] * len(self._layers)
        self._chosen: list[list[NDArray[np.uint16]]] = [[] for _ in self._layers]

    def __enter__(self) -> RoutingRecorder:
        for number, layer in enumerate(self._layers):
            layer.route = self._noted(number, layer)  # type: ignore[method-assign]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for layer in self._layers:
            # What remains is the method of the class.
            del layer.route

    def _noted(self, number: int, layer: Experts) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        route = layer.route

        def noted(stream_NW: Tensor) -> tuple[Tensor, Tensor]:
            weight_NC, chosen_NC = route(stream_NW)
            if layer.training:
                if self._seen[number] % self._every == 0:
                    self._chosen[number].append(chosen_NC.cpu().numpy().astype(np.uint16))
                self._seen[number] += 1
            return weight_NC, chosen_NC

        return noted

    def steps(self) -> NDArray[np.int64]:
        """The recorded steps, `(S,)`."""
        return self._first + self._every * np.arange(len(self._chosen[0]))

    def choices(self) -> NDArray[np.uint16]:
        """The experts of every token, `(S, L, N, C)`, best first."""
        return np.stack([np.stack(layer) for layer in self._chosen], axis=1)

    def counts(self) -> NDArray[np.int64]:
        """How many choices fell on each expert, `(S, L, E)`."""
        experts = self._layers[0].setting.count
        return np.stack(
            [[np.bincount(step.reshape(-1), minlength=experts) for step in layer] for layer in self._chosen], axis=1
        )

    def table(self) -> pa.Table:
        """The counts as a table with the columns step, layer, expert and count, idle experts with 0."""
        import pyarrow as pa

        count_SLE = self.counts()
        step, layer, expert = (axis.reshape(-1) for axis in np.indices(count_SLE.shape))
        columns = {
            "step": pa.array(self.steps()[step], pa.int32()),
            "layer": pa.array(layer, pa.int16()),
            "expert": pa.array(expert, pa.int16()),
            "count": pa.array(count_SLE.reshape(-1), pa.int32()),
        }
        first = self._chosen[0][0]
        facts = {"kleiber.tokens_per_step": str(len(first)), "kleiber.chosen": str(first.shape[1])}
        return pa.table(columns).replace_schema_metadata(facts)

    def write(self, path: str | Path) -> None:
        """Write the counts as Parquet, or as an array `(S, L, E)` where the name ends in .npy; atomically."""
        import pyarrow.parquet as pq

        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        if target.suffix == ".npy":
            with temporary.open("wb") as file:
                np.save(file, self.counts())
        else:
            pq.write_table(self.table(), temporary, compression="zstd")
        temporary.replace(target)
