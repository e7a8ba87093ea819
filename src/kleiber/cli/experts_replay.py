"""`kleiber experts replay TRACE --cluster CLUSTER.toml`: when re-planning would have paid, on a trace that is already there."""

from __future__ import annotations

from typing import Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.experts_place import ClusterFile, Groups, Hierarchical, PolicyName, chosen_groups
from kleiber.cli.options import Output, amount

SCHEMA = "kleiber/experts-replay/1"
Trace = Annotated[str, typer.Argument(metavar="TRACE", help="A routing trace of several steps.")]
Windows = Annotated[int, typer.Option(min=2, help="Stretches of equal length that the trace is cut into.")]
MoveTokens = Annotated[
    str | None,
    typer.Option(metavar="N", help="Assignments a device serves while it receives one expert. [default: 2700]"),
]


def replay(
    trace: Trace,
    cluster: ClusterFile,
    output: Output,
    policy: PolicyName = "window-fill",
    windows: Windows = 8,
    hierarchical: Hierarchical = False,
    groups: Groups = None,
    move_tokens: MoveTokens = None,
) -> None:
    """Replay a trace under rules of re-planning (never, every window, where it pays), each plan judged on the window after it."""
    from kleiber.experts import words
    from kleiber.experts.cluster import read_cluster
    from kleiber.experts.placement import find
    from kleiber.experts.read import read_trace
    from kleiber.experts.replay import MOVE_TOKENS
    from kleiber.experts.replay import replay as replayed

    chosen, devices = find(policy), read_cluster(cluster)
    price = MOVE_TOKENS if move_tokens is None else amount(move_tokens, "--move-tokens")
    known = read_trace(trace)
    kept = chosen_groups(hierarchical, groups, known.experts, devices)
    with screen.working("replaying"):
        found = replayed(known, devices, chosen, windows=windows, groups=kept, move_tokens=price)
    if output.as_json:
        from kleiber.cli.provenance import stamped, versions

        screen.emit_json(stamped(found.to_json(), {"source": known.source, "versions": versions()}))
        return
    first, *rest = words.of_replay(found)
    screen.say((first, "bold"))
    screen.table(*words.replay_table(found))
    for line in rest:
        screen.hang(" ", line, at=2)


COMMAND = Command(group="experts", name="replay", title="When re-planning would have paid.", run=replay, schema=SCHEMA)
