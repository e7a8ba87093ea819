"""The ranks of one run: several processes, as `torchrun` starts them, joined in one group.

A batch of B windows is cut into equal stretches, one a rank. Each rank's loss is the mean over its stretch, so the mean of the
ranks' gradients is the gradient of the whole batch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from kleiber.errors import InputError, KleiberError
from kleiber.lab.parallel.sharded import ShardedWeights
from kleiber.lab.ranks import Rows
from kleiber.lab.recipe import Recipe

SILENCE_SECONDS = 1800
"""How long a rank waits for the others: the slowest must have read its corpus by then."""


class LostRank(KleiberError):  # noqa: N818 - it names what happened
    """Another rank went while this one waited for it."""


class Together:
    """This process's place among the ranks of a run."""

    def __init__(self, mesh: DeviceMesh) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self.leads = self.rank == 0
        self._mesh = mesh

    def weights(self, model: nn.Module, recipe: Recipe, *, width: int) -> ShardedWeights:
        """A part of every tensor on each rank."""
        return ShardedWeights(model, recipe, width=width, mesh=self._mesh)

    def share(self, rows_B: Rows) -> Rows:
        """This rank's equal stretch of a batch; raises `InputError` where it does not divide."""
        if len(rows_B) % self.count:
            raise InputError(
                "a batch cannot be split evenly",
                found=f"{len(rows_B)} windows over {self.count} processes",
                remedy="take a number of processes that divides batch_windows",
            )
        each = len(rows_B) // self.count
        return rows_B[self.rank * each : (self.rank + 1) * each]

    def average(self, tensor: Tensor) -> Tensor:
        """The mean over ranks, the same bits on each."""
        total = tensor.clone()
        dist.all_reduce(total)
        return total / self.count

    def agree(self, number: int) -> int:
        """The first rank's number."""
        told = torch.tensor([number], device=self._mesh.device_type)
        dist.broadcast(told, src=0)
        return int(told.item())


@contextmanager
def together() -> Iterator[Together]:
    """Join the ranks that `torchrun` has started, for as long as the block lasts.

    Raises `InputError` outside `torchrun`, and `LostRank` where a rank is lost on the way.
    """
    if "RANK" not in os.environ:
        raise InputError(
            "no ranks are waiting for this process",
            remedy="start it by torchrun: torchrun --nproc-per-node 2 -m kleiber.lab.parallel LADDER.toml",
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=timedelta(seconds=SILENCE_SECONDS))
    try:
        yield Together(init_device_mesh(device, (dist.get_world_size(),)))
    except RuntimeError as error:
        if not _lost(error):
            raise
        raise LostRank(f"another process of the run was lost: {str(error).splitlines()[0]}") from error
    finally:
        dist.destroy_process_group()


def leave_at_once(exit_code: int) -> NoReturn:
    """End this process without the interpreter's own clearing up: the only safe way out after a `LostRank`.

    A backend whose connection broke may still have a thread at work, and that thread, met by an interpreter that is shutting
    down, ends the process by `std::terminate`: SIGABRT in place of the exit code, now and then.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _lost(error: RuntimeError) -> bool:
    """Whether an error is the end of a connection: gloo has no type for it."""
    words = ("closed by peer", "reset by peer", "timed out", "no longer alive", "broken pipe", "connection refused")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)
