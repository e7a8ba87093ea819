"""A model of experts over two processes, by each placement: its step and its waiting, measured and by `experts simulate`.

The way the data takes: a matrix product of the model's shape, a step of the whole model in one process, and a line through what
1,024 and 3,072 rows take through experts in one process -> the speeds of this processor (of products, of what goes through
memory, of a row) -> the simulator, which is told nothing of any placement -> the same model with its experts spread by each
placement, the same tokens -> seconds of the slowest rank, and the part that the mean rank waits.

Work is counted as processor time, stretch by stretch between exchanges, so that other programs do not enter as waiting; they
do slow the processor down. So everything is measured in rounds, each of everything once, and the median over rounds is taken;
moving rows is left out on both sides.

Run: python benchmarks/expert_parallel.py [rounds]
"""

from __future__ import annotations

import os
import socket
import sys
import time
from dataclasses import replace
from typing import Any

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
from kleiber.lab.models.experts import Experts, grouped
from kleiber.lab.models.feed_forward import bend
from kleiber.lab.parallel.ranks import together
from kleiber.lab.ranks import Ranks

RANKS, EXPERTS, WINDOWS, CONTEXT, ROUNDS = 2, 16, 8, 128, 12
FEW, MANY = 1024, 3072  # rows
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


def alone(found: nn.Module) -> float:
    """Processor seconds of a step of the whole model in one process."""
    began = time.thread_time()
    step(found, text(0))
    return time.thread_time() - began


