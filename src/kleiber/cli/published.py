"""`kleiber published`: were the public models trained to the right shape? Each against one law's optimum for its compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.options import Output
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.laws import Coefficients
    from kleiber.plan import Surface, Verdict
    from kleiber.runs.published import PublishedModel

SCHEMA = "kleiber/published/1"
Models = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="These models only.")]
LawName = Annotated[str, typer.Option("--law", metavar="NAME", help="The law that judges.")]
SetName = Annotated[
    str, typer.Option("--coefficients", metavar="NAME", help="A published set of it (kleiber laws NAME).")
]
FitPath = Annotated[str | None, typer.Option("--fit", metavar="FIT.json", help="Judge by this fit instead.")]


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """What a verdict needs to know of a model whose tokens are known."""

    name: str
    active_params: float
    tokens: float


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """The law that judges: its surface, its name for people, and its provenance."""

    surface: Surface
    words: str
    provenance: dict[str, Any]
    caveat: str = ""
    values: Coefficients | None = None


def published(
    output: Output,
    models: Models = None,
    law: LawName = "chinchilla",
    coefficients: SetName = "besiroglu-2024",
    fit: FitPath = None,
) -> None:
    """Judge public models: params and tokens against the compute-optimal shape for the same FLOPs under one law.

    A mixture of experts is judged as a dense model of its active params, which is a convention and not a finding.
    """
    from kleiber.runs.published import find
    from kleiber.runs.published import published as all_models

    chosen = [find(name) for name in models] if models else list(all_models())
    judge = _fitted(fit) if fit else _by_set(law, coefficients)
    judged = [(model, _verdict(model, judge.surface)) for model in chosen]
    if output.as_json:
        from kleiber.cli.provenance import versions

        entries = [_as_json(model, verdict) | {"extrapolated": _outside(model, judge)} for model, verdict in judged]
        screen.emit_json({"schema": SCHEMA, **judge.provenance, "models": entries, "versions": versions()})
        return
    _show(judged, judge)


def _by_set(law: str, coefficients: str) -> _Judge:
    from kleiber.laws import find
    from kleiber.plan import published_surface

    chosen = find(law)
    if not {"params", "tokens"} <= set(chosen.inputs) or set(chosen.inputs) - {"params", "tokens", "flops"}:
        raise InputError(f"{law} does not judge a shape", expected="a law of params and tokens", where="--law")
    found = chosen.coefficients(coefficients)
    return _Judge(
        surface=published_surface(chosen, found),
        words=f"{chosen.name} with the values of {found.name}",
        provenance={
            "law": chosen.name,
            "formula": chosen.formula,
            "coefficients": found.name,
            "values": dict(found.values),
        },
        caveat=found.note,
        values=found,
    )


def _fitted(path: str) -> _Judge:
    from kleiber.cli.provenance import of_fit
    from kleiber.fit.store import load
    from kleiber.plan import fitted_surface

    fit = load(path)
    return _Judge(surface=fitted_surface(fit), words=f"{fit.law.name} as fitted in {path}", provenance=of_fit(fit))


def _verdict(model: PublishedModel, surface: Surface) -> Verdict | None:
    from kleiber.plan import verdict

    if model.tokens is None:
        return None
    return verdict(_Shape(name=model.name, active_params=model.active, tokens=model.tokens), surface)


def _outside(model: PublishedModel, judge: _Judge) -> dict[str, float]:
    """By what factor the model lies outside the range that a published set was fitted on."""
    if judge.values is None or model.tokens is None:
        return {}
    return dict(judge.values.extrapolation({"params": model.active, "tokens": model.tokens}))


def _as_json(model: PublishedModel, verdict: Verdict | None) -> dict[str, Any]:
    return {
        "name": model.name,
        "family": model.family,
        "year": model.year,
        "params": {"total": model.params, "active": model.active},
        "tokens": model.tokens,
        "flops": model.flops,
        "source": model.source,
        "read_in_source": model.read_in_source,
        "verdict": verdict.to_json() if verdict else None,
    }


def short(value: float) -> str:
    """Two significant digits, never in the form 1.5e+02B.

    >>> short(1.52e11), short(7.1)
    ('150B', '7.1')
    """
    from kleiber.quantity import show

    return show(float(f"{value:.2g}"))


def _show(judged: list[tuple[PublishedModel, Verdict | None]], judge: _Judge) -> None:
    from kleiber.laws.parameter import badge
    from kleiber.quantity import show

    wide = max(len(model.name) for model, _ in judged) + 2
    screen.say((f"{'model':{wide}}{'year':>4}{'params':>9}{'active':>9}{'tokens':>9}{'per param':>11}  verdict", "dim"))
    for model, verdict in judged:
        tokens = show(model.tokens) if model.tokens else "?"
        ratio = short(model.tokens_per_param) if model.tokens_per_param else "?"
        facts = (
            f"{model.name:{wide}}{model.year:>4}{show(model.params):>9}{show(model.active):>9}{tokens:>9}{ratio:>11}  "
        )
        best = (
            f"; best {short(verdict.optimal_params.value)} on {short(verdict.optimal_tokens.value)}" if verdict else ""
        )
        far = badge(_outside(model, judge))
        screen.say(facts, f"{verdict.words}{best}{f'; {far}' if far else ''}" if verdict else "tokens never published")
    screen.say(
        (
            f"Judged by {judge.words}. The optimum is for training alone: a model that serves a lot is rightly smaller.",
            "dim",
        )
    )
    if judge.caveat:
        screen.hang("", judge.caveat, at=0)


COMMAND = Command(name="published", title="Public models judged by a law.", run=published, schema=SCHEMA)
