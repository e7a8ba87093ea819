"""`kleiber laws [NAME]`: the laws at hand, or one of them with its parameters, source and published coefficients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.options import Output

if TYPE_CHECKING:
    from kleiber.laws import Coefficients, Law, Parameter

SCHEMA = "kleiber/laws/1"
Name = Annotated[str | None, typer.Argument(metavar="[NAME|FORMULA]", help="One law, in full.")]


def laws(output: Output, name: Name = None) -> None:
    """List the laws, or show one with its source, its range, and what is wrong with its published coefficients."""
    from kleiber.laws import LAWS, find

    chosen = [find(name)] if name else list(LAWS)
    if output.as_json:
        from kleiber.cli.provenance import versions

        screen.emit_json({"schema": SCHEMA, "laws": [as_json(law) for law in chosen], "versions": versions()})
    elif name:
        _show(chosen[0])
    else:
        wide = max(len(law.name) for law in chosen) + 2
        for law in chosen:
            screen.hang((law.name, "bold"), f"{law.title}  ({', '.join(law.inputs)} → {law.target})", at=wide)
        screen.say(("One in full: kleiber laws chinchilla. Your own: --law 'E + A/params**alpha'", "dim"))


def as_json(law: Law) -> dict[str, Any]:
    """A law as data."""
    return {
        "name": law.name,
        "title": law.title,
        "formula": law.formula,
        "latex": law.latex,
        "target": law.target,
        "inputs": list(law.inputs),
        "parameters": [_parameter(parameter) for parameter in law.parameters],
        "source": law.source,
        "validity": law.validity,
        "published": [_published(found) for found in law.published],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "meaning": parameter.meaning,
        "lower": parameter.lower if math.isfinite(parameter.lower) else None,
        "upper": parameter.upper if math.isfinite(parameter.upper) else None,
        "scale": parameter.scale,
        "floor": parameter.floor,
    }


def _published(found: Coefficients) -> dict[str, Any]:
    return {
        "name": found.name,
        "values": dict(found.values),
        "source": found.source,
        "domain": {name: list(ends) for name, ends in found.domain.items()},
        "conventions": found.conventions,
        "tolerance": found.tolerance,
        "note": found.note,
    }


def _show(law: Law) -> None:
    from kleiber.cli.fit_screen import formula_lines
    from kleiber.quantity import show

    for line in formula_lines(law):
        screen.say((line, "bold"))
    facts = {"name": law.name, "what": law.title, "source": law.source, "holds for": law.validity}
    for label, text in facts.items():
        if text:
            screen.hang((f"  {label}", "dim"), text, at=14)
    for parameter in law.parameters:
        bounds = f"{show(parameter.lower)} - {show(parameter.upper)}" if math.isfinite(parameter.upper) else "free"
        screen.hang(f"  {parameter.name}", f"{parameter.meaning or 'unknown'} ({bounds})", at=14)
    for found in law.published:
        values = ", ".join(f"{name} {value:.7g}" for name, value in found.values.items())
        screen.say((f"  {found.name}", "bold"), f"   {values}")
        for text in (found.source, _range(found), found.conventions, found.note):
            if text:
                screen.hang("", text, at=6)


def _range(found: Coefficients) -> str:
    """The range a set was fitted on, in words."""
    from kleiber.quantity import show, show_flops

    parts = []
    for name, (low, high) in found.domain.items():
        words = show_flops if name == "flops" else show
        ends = (words(low), words(high)) if high > low else (words(low),)
        parts.append(f"{name.replace('_', ' ')} {' to '.join(ends)}")
    return f"fitted on {', '.join(parts)}" if found.domain else ""


COMMAND = Command(name="laws", title="The laws at hand, with sources and published values.", run=laws, schema=SCHEMA)
