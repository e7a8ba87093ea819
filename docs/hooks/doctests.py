"""Doctests in docstrings, fenced, so that the reference shows them as code and not as quoted text."""

from __future__ import annotations

from typing import Any

import griffe

PROMPTS = (">>>", "...")


def fenced(text: str) -> str:
    """The text with every doctest, from its first prompt to the next empty line, in a fence."""
    lines: list[str] = []
    inside = False
    for line in text.split("\n"):
        if not inside and line.lstrip().startswith(PROMPTS[0]):
            lines += ["", "```pycon"]
            inside = True
        elif inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line.strip() if inside and line.lstrip().startswith(PROMPTS) else line)
    return "\n".join([*lines, "```"] if inside else lines)


class Doctests(griffe.Extension):
    """Fences the doctests of everything that is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Of one module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
