"""A model of experts over two processes, by each placement: its step and its waiting, measured and by `experts simulate`.

The way the data takes: a matrix product of the model's shape, and a step of the whole model in one process -> the two speeds of
this processor (of products, of what goes through memory) -> the simulator, which is told nothing more -> the same model with its
experts spread by each placement, the same tokens -> seconds of the slowest rank, and the part that the mean rank waits.

Work is counted as processor time, the least of several steps, stretch by stretch between exchanges, so that other programs do
not enter; moving rows is left out on both sides.

Run: python benchmarks/expert_parallel.py
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace

import numpy as np
import torch
import torch.multiprocessing as mp
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kleiber.cost import Hardware, Practice
from kleiber.cost.efficiency import CALIBRATED
from kleiber.experts.cluster import Cluster
from kleiber.experts.placement import POLICIES
from kleiber.experts.placement.placement import Placement
from kleiber.experts.simulate import Job, Step, simulate
from kleiber.lab.decoder import DecoderShape, ExpertSetting
from kleiber.lab.expert_parallel.clock import Clock
from kleiber.lab.expert_parallel.layer import spread
from kleiber.lab.expert_parallel.seats import seats
from kleiber.lab.models import build
from kleiber.lab.models.experts import Experts
from kleiber.lab.parallel.ranks import together
from kleiber.lab.ranks import Ranks

RANKS, EXPERTS, WINDOWS, CONTEXT, STEPS = 2, 16, 8, 128, 10
SETTING = ExpertSetting(count=EXPERTS, chosen=2, granularity=2)
SHAPE = DecoderShape(width=128, depth=2, hidden=512, context=CONTEXT, experts=SETTING)
CLUSTER = Cluster(nodes=1, devices_per_node=RANKS, slots=(EXPERTS // RANKS + 1,) * RANKS)


def model(shape: DecoderShape) -> nn.Module:
    """The same on every rank, its choice tilted so that expert e is chosen the less often the larger e is."""
    found = build(shape, seed=0)
    with torch.no_grad():
        found.get_submodule("head").weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))  # type: ignore[operator, union-attr]
        for layer in found.modules():
            if isinstance(layer, Experts):
                layer.bias_E -= 0.1 * torch.arange(1, EXPERTS + 1).log()
    return found


def text(rank: int) -> Tensor:
    """A rank's windows; the same for every placement."""
    return torch.randint(0, 256, (WINDOWS, CONTEXT + 1), generator=torch.Generator().manual_seed(2 + rank))


def step(found: nn.Module, text_BT: Tensor) -> None:
    """Forward and backward, no update."""
    found.zero_grad()
    logits_BTV = found(text_BT[:, :-1])
    functional.cross_entropy(logits_BTV.flatten(0, 1), text_BT[:, 1:].reshape(-1)).backward()


def alone(shape: DecoderShape) -> float:
    """Processor seconds of a step of the whole model in one process."""
    found, spent = model(shape), []
    for _ in range(STEPS):
        began = time.thread_time()
        step(found, text(0))
        spent.append(time.thread_time() - began)
    return min(spent)


def product_flops(rows: int, inner: int, columns: int) -> float:
    """FLOP/s of a matrix product."""
    one, other, best = torch.randn(rows, inner), torch.randn(inner, columns), 0.0
    for _ in range(12):
        began = time.thread_time()
        one @ other
        best = max(best, 2 * rows * inner * columns / (time.thread_time() - began))
    return best


def copied_bytes() -> float:
    """Bytes per second read and written by a copy too large for the caches."""
    source = torch.randn(1 << 24)
    target, best = torch.empty_like(source), 0.0
    for _ in range(6):
        began = time.thread_time()
        target.copy_(source)
        best = max(best, 8 * source.numel() / (time.thread_time() - began))
    return best


def job(shape: DecoderShape, core: Hardware, devices: int, *, matmul: float, traffic: float) -> Job:
    """A step of `WINDOWS` windows on each of `devices` processes."""
    reached = replace(CALIBRATED, matmul=matmul, attention=matmul, traffic=traffic)
    return Job(
        shape=shape.cost,
        device=core,
        nodes=1,
        devices_per_node=devices,
        sequences=WINDOWS * devices,
        context=CONTEXT,
        micro_batch=WINDOWS,
        zero=0,
        practice=Practice(overlap=(), efficiency=reached),
    )


