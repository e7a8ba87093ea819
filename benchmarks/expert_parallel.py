"""A layer of experts over two processes, by each placement: how long ranks wait for the slowest, measured and predicted.

The prediction knows the rows that each rank is sent and two numbers per stretch of work, seconds and seconds per row, fitted on
the placement `as they come` alone. Times are processor time, the least of several steps, so that other programs do not enter.

Run: python benchmarks/expert_parallel.py
"""

from __future__ import annotations

import os
import socket
from importlib.util import find_spec

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from numpy.typing import NDArray
from torch import nn

from kleiber.lab.decoder import DecoderShape, ExpertSetting
from kleiber.lab.expert_parallel.clock import Clock, StepTimes
from kleiber.lab.expert_parallel.layer import SpreadExperts
from kleiber.lab.expert_parallel.seats import Seats, seats
from kleiber.lab.models.experts import Experts
from kleiber.lab.parallel.ranks import together

RANKS, EXPERTS, TOKENS, STEPS = 2, 16, 2048, 12
SETTING = ExpertSetting(count=EXPERTS, chosen=2, granularity=2)
SHAPE = DecoderShape(width=128, depth=1, hidden=384, context=128, experts=SETTING)
EXPERT_STRETCHES = (1, 3)
"""Of the five stretches of a step, those between rows coming and rows leaving: the experts forwards and backwards."""


def layer() -> Experts:
    """The same layer on every rank, its choice tilted so that expert e is chosen the less often the larger e is."""
    found = Experts(SHAPE, SETTING)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in found.parameters():
            weight.normal_(0, 1 / weight.shape[1] ** 0.5, generator=random)
        found.bias_E -= 0.15 * torch.arange(1, EXPERTS + 1).log()
    return found


def tokens(rank: int) -> torch.Tensor:
    """A rank's tokens; the same for every placement."""
    drawn = torch.randn(TOKENS, SHAPE.width, generator=torch.Generator().manual_seed(1 + rank))
    return drawn.requires_grad_()


def placements(load_E: NDArray[np.float64]) -> dict[str, Seats]:
    """The experts as they come, and by every policy of `kleiber.experts` with one spare slot a rank."""
    in_order = [e * RANKS // EXPERTS for e in range(EXPERTS)]
    found = {"as they come": seats(range(EXPERTS), in_order, [1.0] * EXPERTS, experts=EXPERTS, devices=RANKS)}
    if find_spec("kleiber.experts") is None:
        return found
    from kleiber.experts.cluster import Cluster
    from kleiber.experts.placement import POLICIES

    cluster = Cluster(nodes=1, devices_per_node=RANKS, slots=(EXPERTS // RANKS + 1,) * RANKS)
    for policy in POLICIES:
        (placed,) = policy.place(load_E[None], cluster).to_json()["layers"]
        arrays = (placed[key] for key in ("physical_to_logical", "device_of_slot", "share"))
        found[policy.name] = seats(*arrays, experts=EXPERTS, devices=RANKS)
    return found


def measured(placement: Seats, rank: int, clock: Clock) -> tuple[NDArray[np.float64], NDArray[np.float64], StepTimes]:
    """Seconds of work (ranks x stretches), rows served (ranks), and the last step as the wall saw it."""
    spread_out = SpreadExperts(layer(), placement, clock=clock)
    least_RQ: NDArray[np.float64] | None = None
    for _ in range(STEPS):
        nn.Module.zero_grad(spread_out)
        clock.begin()
        spread_out(tokens(rank)).square().mean().backward()
        times = clock.times()
        seen_RQ = times.processor_seconds_RQ
        least_RQ = seen_RQ if least_RQ is None else np.minimum(least_RQ, seen_RQ)
    rows = torch.zeros(RANKS, dtype=torch.float64)
    rows[rank] = float(spread_out.came_L.sum())
    dist.all_reduce(rows)
    assert least_RQ is not None
    return least_RQ, rows.numpy(), times


def idle_fraction(work_RQ: NDArray[np.float64]) -> float:
    """1 - mean / max, stretch by stretch."""
    return float(1 - work_RQ.mean(axis=0).sum() / work_RQ.max(axis=0).sum())


def run(rank: int, port: int) -> None:
    """One rank: measure every placement; the first rank prints."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(RANKS), "RANK": str(rank)}
    torch.set_num_threads(1)
    with together() as ranks:
        whole = layer()
        whole(tokens(rank))
        load_E = (ranks.average(whole.load_E) * RANKS).numpy().astype(float)
        clock = Clock()
        line: NDArray[np.float64] | None = None
        for name, placement in placements(load_E).items():
            work_RQ, rows_R, times = measured(placement, rank, clock)
            if line is None:
                line, usual_Q = np.polyfit(rows_R, work_RQ[:, EXPERT_STRETCHES], 1), work_RQ.mean(axis=0)
            predicted_RQ = np.tile(usual_Q, (RANKS, 1))
            predicted_RQ[:, EXPERT_STRETCHES] = rows_R[:, None] * line[0] + line[1]
            if rank == 0:
                step, foreseen = work_RQ.max(axis=0).sum(), predicted_RQ.max(axis=0).sum()
                print(
                    f"{name}: rows {rows_R.astype(int).tolist()}; step {1e3 * step:.1f} ms, predicted {1e3 * foreseen:.1f} "
                    f"({foreseen / step - 1:+.1%}); idle {idle_fraction(work_RQ):.1%}, predicted "
                    f"{idle_fraction(predicted_RQ):.1%}; moving rows {1e3 * times.exchange_seconds_R.mean():.1f} ms",
                    flush=True,
                )


def main() -> None:
    """Start the ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(run, args=(port,), nprocs=RANKS)


if __name__ == "__main__":
    main()
