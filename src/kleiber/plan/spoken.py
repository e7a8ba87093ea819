"""What an answer looks like wherever it is shown: as text, in a terminal, in a notebook.

One idea: an answer is sentences, the first of which is the decision, and at most one table; a terminal and a notebook only frame
them. The sentences are written in the module that the answer names, so that a value knows nothing of its rendering.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import import_module
from typing import Any, ClassVar

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


class Spoken:
    """An answer: its sentences are `spoken_in.sentences(answer)`, its table, where it is `tabled`, `spoken_in.table(answer)`."""

    spoken_in: ClassVar[str]
    tabled: ClassVar[bool] = False

    def sentences(self) -> tuple[str, ...]:
        """The answer in sentences that can be quoted."""
        return import_module(self.spoken_in).sentences(self)

    def table_shown(self) -> Table:
        """Heads and rows of the table; no rows where there is none."""
        return import_module(self.spoken_in).table(self) if self.tabled else ((), ())

    def __str__(self) -> str:
        return "\n".join(self.sentences())

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table as Grid
        from rich.text import Text

        first, *rest = self.sentences()
        heads, rows = self.table_shown()
        grid = Grid(box=None, pad_edge=False, show_edge=False)
        for place, head in enumerate(heads):
            grid.add_column(head, justify="right" if place else "left")
        for row in rows:
            grid.add_row(*row)
        return Group(Text(first, style="bold"), *((grid,) if rows else ()), *(Text(f"  {line}") for line in rest))

    def _repr_html_(self) -> str:
        first, *rest = self.sentences()
        items = "".join(f"<li>{escape(line)}</li>" for line in rest)
        return f"<div class='kleiber-answer'><p><b>{escape(first)}</b></p>{_html(self.table_shown())}<ul>{items}</ul></div>"


def _html(table: Table) -> str:
    heads, rows = table
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
