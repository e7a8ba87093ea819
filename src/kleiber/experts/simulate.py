"""A training step of a sparse model on a cluster, from its trace: seconds, and what they are spent on.

The way the data takes: loads and placement -> `routing` (how uneven) -> `layers` (seconds of every stage) -> `pipeline` (when
every chunk runs) -> `Step`. Data-parallel messages, hops between stages and the optimiser are those of `kleiber.cost.step_time`.

The one idea: the step's seconds are split without a rest. On the mean device

    step = compute under even loads + imbalance + exposed all-to-all + bubble + data + optimiser,

imbalance being what the slowest device's experts take longer, and idle_fraction all but the first and the last over the whole.
Where a capacity drops assignments, compute is less by them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import Hardware, Layout, Practice, Shape, step_time, train_flops, training_memory
from kleiber.cost.schedule import NAMES as COSTED
from kleiber.errors import InputError
from kleiber.experts import routing as routes
from kleiber.experts.layers import Stages, sparse_depth, sparse_layer, stages
from kleiber.experts.pipeline import Durations, Timeline, find_pipeline, timeline
from kleiber.experts.placement.placement import Placement
from kleiber.experts.routing import Routing

Floats = NDArray[np.float64]
PARTS = ("compute", "imbalance", "exposed_comm", "bubble", "data", "optimiser")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained, on what and how: everything of a step but the trace.

    `nodes` of `devices_per_node` share one copy of each layer's experts; `groups` such groups split the data; `pipeline`
    devices one behind another; `sequences` of `context` tokens to a step. `row_seconds`: what one assignment takes through its
    expert, forward and backward, where that was measured.
    """

    shape: Shape
    device: Hardware
    nodes: int
    devices_per_node: int
    sequences: int
    context: int
    pipeline: int = 1
    groups: int = 1
    schedule: str = "1f1b"
    virtual: int = 1
    micro_batch: int = 1
    zero: int = 1
    recompute: str = "none"
    gradient_bytes: float = 4.0
    capacity_factor: float | None = None
    practice: Practice = field(default_factory=Practice)
    row_seconds: tuple[float, float] | None = None

    @property
    def width(self) -> int:
        """Devices that share the experts of a layer."""
        return self.nodes * self.devices_per_node

    @property
    def devices(self) -> int:
        """Devices in all."""
        return self.width * self.groups * self.pipeline

    @property
    def layout(self) -> Layout:
        """As `kleiber.cost` writes it; gpipe and dualpipe-v, which it does not know, hold the weights that 1f1b does."""
        known = self.schedule in COSTED
        return Layout(
            data=self.width * self.groups,
            pipeline=self.pipeline,
            expert=self.width,
            expert_tensor=1,
            zero=self.zero if self.width * self.groups > 1 else 0,
            micro_batch=self.micro_batch,
            recompute=self.recompute,
            gradient_bytes=self.gradient_bytes,
            schedule=self.schedule if known else "1f1b",
            virtual=self.virtual if known else 1,
        )

    @property
    def hardware(self) -> Hardware:
        """The device in nodes of this job's size."""
        return replace(self.device, node=self.devices_per_node)


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One step: seconds by what they are spent on (mean device), and what is behind them.

    `micro_batches` go through each pipeline; `dropped_fraction` of the assignments found no room; `memory_bytes` on the fullest
    device; `nodes_per_token` that a token needs, its own included; `run`: when every chunk runs.
    """

    job: Job
    compute: float
    imbalance: float
    exposed_comm: float
    bubble: float
    data: float
    optimiser: float
    comm: float
    micro_batches: int
    memory_bytes: float
    nodes_per_token: float
    slowest: float
    dropped_fraction: float
    mfu: float
    stages: Stages
    run: Timeline

    @property
    def seconds(self) -> float:
        """The whole step."""
        return sum(getattr(self, name) for name in PARTS)

    @property
    def tokens(self) -> int:
        """Tokens of the step."""
        return self.job.sequences * self.job.context

    @property
    def idle_fraction(self) -> float:
        """The part of the step in which the mean device neither computes nor updates."""
        return 1 - (self.compute + self.optimiser) / self.seconds

    @property
    def bubble_fraction(self) -> float:
        """The pipeline's part of that."""
        return self.bubble / self.seconds

    @property
    def tokens_per_second_per_device(self) -> float:
        """Speed."""
        return self.tokens / self.seconds / self.job.devices

    def to_json(self) -> dict[str, Any]:
        """The step as `kleiber/step/1`."""
        return {
            "schema": "kleiber/step/1",
            "model": self.job.shape.name,
            "step_seconds": self.seconds,
            "idle_fraction": self.idle_fraction,
            "exposed_comm_seconds": self.exposed_comm,
            "bubble_fraction": self.bubble_fraction,
            **{f"{name}_seconds": getattr(self, name) for name in PARTS if name != "exposed_comm"},
            "comm_seconds": self.comm,
            "slowest_over_mean": self.slowest,
            "nodes_per_token": self.nodes_per_token,
            "dropped_fraction": self.dropped_fraction,
            "memory_bytes": self.memory_bytes,
            "mfu": self.mfu,
            "tokens": self.tokens,
            "tokens_per_second_per_device": self.tokens_per_second_per_device,
            "devices": self.job.devices,
            "expert_width": self.job.width,
            "micro_batches": self.micro_batches,
            "schedule": self.job.schedule,
        }


