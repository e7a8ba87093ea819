"""Formula text in, SymPy expression out, through a whitelist on Python's own syntax tree.

The way the data takes: text -> `ast` nodes (parsed, never compiled or run) -> names (`scan`, quick, without SymPy) or SymPy
nodes built one by one (`parse`), by the same walk.
The one idea: nothing that is not in the tables below can enter, so a law may come from a stranger's file or a web form.
SymPy's own parser executes code and therefore never sees the text.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kleiber.errors import FormulaError, did_you_mean

MAX_CHARACTERS = 4000
MAX_DEPTH = 60
FUNCTIONS = ("exp", "log", "sqrt", "minimum", "maximum")
EXAMPLE = "E + A/params**alpha + B/tokens**beta"


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A formula after parsing: `expression` (or `left` - `right` of an implicit equation), and the names in it.

    `names` are in order of first appearance. `implicit` is true for an equation that contains the target itself.
    """

    expression: Any
    names: tuple[str, ...]
    implicit: bool


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """The names in a formula, in order of first appearance, and whether it is an equation."""

    names: tuple[str, ...]
    implicit: bool


def scan(text: str, *, inputs: Iterable[str], target: str = "loss") -> Scanned:
    """Check formula `text` node by node and list its names, without building anything.

    Raises `FormulaError` naming the piece that is not part of a formula.

    >>> scan("E + A/params**alpha", inputs=["params"]).names
    ('E', 'A', 'params', 'alpha')
    """
    reader = _Reader(set(inputs) | {target}, symbolic=False)
    _, names, implicit = reader.whole(text, target)
    return Scanned(names=names, implicit=implicit)


def parse(text: str, *, inputs: Iterable[str], target: str = "loss") -> Parsed:
    """Parse formula `text`; `inputs` are the names that are columns (positive), all others are real parameters.

    Statements are separated by `;` or a newline; `name = expression` defines a let; the last statement is the law.
    An equation `left == right` defines the target implicitly.

    Raises `FormulaError` naming the piece that is not part of a formula.

    >>> parse("k = A/params**alpha; E + k", inputs=["params"]).names
    ('A', 'params', 'alpha', 'E')
    """
    reader = _Reader(set(inputs) | {target}, symbolic=True)
    expression, names, implicit = reader.whole(text, target)
    return Parsed(expression=expression, names=names, implicit=implicit)


