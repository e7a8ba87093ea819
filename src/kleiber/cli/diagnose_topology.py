"""`kleiber diagnose topology`, `trajectory` and `alarm`: test error without a test set.

One idea: each reads arrays, asks the functions of `kleiber.diagnose.topology` and prints their findings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.diagnose_show import SCHEMA, show
from kleiber.cli.options import Output
from kleiber.errors import InputError, Refusal
from kleiber.finding import Finding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kleiber.diagnose.topology import Topology

Answer = TypeVar("Answer")
ACTIVATIONS_HELP = "Activations on training inputs, .npy, CSV or Parquet: a row per input, a column per unit."
Array = Annotated[str, typer.Argument(metavar="ACTIVATIONS", help=ACTIVATIONS_HELP)]
Path = Annotated[
    str, typer.Argument(metavar="WEIGHTS", help="Iterates of the weights in order, one row each: .npy, CSV or Parquet.")
]
Estimates = Annotated[
    str,
    typer.Argument(metavar="ESTIMATES", help="Estimated gaps in the order of the checkpoints: .npy, CSV or Parquet."),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed prints the same bytes.")]


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """How the functional graph is measured."""

    units: Annotated[int, typer.Option(min=0, help="Units sampled at random; 0 for all.")] = 256
    cutoff: Annotated[float, typer.Option(help="Longest distance between units, 1 - |corr|.")] = 0.7
    field: Annotated[int, typer.Option(metavar="P", help="Loops are counted over Z/P: 2, 3, 5, 7, 11 or 13.")] = 2
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for the loops; beyond it they are refused.")] = 10.0
    loops: Annotated[bool, typer.Option("--loops/--no-loops", help="Without: only the tree, which needs no gudhi.")] = (
        True
    )
    seed: Seed = 0

    def __call__(self, activations_NU: NDArray[np.float64]) -> Topology:
        """Measure one run."""
        from kleiber.diagnose.topology import topology

        return topology(
            activations_NU,
            units=self.units or None,
            loops_too=self.loops,
            cutoff=self.cutoff,
            field=self.field,
            seconds=self.seconds,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True)
class Referring:
    """What the gap is calibrated on and held against."""

    reference: Annotated[
        str | None,
        typer.Option(metavar="RUNS", help="Your runs with known gaps: family, gap, and life, midlife or activations."),
    ] = None
    features: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Of life, midlife, mean_edge, edge_spread. [default: life,midlife]"),
    ] = None
    tolerated: Annotated[float, typer.Option(help="The gap that is tolerated, as a share.")] = 0.05
    logits: Annotated[
        str | None, typer.Option(metavar="FILE", help="Answers to the same inputs, for loss and margin.")
    ] = None
    labels: Annotated[str | None, typer.Option(metavar="FILE", help="Their labels, from 0 on.")] = None
    write: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the reference with its topology, so that it is measured once."),
    ] = None


def topology(activations: Array, measuring: Measuring, referring: Referring, output: Output) -> int:
    """The shape of a network's activations on training inputs, and the gap to its test error calibrated on your own runs.

    Without --reference it says what the shape is; with it, what gap that stands for, beside what is free.
    """
    from kleiber.diagnose.read import read_matrix
    from kleiber.diagnose.topology import functional_structure
    from kleiber.diagnose.topology.refusal import refused

    values_NU = read_matrix(activations)
    rivals = _rivals(referring, len(values_NU))
    with screen.working("looking for structure"):
        findings = [_of_file(activations, lambda: functional_structure(values_NU, seed=measuring.seed))]
    try:
        with screen.working("looking for loops"):
            found = measuring(values_NU)
    except Refusal as refusal:
        without = refused("functional_topology", refusal)
        return show([*findings, without], output, asked=[without])
    asked: Sequence[Finding] = [_shape(found)]
    findings += asked
    if referring.reference is not None:
        gap = _gap(found, rivals, measuring, referring)
        findings += gap
        asked = gap[:1]
    elif referring.write or referring.features:
        raise InputError(
            "--write and --features belong to --reference", remedy="name the reference runs: --reference RUNS.csv"
        )
    return show(findings, output, asked=asked)


def trajectory(
    weights: Path,
    output: Output,
    alpha: Annotated[float, typer.Option(help="The power of the edges of the tree.")] = 1.0,
    scale: Annotated[
        float | None, typer.Option(help="Of the distances, for the magnitude. [default: one over the median distance]")
    ] = None,
    seed: Seed = 0,
) -> int:
    """The path of the weights through training beside random walks of its own steps: dimension, lifetimes, magnitude."""
    from kleiber.diagnose.read import read_matrix
    from kleiber.diagnose.topology import trajectory_findings

    path_TP = read_matrix(weights)
    with screen.working("walking at random"):
        findings = _of_file(
            weights,
            lambda: trajectory_findings(path_TP, alpha=alpha, scale=scale, seed=seed),
        )
    return show(findings, output)


def alarm(
    estimates: Estimates,
    output: Output,
    tolerated: Annotated[
        float | None, typer.Option(help="The gap that is tolerated, as a share; without it only growth is looked for.")
    ] = None,
    column: Annotated[str | None, typer.Option(metavar="NAME", help="The column, where there are several.")] = None,
    sound: Annotated[
        str | None,
        typer.Option(
            metavar="LOOKS", help="Looks at runs known not to overfit, at the same steps: run, step and the column."
        ),
    ] = None,
    lower: Annotated[
        bool, typer.Option("--lower", help="With --sound: lower is worse, as of a training loss.")
    ] = False,
    level: Annotated[float, typer.Option(help="The share of false alarms, ever.")] = 0.05,
    seed: Seed = 0,
) -> int:
    """Has the estimated gap gone above what is tolerated, or grown? False alarms stay rare however often you look.

    With --sound: does the run lie above sound runs at the same steps? Every measure grows while a network is young, so that
    growth by itself is then not asked.
    """
    from kleiber.diagnose.read import read_series
    from kleiber.diagnose.topology import gap_above, gap_growth

    if lower and sound is None:
        raise InputError("--lower belongs to --sound", remedy="name the looks at sound runs: --sound LOOKS.csv")
    values_T = read_series(estimates, column)

    def ask() -> list[Finding]:
        above = [gap_above(values_T, tolerated=tolerated, level=level)] if tolerated is not None else []
        if sound is not None:
            return [*above, _beside(sound, estimates, column, lower, level)]
        return [*above, gap_growth(values_T, level=level, seed=seed)]

    return show(_of_file(estimates, ask), output)


def _beside(sound: str, estimates: str, column: str | None, lower: bool, level: float) -> Finding:
    """A run's looks beside those at sound runs; too few of these is an answer."""
    from kleiber.diagnose.read import read_series
    from kleiber.diagnose.topology import above_sound_runs
    from kleiber.diagnose.topology.matched import NAME
    from kleiber.diagnose.topology.reference_file import read_sound
    from kleiber.diagnose.topology.refusal import refused

    if column is None:
        raise InputError("--sound compares one column of both files", remedy="name it with --column")
    try:
        runs = read_sound(sound, column, lower=lower)
    except Refusal as refusal:
        return refused(NAME, refusal)
    looks_S = runs.looks(read_series(estimates, "step"), read_series(estimates, column))
    return above_sound_runs(looks_S, runs.value_RS, lower=lower, level=level)


