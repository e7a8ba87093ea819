"""`kleiber diagnose dfa`, `powerlaw`, `avalanches` and their kin: scale invariance of a series."""

from __future__ import annotations

from typing import Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.diagnose_show import SCHEMA, show
from kleiber.cli.options import Output, destination
from kleiber.errors import InputError
from kleiber.finding import Finding

Series = Annotated[str, typer.Argument(metavar="FILE", help="A series: .npy, CSV or Parquet.")]
Values = Annotated[str, typer.Argument(metavar="FILE", help="A sample of positive values: .npy, CSV or Parquet.")]
Column = Annotated[str | None, typer.Option(metavar="NAME", help="The column, where there are several.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed prints the same bytes.")]
ChartFile = Annotated[
    str | None, typer.Option("--chart", metavar="FILE", help="Draw it: ends in .svg, .png, .pdf, .html or .json.")
]
Order = Annotated[int, typer.Option(min=1, max=2, help="Windows are detrended by a line (1) or a parabola (2).")]
Surrogates = Annotated[int, typer.Option(min=39, max=10_000, help="Surrogate series of each kind.")]


def dfa(
    series: Series,
    output: Output,
    column: Column = None,
    order: Order = 1,
    surrogates: Surrogates = 99,
    chart: ChartFile = None,
    seed: Seed = 0,
) -> int:
    """Does what happens now bear on what happens much later? Detrended fluctuation analysis against surrogate series.

    With it tests for a crossover and for bursts within bursts, and the exponent of the spectrum.
    """
    from kleiber.diagnose import criticality
    from kleiber.diagnose.read import read_series

    target = destination(chart) if chart else None
    values = read_series(series, column)
    with screen.working("drawing surrogate series"):
        found = criticality.dfa(values, order=order, surrogates=surrogates, seed=seed)
        if isinstance(found, Finding):
            return show([found], output)
        bend = criticality.crossover(values, order=order, surrogates=surrogates, seed=seed)
        bursts = criticality.self_similarity(values, order=order, surrogates=surrogates, seed=seed)
    if target is not None:
        from kleiber.figures import fluctuation_chart, save

        save(fluctuation_chart(found), target)
    bent = bend if isinstance(bend, Finding) else bend.finding
    return show([found.finding, bent, bursts, criticality.spectral_exponent(values)], output, asked=[found.finding])


Xmin = Annotated[
    float | None, typer.Option(min=0, help="Where the tail starts, where that is known. [default: searched]")
]
Discrete = Annotated[
    bool | None,
    typer.Option("--discrete/--continuous", help="What the values are. [default: discrete if all are integers]"),
]
Draws = Annotated[int, typer.Option(min=0, max=100_000, help="Samples that judge the fit; 0 for none.")]


def powerlaw(
    values: Values,
    output: Output,
    column: Column = None,
    xmin: Xmin = None,
    discrete: Discrete = None,
    draws: Draws = 100,
    chart: ChartFile = None,
    seed: Seed = 0,
) -> int:
    """Is it a power law? Most data cannot tell it from a lognormal.

    The tail's start and exponent, whether a power law could have given it, and whether it fits better than a lognormal, a
    power law with a cut-off, a stretched exponential or an exponential.
    """
    from kleiber.diagnose import criticality
    from kleiber.diagnose.read import read_series

    target = destination(chart) if chart else None
    sample = read_series(values, column)
    with screen.working("fitting tails"):
        found = criticality.power_law(sample, xmin=xmin, discrete=discrete, draws=draws, seed=seed)
    if isinstance(found, Finding):
        return show([found], output)
    if target is not None:
        from kleiber.figures import save, tail_chart

        save(tail_chart(found), target)
    return show(found.findings, output, asked=[found.finding])


Activity = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="Activity per step, a column for each unit, or times of events: .npy, CSV, Parquet."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(help="Activity above this is an avalanche. [default: 0 where steps are silent, else the median]"),
]
Events = Annotated[bool, typer.Option("--events", help="The file holds times of events, to be counted in bins.")]
Bin = Annotated[float | None, typer.Option("--bin", help="Width of a bin. [default: the mean time between events]")]


def avalanches(
    activity: Activity,
    output: Output,
    threshold: Threshold = None,
    events: Events = False,
    width: Bin = None,
    seed: Seed = 0,
) -> int:
    """Does activity come in avalanches as near a critical point? Three exponents that must hang together; the branching ratio."""
    from kleiber.diagnose import criticality
    from kleiber.diagnose.read import read_matrix

    matrix = read_matrix(activity)
    if width is not None and not events:
        raise InputError("bins are for times of events", where="--bin", remedy="add --events")
    counts = criticality.binned(matrix.ravel(), width) if events else matrix.sum(axis=1)
    with screen.working("resampling avalanches"):
        found = criticality.exponents(criticality.avalanches(counts, threshold=threshold), seed=seed)
        ratio = criticality.branching_ratio(counts, seed=seed) if counts.min() >= 0 else None
    findings = [found if isinstance(found, Finding) else found.finding]
    if ratio is not None:
        findings.append(ratio if isinstance(ratio, Finding) else ratio.finding)
    return show(findings, output, asked=findings[:1])


Weights = Annotated[
    str, typer.Argument(metavar="FILE", help="A weight matrix, or a series in one column: .npy, CSV or Parquet.")
]


def spectrum(weights: Weights, output: Output) -> int:
    """What a spectrum says that noise would not: eigenvalues of a weight matrix beyond Marchenko and Pastur's edge.

    Of a file with one column, a series, it is the exponent of the power spectrum at low frequencies.
    """
    from kleiber.diagnose import criticality
    from kleiber.diagnose.read import read_matrix

    matrix = read_matrix(weights)
    if matrix.shape[1] == 1:
        return show([criticality.spectral_exponent(matrix[:, 0])], output)
    found = criticality.weight_spectrum(matrix)
    findings = (found,) if isinstance(found, Finding) else found.findings
    return show(findings, output, asked=findings[:1])


COMMANDS: tuple[Command, ...] = (
    Command(group="diagnose", name="dfa", title="Long memory in a series.", run=dfa, schema=SCHEMA),
    Command(group="diagnose", name="powerlaw", title="Is a tail a power law?", run=powerlaw, schema=SCHEMA),
    Command(
        group="diagnose", name="avalanches", title="Activity near a critical point?", run=avalanches, schema=SCHEMA
    ),
    Command(
        group="diagnose",
        name="spectrum",
        title="A weight matrix or a series against noise.",
        run=spectrum,
        schema=SCHEMA,
    ),
)
