"""Questions about a law: the fit with its analyses, laws compared by hidden runs, one forecast."""

from __future__ import annotations

from typing import Any

from kleiber.app.memory import fit_of, options, table_of
from kleiber.app.repeat import Repeat, call


def fit(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber fit --no-backtest`: parameters, intervals, allocation; a refused fit says why."""
    from kleiber.cli import analyses
    from kleiber.cli.fit import as_json

    found = fit_of(asked)
    wanted = ["allocation"] if len(found.draws_BP) and not found.outcome.refused else []
    extra = analyses.of(found, wanted)
    repeat = Repeat(asked, "fit").say("--no-backtest")
    said = [sentence for answer in extra.values() for sentence in answer.sentences]
    return repeat.answer(as_json(found, extra), "{fit}\nprint(fit)", sentences=said, ranges=_ranges(found))


def _ranges(found: Any) -> dict[str, list[float]]:
    """The least and the greatest value of every column of the runs: what sliders move between."""
    return {name: list(ends) for name, ends in found.runs.ranges.items()}


def backtest(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber backtest`: laws ranked by the runs that they did not see."""
    from kleiber.cli.backtest import laws_for
    from kleiber.cli.provenance import of_runs, stamped
    from kleiber.fit import backtest as judge

    table = table_of(asked)
    fitting = options(asked["fitting"])
    laws = laws_for(table, asked["laws"])
    result = judge(table, laws, folds=asked["folds"], cluster=fitting.cluster, **fitting.settings())
    payload = stamped({**result.to_json(), "runs": of_runs(table)["runs"]}, of_runs(table))
    repeat = Repeat(asked | {"fitting": asked["fitting"] | {"law": None}}, "backtest")
    for law in asked["laws"]:
        repeat.option("--law", law)
    repeat.option("--folds", asked["folds"], 4)
    python = call("kleiber.backtest", "runs", laws=laws, folds=asked["folds"], **_settings(asked["fitting"]))
    return repeat.answer(payload, f"print({python})", sentences=list(result.sentences()))


def _settings(fitting: dict[str, Any]) -> dict[str, Any]:
    return {
        "starts": fitting["starts"],
        "bootstrap": fitting["bootstrap"],
        "seed": fitting["seed"] or None,
        "fixed": fitting["fix"],
        "cluster": fitting["cluster"],
    }


def forecast(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber forecast`: the loss of one run."""
    from kleiber.cli.options import points
    from kleiber.cli.provenance import of_fit, stamped

    found = fit_of(asked)
    found.usable()
    named = {name: asked[name] for name in ("params", "tokens", "flops")}
    where = points(named, [f"{name}={value!r}" for name, value in asked["at"].items()])
    answer = found.forecast(level=asked["level"], **where)
    repeat = Repeat(asked, "forecast")
    for name, value in named.items():
        repeat.option(f"--{name}", value)
    repeat.option("--at", asked["at"]).option("--level", asked["level"], 0.95)
    given = {**where, "level": asked["level"] if asked["level"] != 0.95 else None}
    python = "{fit}\nprint(" + call("fit.forecast", "", **given).replace("(, ", "(") + ")"
    return repeat.answer(stamped(answer.to_json(), of_fit(found)), python, sentences=[answer.sentence()])
