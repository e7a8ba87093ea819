"""Rows to their ranks: an all-to-all in which every pair of ranks moves what it has to, and the way back for gradients.

Shapes: rows (S, W); D numbers of rows sent to and received from each rank.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from kleiber.lab.expert_parallel.clock import Clock


def exchange(rows_SW: Tensor, sent_D: list[int], received_D: list[int], clock: Clock | None) -> Tensor:
    """The rows that other ranks sent here, in the order of the ranks; `rows_SW` lie in the order of the ranks they go to."""
    return _Exchange.apply(rows_SW, sent_D, received_D, clock)


def exchange_counts(count_S: Tensor, slots_D: list[int], own_slots: int) -> Tensor:
    """From every rank how many rows come to each slot here, `(ranks, own slots)`, from how many go from here to each slot."""
    found = count_S.new_empty(len(slots_D) * own_slots)
    dist.all_to_all_single(found, count_S, [own_slots] * len(slots_D), slots_D)
    return found.view(len(slots_D), own_slots)


def _move(rows_SW: Tensor, sent_D: list[int], received_D: list[int], clock: Clock | None) -> Tensor:
    if clock is not None:
        clock.arrive()
    moved = rows_SW.new_empty(sum(received_D), rows_SW.shape[1])
    dist.all_to_all_single(moved, rows_SW.contiguous(), received_D, sent_D)
    if clock is not None:
        clock.leave()
    return moved


class _Exchange(torch.autograd.Function):
    """Gradients go back the way the rows came."""

    @staticmethod
    def forward(ctx: Any, rows_SW: Tensor, sent_D: list[int], received_D: list[int], clock: Clock | None) -> Tensor:
        ctx.way = sent_D, received_D, clock
        return _move(rows_SW, sent_D, received_D, clock)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None, None]:
        sent_D, received_D, clock = ctx.way
        return _move(gradients[0], received_D, sent_D, clock), None, None, None
