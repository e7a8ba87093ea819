"""`kleiber lab mend`: the rungs that lie above their neighbours, and a ladder that tries other learning rates for them."""

from __future__ import annotations

from typing import Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.lab_options import Results, results_folder
from kleiber.cli.options import Output, destination

SCHEMA = "kleiber/lab-mend/1"
Ladder = Annotated[
    str, typer.Argument(metavar="LADDER.toml", help="A ladder whose runs are finished, or many of them.")
]
Out = Annotated[
    str, typer.Option("--out", "-o", metavar="MENDED.toml", help="The ladder to write: read it, then run it.")
]


def mend(ladder: Ladder, out: Out, output: Output, results: Results = None) -> None:
    """Name the rungs that end worse than their neighbours, and write the ladder with two runs more for each of theirs.

    Half and twice the learning rate. Nothing is trained: read the file, then `kleiber lab run` it on the same results.
    """
    from kleiber.fit.store import write_whole
    from kleiber.lab.mend import mend as propose
    from kleiber.quantity import show

    target = destination(out)
    folder = results_folder(results, ladder)
    found = propose(ladder, folder)
    if found.stages:
        write_whole(target, found.toml(ladder))
    if output.as_json:
        rungs = [{"params": each.params, "offset": each.offset, "z": each.z} for each in found.rungs]
        file = str(target) if found.stages else None
        screen.emit_json(
            {
                "schema": SCHEMA,
                "rungs": rungs,
                "stages": len(found.stages),
                "left_alone": list(found.left_alone),
                "file": file,
            }
        )
        return
    for each in found.rungs:
        screen.say(f"{show(each.params)} params lie {each.offset:.1%} above their neighbours (z = {each.z:.1f}).")
    for run in found.left_alone:
        screen.say(f"Run {run} has no stage of its own to change: nothing is proposed for it.")
    if found.stages:
        screen.say(f"{len(found.stages)} runs more, at half and twice the rate: {target}")
        screen.say(f"Read it, then: kleiber lab run {target} --results {folder}")
    else:
        screen.say(
            "No rung lies above its neighbours: nothing is written." if not found.rungs else "Nothing is written."
        )


COMMAND = Command(
    group="lab", name="mend", title="Propose other learning rates for rungs that are off.", run=mend, schema=SCHEMA
)
