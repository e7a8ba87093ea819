"""Questions of what to do: the plan, the frontier, the next runs.

One idea: what was asked is turned into the same keywords as the options of `kleiber plan`, so a plan of params and tokens and one
for the whole life of a model are the same question with more said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kleiber.app.asks import Reading
from kleiber.app.memory import FITS, fit_of, key_of
from kleiber.app.repeat import Code, Repeat, call, fit_call, runs_call
from kleiber.errors import InputError

MOST_DOTS = 300
LIMITS = ("max_params", "max_tokens")
NO_FITS: dict[str, Any] = {"also": None, "family_fit": None}  # files in a shell, tables here
RENAMED = {"family": "families", "minimise": "objective", "mfu": "training_efficiency"}


def plan(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber plan`."""
    from kleiber.cli.provenance import of_fit, stamped
    from kleiber.plan import plan as decide

    found = fit_of(asked)
    given = keywords(asked, found)
    found.usable()
    decision = decide(found, **given)
    heads, rows = decision.table_shown()
    result = stamped(decision.to_json(), of_fit(found))
    return repeated(asked, "plan").answer(
        result,
        "{fit}\nplan = " + call("kleiber.plan", "fit", **said(given, asked)) + "\nprint(plan)",
        sentences=list(decision.sentences()),
        table={"heads": list(heads), "rows": [list(row) for row in rows]},
        dots=_dots(decision),
        prices=_prices(decision),
        rules=_rules(decision),
    )


def decided(asked: dict[str, Any]) -> Any:
    """The plan itself, for charts."""
    from kleiber.plan import plan as decide

    found = fit_of(asked)
    found.usable()
    return decide(found, **keywords(asked, found))


def keywords(asked: dict[str, Any], found: Any) -> dict[str, Any]:
    """The keywords of `kleiber.plan` for what was asked."""
    from kleiber.cli.life import Life
    from kleiber.cli.options import amount, budget

    life = Life(
        **{name: value for name, value in asked["life"].items() if value not in (None, "", [], {})} | NO_FITS
    ).asked()
    given: dict[str, Any] = {
        name: amount(asked[name], "--" + name.replace("_", "-")) for name in LIMITS if asked[name]
    } | life
    if asked["serve_tokens"]:
        given["serve_tokens"] = asked["serve_tokens"] if life else amount(asked["serve_tokens"], "--serve-tokens")
    if not asked["flops"] and not life:
        raise InputError("a plan needs a budget", remedy="say how much compute, such as 5.76e23 or 1000x")
    if asked["flops"]:
        given["flops"] = budget(asked["flops"], "--flops", found)
    if asked["at"]:
        given["at"] = dict(asked["at"])
    if asked["life"]["also"]:
        given["also"] = [also_of(asked, law) for law in asked["life"]["also"]]
    if asked["life"]["family_fit"]:
        given["family_fits"] = {family: fit_of(own) for family, own in families_of(asked).items()}
    return given | {"near": asked["near"], "level": asked["level"]}


def also_of(asked: dict[str, Any], law: str) -> Any:
    """Another law of the same runs, fitted as `kleiber plan --also` does."""
    from kleiber.cli.plan import refitted

    found = fit_of(asked)
    return FITS.get(key_of(asked["sources"][0], asked["reading"], asked["fitting"], law), lambda: refitted(found, law))