def simulate(job: Job, loads: Floats | None = None, placement: Placement | None = None) -> Step:
    """The step of `job` under the loads of a trace (None: every expert liked as well) and a placement of its experts.

    `loads`: steps x layers x experts, the slowest device being looked for step by step; or layers x experts, as one step.

    Raises `InputError` where the pieces do not belong together.

    >>> from kleiber.cost import find_hardware, model
    >>> job = Job(shape=model("deepseek-v3"), device=find_hardware("h800"), nodes=8, devices_per_node=8, pipeline=16, groups=2,
    ...           schedule="dualpipe", sequences=15360, context=4096, practice=Practice(precision="fp8", node_limit=4))
    >>> 0.03 < simulate(job).bubble_fraction < 0.1
    True
    """
    schedule = find_pipeline(job.schedule)
    plain = step_time(
        job.shape, job.hardware, job.layout, sequences=job.sequences, context=job.context, practice=job.practice
    )
    orders = schedule.orders(job.pipeline, plain.micro_batches, job.virtual)
    routing = routing_of(job, loads, placement)
    cuts = schedule.stages(job.pipeline, job.virtual)
    took = stages(
        job.shape, job.hardware, job.layout, job.practice, job.context, routing, cuts, row_seconds=job.row_seconds
    )
    hop = plain.pipeline / (2 * plain.micro_batches * job.virtual)
    run = timeline(orders, durations(took, hop, pairs=schedule.pairs, hidden="expert" in job.practice.overlap))
    even = np.array([_even_seconds(slots, took) for slots in orders])
    waits = run.exposed_D.mean()
    comm = np.array([_message_seconds(slots, took) for slots in orders]).mean()
    seconds = run.seconds + plain.data + plain.optimiser
    flops = train_flops(job.shape, job.context) * job.sequences * job.context
    return Step(
        job=job,
        compute=float(even.mean()),
        imbalance=max(0.0, float((run.busy_D - even).mean() - waits)),
        exposed_comm=float(waits),
        bubble=float(run.idle.mean()),
        data=plain.data,
        optimiser=plain.optimiser,
        comm=float(comm),
        micro_batches=plain.micro_batches,
        memory_bytes=memory(job, run, plain.micro_batches, placement),
        nodes_per_token=float(routing.reached.node_LN.sum(axis=1).mean()),
        slowest=float(routing.slowest_L.mean()),
        dropped_fraction=float(routing.dropped_L.mean()),
        mfu=flops / (job.device.peak(job.practice.precision) * job.devices * seconds),
        stages=took,
        run=run,
    )


def routing_of(job: Job, loads: Floats | None, placement: Placement | None) -> Routing:
    """How uneven the layers are."""
    experts, layers, limit = sparse_layer(job.shape), sparse_depth(job.shape), job.practice.node_limit
    if loads is None:
        if placement is not None:
            loads = placement.load_LE
        elif job.capacity_factor is not None:
            loads = np.ones((1, experts.count))
        else:
            return routes.even(experts.count, experts.chosen, job.nodes, job.width, layers, limit)
    if loads.ndim not in (2, 3) or loads.shape[-1] != experts.count:
        raise InputError(
            "the trace has other experts than the model",
            found=f"{loads.shape[-1]} experts",
            expected=f"{experts.count} in {job.shape.name}",
            remedy="name a model with as many experts, or leave the trace out: routing is even then",
        )
    return routes.measured(
        loads,
        experts.chosen,
        job.nodes,
        job.width,
        layers=layers,
        limit=limit,
        capacity_factor=job.capacity_factor,
        placement=placement,
    )


def durations(took: Stages, hop: float, *, pairs: bool, hidden: bool) -> Durations:
    """The stages as the clock wants them; where `hidden` and nothing is paired, messages hide behind their own chunk."""
    forward, backward = took.forward_messages, took.backward_messages
    if hidden and not pairs:
        forward = np.maximum(0.0, forward - took.forward)
        backward = np.maximum(0.0, backward - took.backward)
    return Durations(
        forward_SM=took.forward[:, None],
        backward_SM=took.backward[:, None],
        weight_SM=took.weight[:, None],
        forward_messages_SM=forward[:, None],
        backward_messages_SM=backward[:, None],
        hop_seconds=hop,
        pieces=took.pieces if pairs else None,
    )


def memory(job: Job, run: Timeline, batches: int, placement: Placement | None) -> float:
    """Bytes on the fullest device, further replicas of experts included."""
    found = training_memory(job.shape, job.context, job.layout)
    activations = found.activations
    if job.schedule == "gpipe":
        activations *= batches / min(batches, job.pipeline)
    elif job.schedule == "dualpipe-v":
        activations *= run.peak_D.max() / 2 / job.pipeline
    more = 0.0
    if placement is not None:
        experts = sparse_layer(job.shape)
        slots = int(placement.cluster.slots_G.max())
        each = experts.maps * job.shape.width * experts.hidden * sparse_depth(job.shape) / job.pipeline
        spare = max(0.0, slots - experts.count / job.width)
        more = spare * each * sum(job.layout.bytes_per_param(job.groups))
    return found.total - found.activations + activations + more


def _even_seconds(slots: Any, took: Stages) -> float:
    """Compute of a device under even loads."""
    weight = took.even_weight
    parts = {"F": took.even_forward, "B": took.even_backward, "I": took.even_backward - weight, "W": weight}
    return float(sum(parts[chunk.kind][chunk.stage] for slot in slots for chunk in slot))


def _message_seconds(slots: Any, took: Stages) -> float:
    """Messages of a device, hidden or not."""
    parts = {"F": took.forward_messages, "B": took.backward_messages, "I": took.backward_messages}
    return float(sum(parts[chunk.kind][chunk.stage] for slot in slots for chunk in slot if chunk.kind != "W"))