def _gap(found: Topology, rivals: dict[str, float], measuring: Measuring, referring: Referring) -> Sequence[Finding]:
    """The findings on the gap; a reference that does not suffice is an answer."""
    from kleiber.diagnose.topology import estimated_gap
    from kleiber.diagnose.topology.reference_file import read_reference, runs_of, same_settings, write_reference
    from kleiber.diagnose.topology.refusal import refused

    assert referring.reference is not None
    with screen.working("measuring the reference runs"):
        table = read_reference(referring.reference, measuring)
    same_settings(table, found)
    if referring.write:
        write_reference(table, referring.write)
    default = "life,midlife" if measuring.loops else "mean_edge,edge_spread"
    names = [name.strip() for name in (referring.features or default).split(",") if name.strip()]
    run = {name: found.feature(name) for name in names if name in ("life", "midlife", "mean_edge", "edge_spread")}
    try:
        runs = runs_of(table)
        answer = estimated_gap(
            {**run, **rivals}, runs, features=names, tolerated=referring.tolerated, seed=measuring.seed
        )
    except Refusal as refusal:
        return [refused("topology_gap", refusal)]
    return answer.findings


def _rivals(referring: Referring, inputs: int) -> dict[str, float]:
    """Error, loss and margin of the run, where logits and labels are given."""
    from kleiber.diagnose.read import read_matrix, read_series
    from kleiber.diagnose.topology.answers import free_rivals

    if (referring.logits is None) != (referring.labels is None):
        raise InputError("--logits and --labels go together", remedy="give both, or neither")
    if referring.logits is None or referring.labels is None:
        return {}
    logits_NC, labels_N = read_matrix(referring.logits), read_series(referring.labels)
    if len(logits_NC) != inputs:
        raise InputError(
            "logits and activations are of different inputs",
            where=referring.logits,
            found=f"{len(logits_NC)} and {inputs} rows",
        )
    try:
        return _of_file(referring.labels, lambda: free_rivals(logits_NC, labels_N))
    except Refusal as refusal:
        raise InputError(refusal.message, where=referring.labels, remedy=refusal.remedy) from None


