"""Where things are said: the answer on stdout, everything else (complaints, warnings, progress) on stderr.

One idea: text that comes from a file or a command line is never trusted with the terminal. Control characters are shown as
what they are, and Rich is given finished `Text`, never markup.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_WIDTH = 120  # where there is no terminal to ask
Part = str | tuple[str, str]
"""Text, or (text, Rich style)."""


def clean(text: str) -> str:
    """`text` with control characters spelled out, so that a file's name or a column's cannot steer the terminal.

    >>> clean("runs\\x1b[2J.csv")
    'runs\\\\x1b[2J.csv'
    """
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )


def amount(name: str, value: float) -> str:
    """A value of the input `name` in words; compute is written in powers of ten, whatever its size.

    >>> amount("params", 7.3e10), amount("flops", 3.77e13)
    ('73B params', '3.77e13 FLOP')
    """
    from kleiber.quantity import show

    return f"{value:.3g} FLOP".replace("e+", "e") if name == "flops" else f"{show(value)} {name}"


def span(name: str, ends: tuple[float, float]) -> str:
    """A range of the input `name` in words.

    >>> span("flops", (1e18, 1.3e22))
    '1e18 - 1.3e22 FLOP'
    """
    low, high = (amount(name, end) for end in ends)
    return f"{low.rsplit(' ', 1)[0]} - {high}"


def width() -> int:
    """The columns at hand on stdout."""
    return _console().width


def say(*parts: Part) -> None:
    """One line (or more) of the answer, on stdout."""
    from rich.text import Text

    line = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        line.append(clean(text), style=style or None)
    _console().print(line, soft_wrap=True)


def hang(lead: Part, text: str, *, at: int) -> None:
    """`lead`, then `text` from column `at` on, wrapped to the terminal and indented under itself."""
    word = lead if isinstance(lead, str) else lead[0]
    room = max(30, width() - at)
    first, *rest = textwrap.wrap(clean(text), room, break_long_words=False, break_on_hyphens=False) or [""]
    say(lead, " " * max(bool(word), at - len(word)), first)
    for line in rest:
        say(" " * at, line)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns, the first to the left and the others to the right, two spaces apart."""
    widths = [max(len(clean(row[place])) for row in (heads, *rows)) for place in range(len(heads))]
    for number, row in enumerate((heads, *rows)):
        cells = [
            clean(cell).ljust(size) if place == 0 else clean(cell).rjust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        say("  ", (line, "dim") if number == 0 else line)


def emit_json(payload: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """The answer as JSON, on stdout and alone there; NaN and infinity are not JSON and are never written."""
    sys.stdout.write(json.dumps(payload, indent=2, allow_nan=False) + "\n")


def emit_json_line(payload: Mapping[str, Any]) -> None:
    """One line of JSON on stdout, at once: for answers that arrive one after the other."""
    sys.stdout.write(json.dumps(payload, allow_nan=False) + "\n")
    sys.stdout.flush()


def complain(message: str) -> None:
    """One message on stderr."""
    sys.stderr.write(f"kleiber: {clean(message)}\n")
    sys.stderr.flush()


@contextmanager
def working(words: str) -> Iterator[None]:
    """A moving bar with the time so far on stderr while the block runs, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        progress.add_task(clean(words), total=None)
        yield


def is_terminal() -> bool:
    """Whether somebody is there to see a picture move."""
    return sys.stdout.isatty()


def terminal() -> Console:
    """The console on stdout, for what is drawn anew in its place."""
    return _console()


def draw(drawing: RenderableType) -> None:
    """A drawing, on stdout."""
    _console().print(drawing)


def _console() -> Console:
    from rich.console import Console

    wide = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(file=sys.stdout, width=wide, highlight=False, markup=False, emoji=False)