def rows_through(layer: Experts, rows: int) -> tuple[float, float]:
    """Processor seconds of so many rows through the experts of one rank, as many to each: forward and backward."""
    held = EXPERTS // RANKS
    up, down = (stack[:held].detach().requires_grad_() for stack in (layer.up_EWU, layer.down_EHW))
    came_TW = torch.randn(rows, SHAPE.width, requires_grad=True)
    end_L = torch.arange(1, held + 1, dtype=torch.int32) * (rows // held)
    order_T = torch.randperm(rows)
    began = time.thread_time()
    inner_TH = bend(grouped(came_TW[order_T], up, end_L), gated=layer.gated)
    out_TW = grouped(inner_TH, down, end_L)[order_T.argsort()]
    between = time.thread_time()
    out_TW.backward(torch.ones_like(out_TW))
    return between - began, time.thread_time() - between


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


def job(
    core: Hardware, devices: int, *, matmul: float, traffic: float, row_seconds: tuple[float, float] | None = None
) -> Job:
    """A step of `WINDOWS` windows on each of `devices` processes."""
    reached = replace(CALIBRATED, matmul=matmul, attention=matmul, traffic=traffic)
    return Job(
        shape=SHAPE.cost,
        device=core,
        nodes=1,
        devices_per_node=devices,
        sequences=WINDOWS * devices,
        context=CONTEXT,
        micro_batch=WINDOWS,
        zero=0,
        practice=Practice(overlap=(), efficiency=reached),
        row_seconds=row_seconds,
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
    at = {t: simulate(job(core, 1, matmul=matmul, traffic=t)).compute for t in (1.0, 2.0)}
    traffic = 1.0 + (seen["step"] - at[1.0]) / (at[2.0] - at[1.0])
    return core, matmul, traffic


def spread_out(placement: Placement, clock: Clock) -> nn.Module:
    """The model with its experts where the placement has them."""
    found = model(SHAPE)
    layers = placement.to_json()["layers"]
    keys = ("physical_to_logical", "device_of_slot", "share")
    spread(
        found, [seats(*(layer[key] for key in keys), experts=EXPERTS, devices=RANKS) for layer in layers], clock=clock
    )
    return found


def one_round(whole: nn.Module, spreads: dict[str, nn.Module], clock: Clock, rank: int) -> dict[str, Any]:
    """Everything once: seconds of work of each placement, (ranks, stretches), and what the simulator is told."""
    layer = next(part for part in whole.modules() if isinstance(part, Experts))
    few, many = (rows_through(layer, rows) for rows in (FEW, MANY))
    seen: dict[str, Any] = {
        "step": alone(whole),
        "forward": (many[0] - few[0]) / (MANY - FEW),
        "backward": (many[1] - few[1]) / (MANY - FEW),
    }
    for name, found in spreads.items():
        clock.begin()
        step(found, text(rank))
        seen[name] = clock.times().processor_seconds_RQ
    return seen


def row(name: str, work_NRQ: NDArray[np.float64], foreseen: Step) -> str:
    """A line of the table: the step of the slowest rank, the spread of its rounds, what the mean rank waits."""
    work_RQ = np.median(work_NRQ, axis=0)
    seconds, mean = float(work_RQ.max(axis=0).sum()), float(work_RQ.mean(axis=0).sum())
    low, middle, high = np.percentile(work_NRQ.max(axis=1).sum(axis=1), [25, 50, 75])
    wanted = foreseen.compute + foreseen.imbalance
    waits, told = 1 - mean / seconds, foreseen.imbalance / wanted
    return (
        f"| {name} | {foreseen.slowest:.3f} | {1e3 * seconds:.1f} ms | {(high - low) / middle:.0%} | {1e3 * wanted:.1f} ms "
        f"| {wanted / seconds - 1:+.1%} | {waits:.1%} | {told:.1%} | {100 * (told - waits):+.1f} |"
    )


def seen_by_all(ranks: Ranks, rounds: list[dict[str, Any]]) -> dict[str, float]:
    """What the processor does while every rank does the same: medians over rounds, the mean over ranks."""
    seen = {
        "flops": max(product_flops(size, size, size) for size in (256, 512, 1024)),
        "own_flops": product_flops(WINDOWS * CONTEXT, SHAPE.width, SHAPE.hidden),
        "bandwidth": copied_bytes(),
        **{name: float(np.median([each[name] for each in rounds])) for name in ("step", "forward", "backward")},
    }
    return {name: float(ranks.average(torch.tensor(value, dtype=torch.float64))) for name, value in seen.items()}


def run(rank: int, port: int, count: int) -> None:
    """One rank: measure everything in rounds, calibrate, foresee; the first rank prints."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(RANKS), "RANK": str(rank)}
    torch.set_num_threads(1)
    with together() as ranks:
        whole, clock = model(SHAPE), Clock()
        step(whole, text(rank))
        loads = [ranks.average(layer.load_E) * RANKS for layer in whole.modules() if isinstance(layer, Experts)]
        load_LE = torch.stack(loads).numpy().astype(float)
        placed = {policy.name: policy.place(load_LE, CLUSTER) for policy in POLICIES}
        spreads = {name: spread_out(placement, clock) for name, placement in placed.items()}
        one_round(whole, spreads, clock, rank)
        rounds = [one_round(whole, spreads, clock, rank) for _ in range(count)]
        seen = seen_by_all(ranks, rounds)
        core, matmul, traffic = calibrated(seen)
        say = print if rank == 0 else (lambda *words, **how: None)
        say(
            f"{count} rounds; {core.flops['bf16'] / 1e9:.0f} GFLOP/s in the best product, {core.bandwidth / 1e9:.1f} GB/s "
            f"copied; the model's products reach {matmul:.0%} of the one, its tensors pass {traffic:.1f} times through the "
            f"other; a row takes {1e6 * seen['forward']:.2f} us forward, {1e6 * seen['backward']:.2f} us backward; a step of "
            f"the whole model {1e3 * seen['step']:.1f} ms\n\n"
            "| placement | slowest / mean | step | rounds apart | simulated | off | waits | simulated | off, points |\n"
            "|---|---|---|---|---|---|---|---|---|",
        )
        told = job(core, RANKS, matmul=matmul, traffic=traffic, row_seconds=(seen["forward"], seen["backward"]))
        for name, placement in placed.items():
            say(row(name, np.stack([each[name] for each in rounds]), simulate(told, load_LE, placement)), flush=True)


def main() -> None:
    """Start the ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(run, args=(port, int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS), nprocs=RANKS)


if __name__ == "__main__":
    main()
