"""The command and the Python that give the same answer as a question asked of the page.

One idea: both are written from the request, option by option, in the order of the command's help; what was left at its default is
left out. Nothing is said that the command does not take, so that what is copied runs as it stands.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

BARE = re.compile(r"[\w.+-]+")
Asked = Mapping[str, Any]


class Code(str):
    """Python that stands in a call as it is written."""

    def __repr__(self) -> str:
        return str(self)


class Repeat:
    """A command line that grows by options; `before` are commands that must have run."""

    def __init__(self, asked: Asked, *command: str, fitted: bool = True) -> None:
        self.asked = asked
        self.before: list[list[str]] = []
        self.words = (
            ["kleiber", *command, asked["sources"][0]["name"]] if asked.get("sources") else ["kleiber", *command]
        )
        if "reading" in asked:
            self.words += reading_words(asked["reading"])
        if fitted and "fitting" in asked:
            self.words += fitting_words(asked["fitting"])

    def say(self, *words: str | None) -> Repeat:
        """Add words; None adds nothing."""
        self.words += [word for word in words if word is not None]
        return self

    def option(self, name: str, value: Any, default: Any = None) -> Repeat:
        """Add an option unless it has its default."""
        if value not in (None, default, [], {}, ""):
            self.words += [name, pairs(value) if isinstance(value, Mapping) else plain(value)]
        return self

    def answer(self, result: Any, python: str, **more: Any) -> dict[str, Any]:
        """The answer with both ways to get it again; `{runs}` and `{fit}` in `python` stand for how these are made."""
        command = " && ".join(map(shlex.join, [*self.before, self.words]))
        return {"result": result, "command": command, "python": script(self.asked, python), **more}


def plain(value: Any) -> str:
    """A value as it is typed: 5.76e23 rather than 5.76e+23.

    >>> plain(5.76e23), plain(0.34), plain(3)
    ('5.76e23', '0.34', '3')
    """
    return repr(value).replace("e+", "e") if isinstance(value, float) else str(value)


def pairs(values: Mapping[str, Any]) -> str:
    """`name=value` pairs."""
    return ",".join(f"{name}={plain(value)}" for name, value in values.items())


def quoted(column: str) -> str:
    """A column's name inside --map.

    >>> quoted("loss"), quoted("Model Size"), quoted('say "x"')
    ('loss', '"Model Size"', '\\'say "x"\\'')
    """
    if BARE.fullmatch(column):
        return column
    mark = next((mark for mark in "\"'`" if mark not in column), '"')
    return f"{mark}{column}{mark}"


def reading_words(reading: Asked) -> list[str]:
    """The options that say how a table is read."""
    words = []
    if reading["map"]:
        words += ["--map", ",".join(f"{name}={quoted(column)}" for name, column in reading["map"].items())]
    words += ["--where", reading["where"]] if reading["where"] else []
    words += ["--conventions", pairs(reading["conventions"])] if reading["conventions"] else []
    return words + (["--format", reading["format"]] if reading["format"] else [])


def fitting_words(fitting: Asked) -> list[str]:
    """The options that say how a law is fitted."""
    words = []
    for name, value in fitting.items():
        if value in (None, {}, "") or (name, value) == ("seed", 0):
            continue
        words += [f"--{name}", pairs(value) if isinstance(value, Mapping) else plain(value)]
    return words


def script(asked: Asked, body: str) -> str:
    """A program that ends in `body`."""
    if not asked.get("sources") or "reading" not in asked:
        return body
    lines = ["import kleiber", "", f"runs = {runs_call(asked)}"]
    fit = f"fit = {fit_call(asked)}" if "fitting" in asked else ""
    return "\n".join([*lines, body.replace("{fit}", fit)])


def runs_call(asked: Asked) -> str:
    """How the runs are read."""
    reading = asked["reading"]
    given = [repr(asked["sources"][0]["name"])]
    given += [f"map={dict(reading['map'])!r}"] if reading["map"] else []
    if reading["conventions"]:
        stated = ", ".join(f"{name}={word!r}" for name, word in reading["conventions"].items())
        given += [f"conventions=kleiber.Conventions({stated})"]
    given += [f"where={reading['where']!r}"] if reading["where"] else []
    given += [f"format={reading['format']!r}"] if reading["format"] else []
    return f"kleiber.read({', '.join(given)})"


def fit_call(asked: Asked, runs: str = "runs") -> str:
    """How the law is fitted."""
    fitting = asked["fitting"]
    given = [runs] + ([f"law={fitting['law']!r}"] if fitting["law"] is not None else [])
    objective = [
        f"{name}={fitting[key]!r}" for name, key in (("name", "objective"), ("delta", "delta")) if fitting[key]
    ]
    given += [f"objective=kleiber.Objective({', '.join(objective)})"] if objective else []
    given += [f"fixed={dict(fitting['fix'])!r}"] if fitting["fix"] else []
    for name in ("starts", "bootstrap", "cluster"):
        given += [f"{name}={fitting[name]!r}"] if fitting[name] is not None else []
    given += [f"seed={fitting['seed']}"] if fitting["seed"] else []
    return f"kleiber.fit({', '.join(given)})"


def call(function: str, first: str, **given: Any) -> str:
    """A call with the keywords that were given.

    >>> call("kleiber.plan", "fit", flops=5.76e23, at={}, level=None)
    'kleiber.plan(fit, flops=5.76e+23)'
    """
    named = [f"{name}={value!r}" for name, value in given.items() if value not in (None, {}, [], "")]
    return f"{function}({', '.join([first, *named])})"