def _shape(found: Topology) -> Finding:
    """The numbers of a functional graph as a finding."""
    from kleiber.diagnose.topology.graph import REFERENCE

    dead = f", {found.dead} more never change" if found.dead else ""
    graph = f"{found.units} of {found.live} live units over {found.inputs} inputs{dead}"
    tree = f"{graph}: tree with a mean edge of {found.mean_edge:.3f} (sd {found.edge_spread:.3f})"
    if found.cutoff is None:
        return Finding(
            name="functional_topology", verdict="found", evidence=f"{tree}.", value=found.mean_edge, reference=REFERENCE
        )
    setting = f"Z/{found.field}, up to distance {found.cutoff:g}"
    if found.life is None:
        return Finding(
            name="functional_topology", verdict="cannot tell", evidence=f"{tree}; no loop lives longer than 0.02 ({setting}).",
            remedy="a higher --cutoff or more --units; or estimate from --features mean_edge,edge_spread", reference=REFERENCE,
        )  # fmt: skip
    alive = f", {found.alive} alive there" if found.alive else ""
    means = f"mean life {found.life:.4f} and mid-life {found.midlife:.4f}"
    words = f"{tree}; {found.bars} loops longer than 0.02 with {means} ({setting}{alive})."
    caveats = (f"{found.alive} loops are alive at the cut-off and count as filled there",) if found.alive else ()
    return Finding(
        name="functional_topology",
        verdict="found",
        evidence=words,
        value=found.life,
        caveats=caveats,
        reference=REFERENCE,
    )


def _of_file(path: str, ask: Callable[[], Answer]) -> Answer:
    """What `ask` gives; an error about the array names its file."""
    try:
        return ask()
    except InputError as error:
        raise InputError(
            error.message, found=error.found, expected=error.expected, remedy=error.remedy, where=error.where or path
        ) from None


COMMANDS: tuple[Command, ...] = (
    Command(
        group="diagnose",
        name="topology",
        title="The gap to the test error, from activations.",
        run=topology,
        schema=SCHEMA,
    ),
    Command(
        group="diagnose",
        name="trajectory",
        title="The path of the weights beside random walks.",
        run=trajectory,
        schema=SCHEMA,
    ),
    Command(
        group="diagnose", name="alarm", title="Does the estimated gap grow during training?", run=alarm, schema=SCHEMA
    ),
)
