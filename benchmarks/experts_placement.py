"""Placement of 256 experts on 32 devices with 9 slots each, 58 layers: balance by policy, speed against a loop over replicas.

The loop is the rule of replicate-the-hottest written straight down: every layer, replica and device in turn, on tensors of
one number (as the published balancer does; timed on two layers) and on plain floats.
Times are processor seconds of one thread, best of three, in one run; ratios are what is compared.

    python benchmarks/experts_placement.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from kleiber.experts.cluster import Cluster
from kleiber.experts.drift import random_walk, rotating_zipf
from kleiber.experts.placement import POLICIES, find
from kleiber.experts.replay import replay

LAYERS, EXPERTS, REPEATS, SEED = 58, 256, 3, 0
CLUSTER = Cluster.of(4, 8, 9)


def families() -> dict[str, np.ndarray]:
    """Loads: Zipf with the ranks permuted anew in every layer, log-normal, one hot expert."""
    found = {}
    for exponent in (0.0, 0.3, 0.6, 1.0, 1.3):
        rng, weight_E = np.random.default_rng(SEED), np.arange(1.0, EXPERTS + 1) ** -exponent
        found[f"Zipf {exponent}"] = np.stack([rng.permutation(weight_E) for _ in range(LAYERS)])
    found["log-normal"] = np.random.default_rng(SEED).lognormal(size=(LAYERS, EXPERTS))
    found["one hot"] = np.eye(EXPERTS)[np.arange(LAYERS)]
    return found


def straight_loop(load_LE: Sequence[Any], slots: int, devices: int) -> list[list[int]]:
    """Replicate the hottest, then each replica to the least loaded device with room, one after the other.

    `load_LE` holds floats, or tensors of one number each, as a loop over a tensor gives them.
    """
    placed = []
    for load_E in load_LE:
        count = [1] * len(load_E)
        replicas = list(range(len(load_E)))
        for _ in range(slots - len(load_E)):
            hottest = max(range(len(load_E)), key=lambda expert: load_E[expert] / count[expert])
            count[hottest] += 1
            replicas.append(hottest)
        order = sorted(replicas, key=lambda expert: -load_E[expert] / count[expert])
        held, busy = [[] for _ in range(devices)], [0.0] * devices
        for expert in order:
            free = (device for device in range(devices) if len(held[device]) < slots // devices)
            device = min(free, key=busy.__getitem__)
            held[device].append(expert)
            busy[device] += load_E[expert] / count[expert]
        placed.append([expert for device in held for expert in device])
    return placed


def seconds(work: Callable[[], object]) -> float:
    """The best of three, in processor seconds."""
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def tensors(load_LE: np.ndarray) -> list[Any]:
    """The loads as PyTorch tensors, or nothing where it is not installed."""
    if find_spec("torch") is None:
        return []
    import torch

    torch.set_num_threads(1)
    return [torch.from_numpy(load_E) for load_E in load_LE]


def show_balance(loads: dict[str, np.ndarray]) -> None:
    """Every policy anywhere; the two that replicate also with groups kept in nodes."""
    for nodes, groups in ((4, None), (4, 8), (8, 8)):
        cluster = Cluster.of(nodes, 32 // nodes, 9)
        print(f"balancedness, {'anywhere' if groups is None else f'{groups} groups kept in {nodes} nodes'}:")
        for name, load_LE in loads.items():
            chosen = POLICIES if groups is None else (find("window-fill"), find("replicate"))
            found = [policy.place(load_LE, cluster, groups=groups) for policy in chosen]
            cells = ", ".join(f"{each.policy} {each.balancedness:.4f}" for each in found)
            print(f"  {name}: bound {found[0].bound_L.mean():.4f}; {cells}", flush=True)


def show_speed(name: str, load_LE: np.ndarray) -> None:
    """All layers by the loop, and how many times faster each policy is."""
    loop = seconds(lambda: straight_loop(load_LE.tolist(), 288, 32))
    some = tensors(load_LE[:2])
    slow = seconds(lambda: straight_loop(some, 288, 32)) * LAYERS / 2 if some else float("nan")
    print(
        f"{name}, {LAYERS} layers: a loop over replicas on tensors {1e3 * slow:.0f} ms, on floats {1e3 * loop:.0f} ms",
        end="",
    )
    for policy in (find("replicate"), find("window-fill")):
        took = seconds(lambda policy=policy: policy.place(load_LE, CLUSTER))
        print(f"; {policy.name} {1e3 * took:.0f} ms ({slow / took:.0f}x, {loop / took:.1f}x)", end="")
    print(flush=True)


def show_replay() -> None:
    """Rules of re-planning on two planted drifts."""
    walk = random_walk(steps=10, layers=8, experts=256, spread=0.8, walk=0.1, tokens=4_000_000, seed=SEED)
    hot = rotating_zipf(steps=10, layers=8, experts=256, exponent=1.0, every=3, tokens=4_000_000, seed=SEED)
    for name, trace in (("random walk", walk), ("rotating Zipf", hot)):
        found = replay(trace, CLUSTER, find("window-fill"), windows=10)
        for each in found.rules:
            what = (
                f"balancedness {each.balancedness:.4f}, {sum(each.moved_W)} moved, cost {each.cost / found.ideal:.4f}"
            )
            print(f"{name}, {each.rule.name}: {what}", flush=True)


def main() -> None:
    """Speed, then rules of re-planning, then balance."""
    loads = families()
    for name in ("Zipf 0.6", "Zipf 1.3"):
        show_speed(name, loads[name])
    large = np.arange(1.0, 10_001)[None] ** -1.0
    took = seconds(lambda: find("window-fill").place(large, Cluster.of(125, 8, 11)))
    print(f"10,000 experts on 1,000 devices, one layer: {took:.2f} s", flush=True)
    show_replay()
    show_balance(loads)


if __name__ == "__main__":
    main()
