"""`kleiber chart FIT KIND -o chart.svg`: one chart, as a picture, a page or its specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import failure, screen
from kleiber.cli.command import Command
from kleiber.cli.options import FitOrRuns, Fitting, Output, Reading, budget, destination, fit_of
from kleiber.errors import InputError, Refusal, did_you_mean

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.plan import Path, Plan

SCHEMA = "kleiber/chart/1"
Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="compute, equal-compute, contours, forecast, residuals, parameters, optimum, rules, heldout or drift.",
    ),
]
Out = Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="Ends in .svg, .png, .pdf, .html or .json.")]
Flops = Annotated[str, typer.Option(metavar="QUANTITY", help="The budget that the chart looks at, or a multiple.")]
STEPS = 60


def chart(
    fit: FitOrRuns, kind: Kind, out: Out, reading: Reading, fitting: Fitting, output: Output, flops: Flops = "1000x"
) -> int:
    """Draw one chart of a fit. Charts need no browser; .json is the Vega-Lite specification."""
    from kleiber.figures import save

    target = destination(out)
    if kind not in KINDS:
        raise InputError(f"no chart {kind!r}", remedy=did_you_mean(kind, KINDS))
    found = fit_of(fit, reading, fitting)
    if found.outcome.refused:
        return failure.refuse_fit(found, schema=SCHEMA if output.as_json else None)
    with screen.working("drawing"):
        drawn = KINDS[kind](found, budget(flops, "--flops", found))
        if drawn is None:
            raise Refusal(
                f"This fit has no {kind} chart",
                remedy="hand in the run table itself, with --bootstrap, and a law of params and tokens",
            )
        save(drawn, target)
    if output.as_json:
        from kleiber.cli.provenance import of_fit, stamped

        screen.emit_json(stamped({"schema": SCHEMA, "kind": kind, "file": str(target)}, of_fit(found)))
    else:
        screen.say(f"The chart: {target}")
    return 0


def _compute(fit: Fit, flops: float) -> Any:
    from kleiber import figures

    return figures.loss_against_compute(fit, _path(fit, flops))


def _equal_compute(fit: Fit, flops: float) -> Any:
    from kleiber import figures

    return figures.loss_at_equal_compute(fit)


def _contours(fit: Fit, flops: float) -> Any:
    from kleiber import figures

    return figures.contours(fit, _path(fit, flops), _plan(fit, flops))


def _forecast(fit: Fit, flops: float) -> Any:
    from kleiber import figures

    return figures.forecast_curve(fit, _path(fit, 10 * flops), _plan(fit, flops))


def _residuals(fit: Fit, flops: float) -> Any:
    from kleiber import figures

    return figures.residuals(fit)


def _parameters(fit: Fit, flops: float) -> Any:
    from kleiber import figures

    return figures.parameter_cloud(fit)


def _optimum(fit: Fit, flops: float) -> Any:
    from kleiber import figures

    return figures.optimum_cloud(_plan(fit, flops))


def _rules(fit: Fit, flops: float) -> Any:
    from kleiber import figures
    from kleiber.fit import allocation

    return figures.rules_against_runs(allocation(fit))


def _heldout(fit: Fit, flops: float) -> Any:
    from kleiber import figures

    return figures.heldout_errors(_backtest(fit), _table(fit))


def _drift(fit: Fit, flops: float) -> Any:
    from kleiber import figures
    from kleiber.fit import allocation

    return figures.allocation_by_cut(_backtest(fit), allocation(fit))


KINDS: Mapping[str, Callable[[Fit, float], Any]] = {
    "compute": _compute,
    "equal-compute": _equal_compute,
    "contours": _contours,
    "forecast": _forecast,
    "residuals": _residuals,
    "parameters": _parameters,
    "optimum": _optimum,
    "rules": _rules,
    "heldout": _heldout,
    "drift": _drift,
}


def _plan(fit: Fit, flops: float) -> Plan:
    from kleiber.plan import plan

    return plan(fit, flops=flops)


def _path(fit: Fit, flops: float) -> Path:
    """The optimum from the smallest run's compute to `flops`."""
    import numpy as np

    from kleiber.plan import path

    low = fit.runs.ranges["flops"][0] if "flops" in fit.runs.ranges else flops / 1e6
    return path(fit, np.geomspace(low, max(flops, 10 * low), STEPS))


def _table(fit: Fit) -> Any:
    if fit.table is None:
        raise InputError("this chart needs the runs", remedy="hand in the run table in place of the fit file")
    return fit.table


def _backtest(fit: Fit) -> Any:
    from kleiber.fit import backtest

    return backtest(
        _table(fit), [fit.law], objective=fit.objective, seed=fit.seed, fixed=fit.fixed, cluster=fit.cluster
    )


COMMAND = Command(name="chart", title="One chart, as a picture or a specification.", run=chart, schema=SCHEMA)
