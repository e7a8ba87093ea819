"""The lab's registry, live: how each run stands, and where the law of the finished ones expects the rest to end.

One idea: looking changes nothing. With a ladder's file its curves foretell the runs underway; with a registry alone the finished
rows do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.app.repeat import Repeat

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.lab.registry.runs import Entry

FEWEST, DRAWS, STARTS = 8, 200, 16
_OBSERVERS: dict[str, Any] = {}
_LAWS: dict[tuple[str, ...], Any] = {}


def status(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber lab status`, with forecasts and a chart."""
    from kleiber.cli.lab_options import need
    from kleiber.errors import InputError

    need("sqlalchemy", "the registry needs SQLAlchemy")
    if asked["ladder"]:
        return _of_ladder(asked)
    if not asked["registry"]:
        raise InputError("no registry was named", remedy="start the page with --registry URL, or --ladder LADDER.toml")
    return _of_registry(asked)


def _of_registry(asked: dict[str, Any]) -> dict[str, Any]:
    from kleiber.lab.registry import open_registry
    from kleiber.lab.status import registry_status

    registry = open_registry(asked["registry"], make=False)
    found = registry_status(registry, Path(asked["results"] or "results"))
    entries = {entry.run: entry for entry in registry.entries()}
    laws = _laws(list(entries.values()))
    runs = [{**run, **_expected(entries[run["run"]], laws)} for run in found.to_json()["runs"]]
    words = [f"{family}: {_words(law)}" for family, law in laws.items()]
    result = {"schema": "kleiber/lab-status/1", **found.to_json()}
    repeat = Repeat({}, "lab", "status").option("--registry", _without_password(asked["registry"]))
    return repeat.answer(result, "", runs=runs, law="; ".join(words) or None, spec=_chart(runs), left_seconds=None)


def _without_password(url: str) -> str:
    import sqlalchemy as sa

    return sa.engine.make_url(url).render_as_string(hide_password=True)


def _laws(entries: list[Entry]) -> dict[str, Fit]:
    """Chinchilla's form of each family's finished runs, where there are enough."""
    from kleiber.errors import KleiberError
    from kleiber.fit import fit
    from kleiber.runs import RunTable

    found = {}
    for family in sorted({entry.config["family"] for entry in entries}):
        rows = [
            entry.result
            for entry in entries
            if entry.state == "done" and entry.config["family"] == family and entry.result
        ]
        if len(rows) < FEWEST:
            continue
        columns = {
            "params": [float(row.get("active_params") or row["params"]) for row in rows],
            "tokens": [float(row["tokens"]) for row in rows],
            "loss": [float(row["loss"]) for row in rows],
        }
        key = (family, str(columns))
        if key not in _LAWS:
            try:
                law = fit(RunTable.of(columns, source="the registry"), bootstrap=DRAWS, starts=STARTS)
            except KleiberError:
                continue
            _LAWS.clear()
            _LAWS[key] = law
        if not _LAWS[key].outcome.refused:
            found[family] = _LAWS[key]
    return found


def _expected(entry: Entry, laws: dict[str, Fit]) -> dict[str, Any]:
    """What the law expects of a run that has not ended."""
    label = f"{entry.config['family']} · width {entry.config['shape']['width']} · seed {entry.config['seed']}"
    told: dict[str, Any] = {"label": label, "expected": None, "low": None, "high": None}
    law, params = laws.get(entry.config["family"]), _params(entry)
    if entry.state in ("done", "failed") or law is None or params is None:
        return told
    answer = law.forecast(params=params, tokens=float(entry.config["tokens"]))
    ends = answer.new_run_interval or (answer.loss, answer.loss)
    return told | {"expected": answer.loss, "low": ends[0], "high": ends[1]}


def _params(entry: Entry) -> float | None:
    """Active params of a run, from its row or from the dimensions of a dense shape."""
    from kleiber.lab.shape import DenseShape

    if entry.result:
        return float(entry.result.get("active_params") or entry.result["params"])
    try:
        return float(DenseShape(**entry.config["shape"]).params)
    except TypeError:
        return None


def _words(law: Fit) -> str:
    numbers = law.parameters
    return (
        f"{numbers['E']:.3f} + {numbers['A']:.3g}/params^{numbers['alpha']:.3f} + "
        f"{numbers['B']:.3g}/tokens^{numbers['beta']:.3f} from {law.runs.count} runs"
    )


def _of_ladder(asked: dict[str, Any]) -> dict[str, Any]:
    from kleiber.cli.lab_live import _as_json, _observer
    from kleiber.cli.lab_options import results_folder
    from kleiber.errors import InputError

    path, folder = asked["ladder"], results_folder(asked["results"], asked["ladder"])
    if not folder.is_dir():
        raise InputError("nothing has been trained there", expected="a results folder", where=str(folder))
    if path not in _OBSERVERS:
        _OBSERVERS[path] = _observer(path, folder, asked["registry"])
    standing = _OBSERVERS[path].look()
    told = _as_json(standing)
    runs = []
    for run in told["runs"]:
        outlook = run["outlook"] or {}
        low, high = outlook.get("ci95") or (None, None)
        runs.append(
            {**run, "expected": outlook.get("value"), "low": low, "high": high, "reason": "; ".join(run["remarks"])}
        )
    counts = {state: standing.count(state) for state in ("done", "running", "queued", "stopped", "failed")}  # type: ignore[arg-type]
    result = {"schema": "kleiber/lab-watch/1", **told, "counts": counts}
    repeat = Repeat({}, "lab", "watch").say(path).option("--results", asked["results"])
    if asked["registry"]:
        repeat.option("--registry", _without_password(asked["registry"]))
    return repeat.answer(result, "", runs=runs, law=standing.law, spec=_chart(runs), left_seconds=standing.left_seconds)


def _chart(runs: list[dict[str, Any]]) -> dict[str, Any] | None:
    from kleiber.figures import ladder_chart
    from kleiber.figures.files import specification

    drawn = ladder_chart(runs, "The ladder so far")
    return None if drawn is None else specification(drawn)