def families_of(asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The question whose fit each family has of its own: its table, read and fitted as the other is."""
    from kleiber.cost import FAMILIES
    from kleiber.errors import did_you_mean

    sources = {source["id"]: source for source in asked["sources"]}
    for family in asked["life"]["family_fit"]:
        if family not in FAMILIES:
            raise InputError("no such family", found=family, remedy=did_you_mean(family, FAMILIES))
    return {
        family: {
            "sources": [sources[id]],
            "reading": _read_alike(asked["reading"], sources[id]),
            "fitting": asked["fitting"],
        }
        for family, id in asked["life"]["family_fit"].items()
    }


def _read_alike(reading: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """How another table is read: as the asked one is, but for columns that it has under their canonical names."""
    from kleiber.app.answers.runs import opened

    _, header, _ = opened(source)
    alike = {name: column for name, column in reading["map"].items() if column in header or name not in header}
    return Reading(map=alike, conventions=dict(reading["conventions"])).told()


def said(given: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The keywords as they are written: a device by its name, fits as they are made, defaults left out."""
    usual = {"near": 1e-3, "level": 0.95}
    named = {name: getattr(value, "name", value) if name == "hardware" else value for name, value in given.items()}
    same = "objective=fit.objective, bootstrap=len(fit.draws_BP), seed=fit.seed"
    if "also" in named:
        named["also"] = [Code(f"kleiber.fit(runs, law={law!r}, {same})") for law in asked["life"]["also"]]
    if "family_fits" in named:
        own = families_of(asked)
        named["family_fits"] = {family: Code(fit_call(each, runs_call(each))) for family, each in own.items()}
    return {name: value for name, value in named.items() if usual.get(name) != value}


def repeated(asked: dict[str, Any], command: str) -> Repeat:
    """The command line of a plan or a frontier."""
    repeat = Repeat(asked, command)
    for name, value in asked["life"].items():
        if name not in NO_FITS:
            repeat.option("--" + name.replace("_", "-"), value)
    for law in asked["life"]["also"]:
        repeat.option("--also", law)
    for family, own in families_of(asked).items():
        fitted = Repeat(own, "fit").say("--no-backtest", "-o", f"{family}.json")
        repeat.before.append(fitted.words)
        repeat.option("--family-fit", f"{family}={family}.json")
    for name in ("flops", "serve_tokens", *(LIMITS if command == "plan" else ()), "at"):
        repeat.option("--" + name.replace("_", "-"), asked[name])
    if command == "plan":
        repeat.option("--near", asked["near"], 1e-3)
    return repeat.option("--level", asked["level"], 0.95)


def _dots(decision: Any) -> list[list[float]]:
    """The optimum of some draws as params and tokens, to the five digits that a dot shows: the cloud of a plan."""
    import numpy as np

    cloud = getattr(decision, "cloud_B3", None)
    if cloud is None or not len(cloud):
        return []
    shown = cloud[:: max(1, -(-len(cloud) // MOST_DOTS)), :2]
    unit = 10.0 ** np.maximum(np.floor(np.log10(shown)) - 4, 0)
    return (np.rint(shown / unit) * unit).tolist()


def _rules(decision: Any) -> list[dict[str, Any]]:
    """What the named rules would have trained."""
    return [
        {"words": rule.words, **{name: getattr(rule, name) for name in ("params", "tokens")}, "loss": rule.loss.value,
         "excess": rule.excess.value}
        for rule in getattr(decision, "rules", ())
    ]  # fmt: skip


def _prices(decision: Any) -> list[dict[str, Any]]:
    """What one percent more of every limit buys, in words."""
    unit = decision.loss_unit
    told = []
    for each in decision.constraints:
        bought = f"1 % more takes {each.nats_per_percent:.2g} {unit} off the loss"
        words = f"{each.words or each.name}: {bought if each.binding else 'not in the way'}"
        told.append({"name": each.name, "words": words, "binding": each.binding, "price": each.shadow_price})
    return told


def frontier(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber frontier`: what no other design beats, with its chart."""
    from kleiber.cli.provenance import of_fit, stamped
    from kleiber.figures import frontier_chart
    from kleiber.figures.files import specification
    from kleiber.plan.architecture.frontier import frontier as designs
    from kleiber.plan.architecture.frontier import words

    found = fit_of(asked)
    given = keywords(asked | {"flops": asked["flops"] or "1000x"}, found)
    given.pop("near")
    if not asked["flops"]:
        given.pop("flops")
    given["at"] = given.pop("at", {})
    found.usable()
    answer = designs(found, asked["over"], **given)
    repeat = repeated(asked, "frontier").option("--axes", asked["over"], "loss,serving_cost")
    python = (
        "{fit}\nfrontier = "
        + call("kleiber.frontier", f"fit, {asked['over']!r}", **said(given, asked))
        + "\nprint(frontier)"
    )
    return repeat.answer(
        stamped(answer.to_json(), of_fit(found)),
        python,
        sentences=list(answer.sentences()),
        table={"heads": list(words.heads(answer)), "rows": [list(row) for row in words.rows(answer)]},
        spec=specification(frontier_chart(answer)),
    )


def next_runs(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber next`: which runs to train next."""
    from kleiber.cli import options
    from kleiber.cli.next import _ratios
    from kleiber.cli.provenance import of_fit, stamped
    from kleiber.errors import Refusal
    from kleiber.plan.next import CURABLE
    from kleiber.plan.next import next_runs as choose

    found = fit_of(asked)
    goal, purse = options.budget(asked["target"], "--target", found), options.budget(asked["budget"], "--budget", found)
    if found.outcome.refused and found.outcome not in CURABLE:
        raise Refusal(f"Not enough to rely on this fit: {found.outcome_detail}", remedy=found.outcome.value)
    ratios = _ratios(asked["tokens_per_param"])
    given: dict[str, Any] = {"at": dict(asked["at"])}
    if asked["serve_tokens"]:
        given["serve_tokens"] = options.amount(asked["serve_tokens"], "--serve-tokens")
    answer = choose(found, target=goal, budget=purse, runs=asked["runs"], tokens_per_param=ratios, **given)
    repeat = Repeat(asked, "next").option("--target", asked["target"]).option("--budget", asked["budget"])
    repeat.option("--runs", asked["runs"], 12).option("--tokens-per-param", asked["tokens_per_param"], "1-500")
    repeat.option("--serve-tokens", asked["serve_tokens"]).option("--at", asked["at"])
    usual = None if ratios == (1.0, 500.0) else ratios
    python = call(
        "kleiber.next_runs", "fit", target=goal, budget=purse, runs=asked["runs"], tokens_per_param=usual, **given
    )
    return repeat.answer(
        stamped(answer.to_json(), of_fit(found)), f"{{fit}}\nprint({python})", sentences=list(answer.sentences())
    )
