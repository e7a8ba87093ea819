"""`kleiber experts stats TRACE`: how uneven the experts are, and whether that is more than noise."""

from __future__ import annotations

from typing import Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.experts_place import Loads, Trace, read_input
from kleiber.cli.options import Output

SCHEMA = "kleiber/experts-stats/1"
ClusterFile = Annotated[
    str | None,
    typer.Option("--cluster", metavar="CLUSTER.toml", help="Balance of devices and nodes too, experts in order."),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed prints the same bytes.")]


def stats(
    output: Output, trace: Trace = None, loads: Loads = None, cluster: ClusterFile = None, seed: Seed = 0
) -> None:
    """The balance of experts (and of devices and nodes), beside what a perfectly uniform router would show at as many tokens."""
    from kleiber.experts import words
    from kleiber.experts.balance import statistics
    from kleiber.experts.cluster import read_cluster
    from kleiber.experts.placement.static import in_order

    known = read_input(trace, loads)
    places = {}
    if cluster is not None:
        devices = read_cluster(cluster)
        device_E = in_order(known.experts, devices)
        places = {"devices": device_E, "nodes": devices.node_G[device_E]}
    found = statistics(known, places=places, seed=seed)
    if output.as_json:
        from kleiber.cli.provenance import stamped, versions

        screen.emit_json(stamped(found.to_json(), {"seed": seed, "versions": versions()}))
        return
    first, *rest = words.of_statistics(found)
    screen.say((first, "bold"))
    heads = ("", "max violation", "balancedness", "noise floor", "idle", "variation")
    rows = []
    for name, each in found.balance.items():
        floor = "-" if each.floor_L3 is None else f"{each.floor_L3[:, 1].mean():.3f}"
        values = (each.violation_L.mean(), each.balancedness_L.mean())
        rest_of = (f"{100 * each.idle_L.mean():.1f} %", f"{each.variation_L.mean():.3f}")
        rows.append((name, *(f"{value:.3f}" for value in values), floor, *rest_of))
    screen.table(heads, rows)
    for line in rest:
        screen.hang(" ", line, at=2)


COMMAND = Command(
    group="experts", name="stats", title="How uneven the experts are, beside noise.", run=stats, schema=SCHEMA
)
