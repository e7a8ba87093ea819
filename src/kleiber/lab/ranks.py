"""Who trains a run: one process alone, or several ranks that share every batch. The trainer asks and does not care which.

One idea: one process differs from many in four questions (which rows are mine, where are the weights, what is the mean over all,
what has the first rank decided), so they are the whole interface. `kleiber.lab.parallel` has the ranks that are many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from torch import Tensor, nn

from kleiber.lab.recipe import Recipe
from kleiber.lab.weights import Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Rows = TypeVar("Rows", "NDArray[np.int64]", Tensor)


class TrainedWeights(Protocol):
    """The weights of a run and the optimiser's moments, wherever they lie."""

    def step(self, lr: float) -> None:
        """Clip the gradient as a whole, move, forget the gradient."""
        ...

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Weights and AdamW's two moments, whole, in the layout of `Weights`."""
        ...

    def restore(
        self, weights_P: NDArray[np.float32], first_P: NDArray[np.float32], second_P: NDArray[np.float32], *, step: int
    ) -> None:
        """Go to where a run stood after `step` steps."""
        ...


class Ranks(Protocol):
    """The processes that train one run; `leads`: this is the one that writes files."""

    leads: bool

    def weights(self, model: nn.Module, recipe: Recipe, *, width: int) -> TrainedWeights:
        """Take the model's weights over."""
        ...

    def share(self, rows_B: Rows) -> Rows:
        """This rank's rows of a batch."""
        ...

    def average(self, tensor: Tensor) -> Tensor:
        """The mean over ranks."""
        ...

    def agree(self, number: int) -> int:
        """The first rank's number."""
        ...


class Alone:
    """One process."""

    leads = True

    def weights(self, model: nn.Module, recipe: Recipe, *, width: int) -> Weights:
        """All weights in one vector."""
        return Weights(model, recipe, width=width)

    def share(self, rows_B: Rows) -> Rows:
        """All of them."""
        return rows_B

    def average(self, tensor: Tensor) -> Tensor:
        """The tensor itself."""
        return tensor

    def agree(self, number: int) -> int:
        """The number itself."""
        return number


ALONE = Alone()
