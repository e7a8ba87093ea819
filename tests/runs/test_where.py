"""The language of --where: closed form, agreement with NumPy and three-valued logic, and nothing but InputError."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import ColumnError, InputError
from kleiber.runs import RunTable
from kleiber.runs.where import parse

NAN = math.nan
COLUMNS = {
    "loss": np.array([2.0, 3.0, 3.44, NAN, 5.0]),
    "params": np.array([1e6, 7e10, 1e9, 1e9, 2e9]),
    "Model Size": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
    "family": np.array(["dense", "moe", None, "dense", "ssm"], dtype=object),
}


def rows(text: str) -> list[int]:
    return np.flatnonzero(parse(text).mask(COLUMNS.__getitem__, tuple(COLUMNS), 5)).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loss < 3.44", [0, 1]),
        ("loss <= 3.44", [0, 1, 2]),
        ("2 < loss <= 3.44", [1, 2]),
        ("params >= 70B", [1]),
        ("params == 1e9", [2, 3]),
        ("params == 1_000M", [2, 3]),
        ('"Model Size" > 3', [3, 4]),
        ("`Model Size` > 3", [3, 4]),
        ('family == "dense"', [0, 3]),
        ("family == 'dense' and loss < 3", [0]),
        ("family != 'dense'", [1, 4]),
        ("not family == 'dense'", [1, 4]),
        ("family in ('moe', 'ssm')", [1, 4]),
        ("family not in ('moe', 'ssm')", [0, 3]),
        ("loss in (2, 5)", [0, 4]),
        ("loss is null", [3]),
        ("family is not null", [0, 1, 3, 4]),
        ("loss != 2", [1, 2, 4]),
        ("not loss < 3", [1, 2, 4]),
        ("loss < 3 or family == 'dense'", [0, 3]),
        ("(loss < 3 or loss > 4) and params > 1M", [4]),
        ("loss * 2 - 1 == 3", [0]),
        ("10 - 2 - 3 == 5 and loss < 3", [0]),
        ("12 / 2 / 3 == 2 and loss < 3", [0]),
        ("2 + 3 * 2 == 8 and loss < 3", [0]),
        ("-loss < -4", [4]),
        ("- -loss > 4", [4]),
        ("loss / 0 > 1", [0, 1, 2, 4]),
        ("1 == 1", [0, 1, 2, 3, 4]),
        ("loss < 3 AND NOT params > 1B", [0]),
        ("1 < 0 < loss", []),
        ("not (1 < 0 < loss)", [0, 1, 2, 3, 4]),
    ],
)
def test_closed_form(text, expected):
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("loss", "a comparison is needed"),
        ("loss <", "the end of"),
        ("loss = 3", "write == "),
        ("loss < 3 && params > 1", "write and / or"),
        ("loss < 3 params > 1", "does not belong"),
        ("(loss < 3", r"'\)' is needed"),
        ("loss < 'a'", "text is compared with a number"),
        ("family < 'a'", "cannot be ordered"),
        ("family + 1 < 2", "needs numbers"),
        ("los < 3", "did you mean 'loss'"),
        ('"Modl Size" < 3', "did you mean 'Model Size'"),
        ("'open", "close the quote"),
        ("loss < 3x", "backticks"),
        ("(loss < 3) < 4", "not a comparison"),
        ("loss < (params < 3)", "not a comparison"),
        ("not loss", "a comparison is needed"),
        ("loss in ()", "is needed here"),
        ("loss is 3", "`null` is needed"),
        ("loss not 3", "`in` is needed"),
        ("__import__('os').system('x')", "cannot be read|does not belong"),
        ("loss.__class__ < 3", "cannot be read|write numbers"),
        ("(" * 200 + "loss < 3" + ")" * 200, "nested"),
        ("not " * 200 + "loss < 3", "nested"),
        ("-" * 200 + "loss < 3", "nested"),
        ("1 + " * 500 + "1 < loss", "too long"),
        ("loss < 1 or " * 2000 + "loss < 1", "too long"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text, message):
    with pytest.raises(InputError, match=message):
        rows(text)


def test_position_is_named():
    with pytest.raises(InputError, match="at character 8"):
        parse("loss < * 3")


def test_unknown_column_is_a_column_error():
    with pytest.raises(ColumnError):
        rows("nothing < 3")


def test_a_long_list_is_no_problem():
    members = ", ".join(str(index) for index in range(1000))
    assert rows(f"loss in ({members})") == [0, 1, 4]


def test_nothing_is_executed(tmp_path):
    target = tmp_path / "made"
    for text in (f"open('{target}', 'w') == 1", f"[open('{target}','w')]", f"loss < open('{target}','w')"):
        with pytest.raises(InputError):
            rows(text)
    assert not target.exists()


# A generator of filters together with what they must mean, written apart from the implementation: values are floats or
# None (missing), truth is True, False or None (unknown).
NUMBERS = st.sampled_from(["loss", "params", "`Model Size`", "3", "2.5", "1e9", "1B", "0"])
SIGNS = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip


def known(value: float) -> float | None:
    return None if math.isnan(value) else value


def leaf(text: str):
    def value(row: int) -> float | None:
        name = text.strip("`")
        return known(float(COLUMNS[name][row])) if name in COLUMNS else float(text.replace("B", "e9"))

    return text, value


def added(left, right, sign):
    def value(row: int) -> float | None:
        a, b = left[1](row), right[1](row)
        if a is None or b is None:
            return None
        if sign == "/":
            with np.errstate(all="ignore"):
                return known(float(np.float64(a) / np.float64(b)))
        # inf * 0 and inf - inf are no numbers, so missing.
        return known({"+": a + b, "-": a - b, "*": a * b}[sign])

    return f"({left[0]} {sign} {right[0]})", value


VALUES = st.recursive(
    NUMBERS.map(leaf), lambda inner: st.builds(added, inner, inner, st.sampled_from("+-*/")), max_leaves=4
)


def compared(left, right, sign):
    def truth(row: int) -> bool | None:
        a, b = left[1](row), right[1](row)
        return None if a is None or b is None else SIGNS[sign](a, b)

    return f"{left[0]} {sign} {right[0]}", truth


def joined(left, right, word):
    def truth(row: int) -> bool | None:
        a, b = left[1](row), right[1](row)
        decisive = word == "or"
        if decisive in (a, b):
            return decisive
        return None if None in (a, b) else not decisive

    return f"({left[0]}) {word} ({right[0]})", truth


def negated(inner):
    def truth(row: int) -> bool | None:
        value = inner[1](row)
        return None if value is None else not value

    return f"not ({inner[0]})", truth


CLAIMS = st.recursive(
    st.builds(compared, VALUES, VALUES, st.sampled_from(list(SIGNS))),
    lambda inner: st.one_of(st.builds(joined, inner, inner, st.sampled_from(["and", "or"])), inner.map(negated)),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(CLAIMS)
def test_it_agrees_with_row_by_row_three_valued_logic(claim):
    text, truth = claim
    assert rows(text) == [row for row in range(5) if truth(row) is True]


WORDS = """loss params family `Model Size` 'dense' "moe" 3.44 70B and or not in is null"""
SIGNS_AND_STRAYS = """( ) , < <= == != + - * / " ' ` . = é"""
ALPHABET = st.sampled_from(f"{WORDS} {SIGNS_AND_STRAYS}".replace("l S", "l_S").split())


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(ALPHABET, max_size=12).map(" ".join)))
def test_any_text_is_read_or_refused_and_never_crashes(text):
    try:
        found = rows(text)
    except InputError:
        return
    assert set(found) <= set(range(5))


def test_the_table_filters_the_same_way():
    runs = RunTable.of({"loss": [1.0, None, 3.0], "family": ["a", "b", None]})
    assert runs.where("loss > 0").row_numbers.tolist() == [1, 3]
    assert runs.where('family == "b"').row_numbers.tolist() == [2]