def calibrated(seen: dict[str, float]) -> tuple[Hardware, float, float]:
    """This processor, and the parts of its product and of its memory that a step without spreading reaches."""
    flops, bandwidth = seen["flops"], seen["bandwidth"]
    core = Hardware(
        name="core",
        title="one core",
        # The cost model calls its plain precision bf16; here it stands for 32-bit floats.
        flops={"bf16": flops},
        matmul={"bf16": flops},
        memory=8e9,
        bandwidth=bandwidth,
        link=1e9,
        power=0.0,
        source="this benchmark",
        date="",
        verified=True,
        node=RANKS,
    )
    matmul = min(1.0, seen["own_flops"] / flops)
    at = {t: simulate(job(SHAPE, core, 1, matmul=matmul, traffic=t)).compute for t in (1.0, 2.0)}
    traffic = 1.0 + (seen["step"] - at[1.0]) / (at[2.0] - at[1.0])
    return core, matmul, traffic


def measured(placement: Placement, clock: Clock, rank: int) -> NDArray[np.float64]:
    """Seconds of work, (ranks, stretches): the least of several steps."""
    found = model(SHAPE)
    layers = placement.to_json()["layers"]
    keys = ("physical_to_logical", "device_of_slot", "share")
    spread(
        found, [seats(*(layer[key] for key in keys), experts=EXPERTS, devices=RANKS) for layer in layers], clock=clock
    )
    least_RQ: NDArray[np.float64] | None = None
    for _ in range(STEPS):
        clock.begin()
        step(found, text(rank))
        seen_RQ = clock.times().processor_seconds_RQ
        least_RQ = seen_RQ if least_RQ is None else np.minimum(least_RQ, seen_RQ)
    assert least_RQ is not None
    return least_RQ


def row(name: str, work_RQ: NDArray[np.float64], foreseen: Step) -> str:
    """A line of the table: the step of the slowest rank, and what the mean rank waits."""
    seconds, mean = float(work_RQ.max(axis=0).sum()), float(work_RQ.mean(axis=0).sum())
    wanted = foreseen.compute + foreseen.imbalance
    waits, told = 1 - mean / seconds, foreseen.imbalance / wanted
    return (
        f"| {name} | {foreseen.slowest:.3f} | {1e3 * seconds:.1f} ms | {1e3 * wanted:.1f} ms | {wanted / seconds - 1:+.1%} "
        f"| {waits:.1%} | {told:.1%} | {100 * (told - waits):+.1f} |"
    )


def seen_by_all(ranks: Ranks) -> dict[str, float]:
    """What the processor does while every rank does the same, the mean over ranks."""
    seen = {
        "flops": max(product_flops(size, size, size) for size in (256, 512, 1024)),
        "own_flops": product_flops(WINDOWS * CONTEXT, SHAPE.width, SHAPE.hidden),
        "bandwidth": copied_bytes(),
        "step": alone(SHAPE),
    }
    return {name: float(ranks.average(torch.tensor(value, dtype=torch.float64))) for name, value in seen.items()}


def run(rank: int, port: int) -> None:
    """One rank: calibrate, then measure every placement; the first rank prints."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(RANKS), "RANK": str(rank)}
    torch.set_num_threads(1)
    with together() as ranks:
        core, matmul, traffic = calibrated(seen_by_all(ranks))
        say = print if rank == 0 else (lambda *words, **how: None)
        say(
            f"{core.flops['bf16'] / 1e9:.0f} GFLOP/s in the best product, {core.bandwidth / 1e9:.1f} GB/s copied; the "
            f"model's products reach {matmul:.0%} of the one, its tensors pass {traffic:.1f} times through the other\n\n"
            "| placement | slowest / mean | step | simulated | off | waits | simulated | off, points |\n"
            "|---|---|---|---|---|---|---|---|",
            flush=True,
        )
        whole = model(SHAPE)
        step(whole, text(rank))
        loads = [ranks.average(layer.load_E) * RANKS for layer in whole.modules() if isinstance(layer, Experts)]
        load_LE, clock = torch.stack(loads).numpy().astype(float), Clock()
        for policy in POLICIES:
            placement = policy.place(load_LE, CLUSTER)
            work_RQ = measured(placement, clock, rank)
            foreseen = simulate(job(SHAPE, core, RANKS, matmul=matmul, traffic=traffic), load_LE, placement)
            say(row(policy.name, work_RQ, foreseen), flush=True)


def main() -> None:
    """Start the ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(run, args=(port,), nprocs=RANKS)


if __name__ == "__main__":
    main()
