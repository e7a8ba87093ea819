"""One rank of `test_expert_parallel`: a small model with its experts spread, beside the same model whole, on the same batch."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from kleiber.lab.decoder import DecoderShape, ExpertSetting
from kleiber.lab.expert_parallel.clock import Clock
from kleiber.lab.expert_parallel.layer import spread, synchronise
from kleiber.lab.expert_parallel.seats import Seats, seats
from kleiber.lab.models import build
from kleiber.lab.models.experts import Experts
from kleiber.lab.parallel.ranks import together

SETTING = ExpertSetting(count=5, chosen=2, granularity=2, shared=1, balance="loss")
SHAPE = DecoderShape(width=16, depth=2, hidden=32, context=32, experts=SETTING)


def placed(experts: list[int], devices: list[int], shares: list[float]) -> Seats:
    return seats(experts, devices, shares, experts=5, devices=2)


PLACEMENTS = {
    "as they come": placed([0, 1, 2, 3, 4], [0, 0, 0, 1, 1], [1.0] * 5),
    "replicas, shared out unevenly, slots out of order": placed(
        [4, 0, 0, 1, 2, 3, 3, 4], [1, 1, 0, 0, 1, 0, 1, 0], [0.7, 0.25, 0.75, 1.0, 1.0, 0.0, 1.0, 0.3]
    ),
    "one rank with next to nothing": placed([0, 1, 2, 3, 4, 4], [0, 0, 0, 0, 0, 1], [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]),
}


def model() -> nn.Module:
    """The same bits on every rank, with a head that is not zero, so that gradients reach the experts."""
    found = build(SHAPE, seed=0)
    with torch.no_grad():
        found.get_submodule("head").weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))  # type: ignore[operator, union-attr]
    return found


def loss_of(found: nn.Module, text_BT: Tensor) -> Tensor:
    logits_BTV = found(text_BT[:, :-1])
    loss = functional.cross_entropy(logits_BTV.flatten(0, 1), text_BT[:, 1:].reshape(-1))
    return loss + sum(part.penalty for part in found.modules() if isinstance(part, Experts))


def compared(placement: Seats, rank: int) -> dict[str, Any]:
    text_BT = torch.randint(0, 256, (4, 33), generator=torch.Generator().manual_seed(2))
    whole = model()
    loss_of(whole, text_BT).backward()
    spread_out, clock = model(), Clock()
    layers = spread(spread_out, [placement] * SHAPE.depth, clock=clock)
    clock.begin()
    loss = loss_of(spread_out, text_BT[2 * rank : 2 * rank + 2])
    loss.backward()
    times = clock.times()
    found = synchronise(spread_out)
    mean = loss.detach().clone()
    dist.all_reduce(mean)
    with torch.no_grad():
        logits = spread_out(text_BT[2 * rank : 2 * rank + 2, :-1])
        expected = whole(text_BT[2 * rank : 2 * rank + 2, :-1])
    alone = {name: weight.grad for name, weight in whole.named_parameters()}
    return {
        "names": sorted(found) == sorted(alone),
        "logits": float((logits - expected).abs().max()),
        "loss": abs(float(mean) / 2 - float(loss_of(whole, text_BT))),
        "gradient": max(float((found[name] - alone[name]).abs().max()) for name in alone),
        "largest": max(float(gradient.abs().max()) for gradient in alone.values() if gradient is not None),
        "held": sum(weight.numel() for weight in spread_out.parameters()),
        "came": [layer.came_L.tolist() for layer in layers],
        "stretches": times.work_seconds_RQ.shape[1],
        "idle": times.idle_fraction,
        "idle_of_work": times.idle_fraction_of_work,
        "least": float(
            min(np.min(times.idle_seconds_R), np.min(times.exchange_seconds_R), times.work_seconds_RQ.min())
        ),
    }


if __name__ == "__main__":
    with together() as ranks:
        torch.set_num_threads(1)
        answers = {name: compared(placement, ranks.rank) for name, placement in PLACEMENTS.items()}
        (Path(sys.argv[1]) / f"{ranks.rank}.json").write_text(json.dumps(answers))
