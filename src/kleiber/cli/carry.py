"""`kleiber carry FIT RUNS`: does the law of one recipe predict the runs of a tweaked one?"""

from __future__ import annotations

from typing import Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.forecast import Level
from kleiber.cli.options import Output, Reading

SCHEMA = "kleiber/carry/1"
FitFile = Annotated[
    str, typer.Argument(metavar="FIT", help="The law of the recipe in use: a file that `kleiber fit -o` wrote.")
]
Tweaked = Annotated[str, typer.Argument(metavar="RUNS", help="Runs of the tweaked recipe, counted in the same way.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Runs that share it share half of their scatter, as branches of a trunk do."),
]


def carry(
    fit: FitFile, runs: Tweaked, reading: Reading, output: Output, cluster: Cluster = None, level: Level = 0.95
) -> int:
    """Say whether a fitted law holds for a tweaked recipe: as it is, with one factor on params, or not at all.

    The tweaked runs are not fitted: they are held against the law's own doubt and the scatter of single runs. Where the law does
    not hold the exit code is 1, and what would help is said.
    """
    from kleiber.fit import load
    from kleiber.fit.carry import carry as judge

    found = load(fit)
    table = reading.table(runs)
    answer = judge(found, table, cluster=cluster, level=level)
    refused = answer.verdict == "does not hold"
    if output.as_json:
        from kleiber.cli.provenance import of_fit, of_runs, stamped

        tweaked = {"tweaked": of_runs(table)["runs"]}
        remedy = {"remedy": answer.remedy} if refused else {}
        screen.emit_json(stamped(answer.to_json() | remedy | tweaked, of_fit(found)))
        return int(refused)
    first, *rest = answer.sentences()
    screen.hang("", first, at=0)
    for sentence in rest:
        screen.hang("  ", sentence, at=2)
    if refused:
        screen.hang("  ", f"→ {answer.remedy}", at=2)
    return int(refused)


COMMAND = Command(name="carry", title="Whether a law holds for a tweaked recipe.", run=carry, schema=SCHEMA)