def _check_size(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise FormulaError("the formula is too long", found=f"{len(text)} characters", expected=f"<= {MAX_CHARACTERS}")


class _Reader:
    """Walks the syntax tree once, keeping the names seen and the lets defined so far; every value is None in a mere scan."""

    def __init__(self, positive: set[str], *, symbolic: bool) -> None:
        self.positive = positive
        self.symbolic = symbolic
        self.lets: dict[str, Any] = {}
        self.seen: dict[str, None] = {}

    def whole(self, text: str, target: str) -> tuple[Any, tuple[str, ...], bool]:
        """The law's expression, the names in it, and whether it is an equation."""
        _check_size(text)
        statements = [piece.strip() for line in text.splitlines() for piece in line.split(";")]
        statements = [piece for piece in statements if piece]
        if not statements:
            raise FormulaError("the formula is empty", expected=f"text such as {EXAMPLE!r}")
        for statement in statements[:-1]:
            self.define(statement)
        return self.law(statements[-1], target)

    def define(self, statement: str) -> None:
        name, separator, body = statement.partition("=")
        name = name.strip()
        if not separator or body.startswith("="):
            raise FormulaError(
                "only the last statement may be a bare expression", found=statement, expected="name = ..."
            )
        if not name.isidentifier() or keyword.iskeyword(name) or name in self.positive or name in FUNCTIONS:
            raise FormulaError("a let needs a new name", found=name)
        self.lets[name] = self.read(body)

    def law(self, statement: str, target: str) -> tuple[Any, tuple[str, ...], bool]:
        left, separator, right = statement.partition("==")
        if separator:
            sides = self.read(left), self.read(right)
            expression = sides[0] - sides[1] if self.symbolic else None
            if target not in self.seen:
                raise FormulaError(f"an equation must contain {target!r}", found=statement)
        else:
            expression = self.read(statement)
        names = tuple(name for name in self.seen if name != target)
        if not separator and target in self.seen:
            raise FormulaError(f"{target!r} stands on both sides", found=statement, remedy="write an equation with ==")
        return expression, names, bool(separator)

    def read(self, text: str) -> Any:
        text = text.strip()
        try:
            tree = ast.parse(text, mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise FormulaError("not a formula", found=repr(text), expected=f"text such as {EXAMPLE!r}") from error
        return self.node(tree.body, text, 0)

    def node(self, node: ast.expr, text: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise FormulaError("the formula is nested too deeply", expected=f"at most {MAX_DEPTH} levels")
        match node:
            case ast.Constant(value=value) if isinstance(value, (int, float)) and not isinstance(value, bool):
                return _number(value) if self.symbolic else None
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                inner = self.node(operand, text, depth + 1)
                return -inner if isinstance(sign, ast.USub) and self.symbolic else inner
            case ast.BinOp(left=left, op=operator, right=right):
                _check_operator(operator, text)
                sides = self.node(left, text, depth + 1), self.node(right, text, depth + 1)
                return _combine(operator, *sides, text) if self.symbolic else None
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                _check_call(function, len(arguments))
                inside = [self.node(argument, text, depth + 1) for argument in arguments]
                return _call(function, inside) if self.symbolic else None
            case _:
                piece = ast.get_source_segment(text, node) or text
                raise FormulaError(
                    f"{piece!r} is not part of a formula",
                    expected=f"numbers, names, + - * / ** and {', '.join(FUNCTIONS)}",
                )

    def name(self, name: str) -> Any:
        if name in self.lets:
            return self.lets[name]
        if name.startswith("_") or not name.isascii() or name in FUNCTIONS:
            raise FormulaError("a name may not be private, a function or outside ASCII", found=name)
        self.seen[name] = None
        return symbol(name, positive=name in self.positive) if self.symbolic else None


def symbol(name: str, *, positive: bool) -> Any:
    """The SymPy symbol of an input (positive) or a parameter (real)."""
    import sympy

    return sympy.Symbol(name, positive=True) if positive else sympy.Symbol(name, real=True)


def _number(value: float) -> Any:
    import sympy

    if not abs(value) < 1e300:
        raise FormulaError("a number is out of range", found=str(value)[:40])
    return sympy.Integer(value) if isinstance(value, int) and abs(value) <= 10**9 else sympy.Float(float(value))


def _check_operator(operator: ast.operator, text: str) -> None:
    if isinstance(operator, ast.BitXor):
        raise FormulaError("'^' is not a power", found=text, remedy="write ** for powers")
    if not isinstance(operator, (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)):
        raise FormulaError("an operator that formulas do not have", found=text, expected="+ - * / **")


def _combine(operator: ast.operator, left: Any, right: Any, text: str) -> Any:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            if right.is_zero:
                raise FormulaError("division by zero", found=text)
            return left / right
        case _:
            return _power(left, right, text)


def _power(left: Any, right: Any, text: str) -> Any:
    # Numbers are combined in floating point: SymPy would try to write out 9**9**9 digit by digit.
    if left.is_Number and right.is_Number:
        try:
            value = float(left) ** float(right)
        except (OverflowError, ZeroDivisionError) as error:
            raise FormulaError("a number is out of range", found=text) from error
        if isinstance(value, complex):
            raise FormulaError("a power of a negative number is not real", found=text)
        return _number(int(value) if value.is_integer() and abs(value) <= 10**9 else value)
    return left**right


def _check_call(function: str, count: int) -> None:
    if function not in FUNCTIONS:
        raise FormulaError(f"no function {function!r}", remedy=did_you_mean(function, FUNCTIONS))
    arity = 2 if function in ("minimum", "maximum") else 1
    if count != arity:
        raise FormulaError(f"{function} takes {arity} argument(s)", found=str(count))


def _call(function: str, arguments: list[Any]) -> Any:
    import sympy

    table = {"exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt, "minimum": sympy.Min, "maximum": sympy.Max}
    return table[function](*arguments)
