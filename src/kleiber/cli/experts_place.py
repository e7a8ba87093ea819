"""`kleiber experts place TRACE --cluster CLUSTER.toml`: where each expert sits, with which share, and how far from the best."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.options import Output
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.experts.cluster import Cluster
    from kleiber.experts.trace import RoutingTrace

SCHEMA = "kleiber/placement/1"
Trace = Annotated[
    str | None, typer.Argument(metavar="[TRACE]", help="A routing trace: Megatron's JSONL, CSV, Parquet or .npy.")
]
Loads = Annotated[
    str | None, typer.Option("--loads", metavar="FILE.npy", help="Loads, layers x experts, in place of a trace.")
]
ClusterFile = Annotated[str, typer.Option("--cluster", metavar="CLUSTER.toml", help="Nodes, devices, slots.")]
PolicyName = Annotated[str, typer.Option("--policy", metavar="NAME", help="How to place.")]
Hierarchical = Annotated[
    bool, typer.Option("--hierarchical", help="Groups of experts stay in a node (8 groups unless --groups).")
]
Groups = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="So many groups of consecutive experts, each kept in one node."),
]


def place(
    cluster: ClusterFile,
    output: Output,
    trace: Trace = None,
    loads: Loads = None,
    policy: PolicyName = "window-fill",
    hierarchical: Hierarchical = False,
    groups: Groups = None,
) -> None:
    """Place the experts of every layer on a cluster: the replicas, their shares, the balance and how far it is from the best.

    The default policy splits at most one expert per device and is exact wherever there is one spare slot per device but one.
    """
    from kleiber.experts import words
    from kleiber.experts.cluster import read_cluster
    from kleiber.experts.placement import find

    chosen = find(policy)
    devices = read_cluster(cluster)
    known = read_input(trace, loads)
    groups = chosen_groups(hierarchical, groups, known.experts, devices)
    began = time.perf_counter()
    with screen.working(f"placing {known.experts} experts in {known.layers} layers"):
        found = chosen.place(known.load_LE, devices, groups=groups, source=known.source)
    seconds = time.perf_counter() - began
    if output.as_json:
        screen.emit_json(found.to_json() | {"seconds": seconds})
        return
    first, *rest = words.of_placement(found, groups)
    screen.say((first, "bold"))
    for line in rest:
        screen.hang(" ", line, at=2)


def chosen_groups(hierarchical: bool, groups: int | None, experts: int, devices: Cluster) -> int | None:
    """The groups that stay in a node: those asked for, the usual ones with --hierarchical, or None."""
    from kleiber.experts.placement.policy import usual_groups

    if groups is None and hierarchical:
        return usual_groups(experts, devices.nodes)
    return groups


def read_input(trace: str | None, loads: str | None) -> RoutingTrace:
    """The trace, or the loads as a trace of one step; raises `InputError` where there is neither, or both."""
    from kleiber.experts.read import array_of, read_trace
    from kleiber.experts.trace import RoutingTrace

    if trace is not None and loads is None:
        return read_trace(trace)
    if loads is not None and trace is None:
        found = array_of(Path(loads))
        if found.ndim != 2:
            raise InputError("loads are layers x experts", found=f"shape {found.shape}", where=loads)
        return RoutingTrace.from_counts(found, source=loads)
    raise InputError(
        "no loads" if trace is None else "a trace and loads", expected="a TRACE or --loads FILE.npy, not both"
    )


COMMAND = Command(group="experts", name="place", title="Where each expert sits, and how far that is from the best.",
                  run=place, schema=SCHEMA)  # fmt: skip
