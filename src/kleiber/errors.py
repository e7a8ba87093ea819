"""The exceptions a user can meet: each says what was found, what was expected and what to do.

One idea: an error message is the only documentation most people read, so it is data with named parts
(`found`, `expected`, `remedy`, `where`) from which one sentence is rendered, the same in the shell and in Python.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import partial


class KleiberError(Exception):
    """Anything Kleiber raises on purpose; `exit_code` is what the shell sees."""

    exit_code = 2


class InputError(KleiberError, ValueError):
    """What the user handed in cannot be used.

    `where` names the file, row and column; `found`, `expected` and `remedy` complete the sentence.

    >>> raise InputError("params is not a number", where="runs.csv, row 3", found="'70x'", remedy="write 70B")
    Traceback (most recent call last):
    ...
    kleiber.errors.InputError: runs.csv, row 3: params is not a number (found '70x'). To mend it: write 70B
    """

    def __init__(
        self,
        message: str,
        *,
        found: object = None,
        expected: object = None,
        remedy: str | None = None,
        where: str | None = None,
    ) -> None:
        self.message, self.found, self.expected, self.remedy, self.where = message, found, expected, remedy, where
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        seen = [f"found {self.found}"] if self.found is not None else []
        wanted = [f"expected {self.expected}"] if self.expected is not None else []
        inside = "; ".join(seen + wanted)
        text = f"{self.where}: {self.message}" if self.where else self.message
        text = f"{text} ({inside})" if inside else text
        return f"{text}. To mend it: {self.remedy}" if self.remedy else text


class FormulaError(InputError):
    """A law's formula cannot be read."""


class ColumnError(InputError):
    """A column that is needed is not in the table."""


class ConventionError(InputError):
    """Two ways of counting (params, FLOPs, loss unit) would be mixed."""


class Refusal(KleiberError):  # noqa: N818 - a refusal is an answer, not an error
    """The runs cannot support the answer that was asked for; `remedy` says what would change that."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        self.message, self.remedy = message, remedy
        super().__init__(f"{message}\nWhat would change it: {remedy}")

    def __reduce__(self) -> tuple[partial[Refusal], tuple[()]]:
        # So that it crosses from one process to another: the usual way would call it without its remedy.
        return partial(type(self), self.message, remedy=self.remedy), ()


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A hint naming the closest of `choices`, or listing them where none is close.

    >>> did_you_mean("parms", ["params", "tokens"])
    "did you mean 'params'?"
    >>> did_you_mean("x", ["params", "tokens"])
    'there are: params, tokens'
    """
    options = list(choices)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "there are: " + ", ".join(options)
