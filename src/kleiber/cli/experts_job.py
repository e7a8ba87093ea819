"""What `kleiber experts simulate` and `transfer` are asked about, as options: a model, a cluster, a trace, and how it is run.

One idea: the cluster file is the devices that share one copy of each layer's experts; `pipeline` and `groups` multiply it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli.cost import _whole as whole
from kleiber.cli.options import amount, assignments
from kleiber.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kleiber.cost import Hardware
    from kleiber.experts.cluster import Cluster
    from kleiber.experts.placement import Placement
    from kleiber.experts.simulate import Job
    from kleiber.experts.trace import RoutingTrace

Text = str | None
DEGREES = ("pipeline", "groups", "virtual", "micro_batch", "zero")
MICRO_BATCHES = 4  # for each pipeline device, where no batch is named


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """The pieces of a step."""

    model: Annotated[str, typer.Option(metavar="MODEL", help="A reference model's name, or a config.json.")]
    cluster: Annotated[
        str, typer.Option(metavar="CLUSTER.toml", help="The devices that share one copy of each layer's experts.")
    ]
    trace: Annotated[Text, typer.Option(metavar="TRACE", help="Its routing, or loads as .npy. [default: even]")] = None
    placement: Annotated[
        Text,
        typer.Option(metavar="FILE.json", help="What `kleiber experts place --json` printed. [default: side by side]"),
    ] = None
    hardware: Annotated[str, typer.Option(metavar="NAME", help="A device of `kleiber cost`.")] = "h100"
    layout: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=N,...", help="pipeline=16,groups=2,micro_batch=1,virtual=1,zero=1."),
    ] = None
    schedule: Annotated[
        str, typer.Option(metavar="NAME", help="gpipe, 1f1b, interleaved, zb-h1, dualpipe or dualpipe-v.")
    ] = "1f1b"
    batch_tokens: Annotated[
        Text, typer.Option(metavar="TOKENS", help="Of a step. [default: 4 micro-batches for each pipeline device]")
    ] = None
    context: Annotated[str, typer.Option(metavar="TOKENS", help="Length of the sequences.")] = "4096"
    precision: Annotated[str, typer.Option(metavar="NAME", help="Of the products and of dispatched tokens.")] = "bf16"
    node_limit: Annotated[int | None, typer.Option(min=1, help="Nodes that a token's experts may lie on.")] = None
    reserved: Annotated[float, typer.Option(help="The part of a device that messages take: 20/132 is 0.1515.")] = 0.0
    hide: Annotated[
        bool,
        typer.Option("--hide", help="All-to-all behind the compute of its own chunk, where the schedule pairs none."),
    ] = False
    recompute: Annotated[str, typer.Option(metavar="NAME", help="none, selective or full.")] = "none"
    capacity: Annotated[float | None, typer.Option(help="Capacity factor; what is beyond it is dropped.")] = None

    def read(self) -> tuple[Job, NDArray[Any] | None, Placement | None]:
        """The job, the loads of its trace and the placement of its experts."""
        from kleiber.cost import find_hardware
        from kleiber.cost import model as shape_of
        from kleiber.experts.cluster import read_cluster
        from kleiber.experts.layers import sparse_layer
        from kleiber.experts.placement_file import read_placement
        from kleiber.experts.read import read_trace

        shape, found = shape_of(self.model), read_cluster(self.cluster)
        experts = sparse_layer(shape)
        job = self._job(shape, found, find_hardware(self.hardware))
        loads = None if self.trace is None else living(read_trace(self.trace))
        if self.placement is None:
            self._check_slots(found, experts.count)
            return job, loads, None
        return job, loads, read_placement(self.placement, found, experts.count)

    def _check_slots(self, cluster: Cluster, experts: int) -> None:
        """Raise `InputError` where experts side by side are more than the devices have slots or memory for."""
        most = -(-experts // cluster.devices)
        if most > cluster.slots_G.min():
            raise InputError(
                "the devices have too few slots for the model's experts",
                found=f"{int(cluster.slots_G.min())} slots a device",
                expected=f"{most} of {experts} experts on each of {cluster.devices}",
                where=self.cluster,
            )

    def _job(self, shape: Any, cluster: Cluster, device: Hardware) -> Job:
        from kleiber.cost import Practice
        from kleiber.cost.step import sequences_in
        from kleiber.experts.simulate import Job

        unlike = {
            "lost": list(cluster.lost),
            "speeds": sorted({float(speed) for speed in cluster.speed_G if speed > 0}),
            "without a slot": int(((cluster.slots_G == 0) & cluster.alive_G).sum()),
        }
        if cluster.lost or len(unlike["speeds"]) > 1 or unlike["without a slot"]:
            raise InputError(
                "a step is reckoned for equal devices, none of them lost",
                found=", ".join(f"{name}: {value}" for name, value in unlike.items()),
                where=self.cluster,
            )
        degrees: dict[str, Any] = {**self._degrees()}
        length = whole(self.context, "--context")
        job = Job(
            shape=shape,
            device=_wired(device, cluster),
            nodes=cluster.nodes,
            devices_per_node=cluster.devices_per_node,
            context=length,
            sequences=1,
            schedule=self.schedule,
            recompute=self.recompute,
            capacity_factor=self.capacity,
            practice=Practice(
                precision=self.precision,
                overlap=("pipeline", "data", *(("expert",) if self.hide else ())),
                reserved=self.reserved,
                node_limit=self.node_limit,
            ),
            **degrees,
        )
        rank = job.width * job.groups * job.micro_batch
        count = MICRO_BATCHES * job.pipeline
        if self.batch_tokens is not None:
            asked = sequences_in(amount(self.batch_tokens, "--batch-tokens"), length)
            count = max(1, round(asked / rank))
        return replace(job, sequences=count * rank)

    def _degrees(self) -> dict[str, int]:
        given = assignments(self.layout, "--layout")
        for name in given:
            if name not in DEGREES:
                raise InputError(f"no such degree {name!r}", remedy=did_you_mean(name, DEGREES), where="--layout")
        return {name: 0 if (name, text) == ("zero", "0") else whole(text, "--layout") for name, text in given.items()}


def living(trace: RoutingTrace) -> NDArray[Any]:
    """The counts of a trace, (S, L, E); raises `InputError` where a layer has no load in any step."""
    for place, total in enumerate(trace.load_LE.sum(axis=1)):
        if total <= 0:
            raise InputError(
                "a layer has no load", where=f"{trace.source}, layer {trace.layer_L[place]}",
                remedy="leave the layer out, or record the trace anew",
            )  # fmt: skip
    return trace.count_SLE


def _wired(device: Hardware, cluster: Cluster) -> Hardware:
    """The device with the cluster file's wires, where it names them (its link is one way, a device's both)."""
    if cluster.link_bytes_per_second is not None:
        device = replace(device, link=2 * cluster.link_bytes_per_second)
    if cluster.network_bytes_per_second is not None:
        device = replace(device, network=cluster.network_bytes_per_second)
    return device
