"""The house rules, read from the source tree: floors, names, sizes, nothing dangerous, nothing heavy on import."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "kleiber"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in FILES]

FLOORS = {
    **dict.fromkeys(("errors", "quantity", "finding", "verbs", "compiled"), 0),
    **dict.fromkeys(("runs", "laws", "cost"), 1),
    "fit": 2,
    **dict.fromkeys(("plan", "lab", "experts", "diagnose"), 3),
    "figures": 4,
    **dict.fromkeys(("report", "app", "cli"), 5),
}
ENTRANCES = {"__init__", "__main__"}  # the public names and `python -m kleiber`: above all floors
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "core", "base", "misc"}
HEAVY = ("numpy", "sympy", "scipy", "pyarrow", "pandas", "narwhals", "torch", "altair", "cvxpy", "typer", "rich")
MOST_LINES, MOST_FUNCTION_LINES, MOST_IMPORT_SECONDS = 400, 60, 0.3

each_file = pytest.mark.parametrize("path", FILES, ids=NAMES)


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@functools.cache
def imported(path: Path) -> tuple[tuple[str, int], ...]:
    """Every module of this package that `path` imports, with the line."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """The imports at any depth of the code of `path`."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            if node.module == "kleiber":
                yield from ((f"kleiber.{alias.name}", node.lineno) for alias in node.names)
            elif node.module:
                yield node.module, node.lineno
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("import_module")
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value), node.lineno


def room(path: Path) -> str:
    """The folder (or single file) of the package that `path` stands in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_folder_has_a_floor() -> None:
    rooms = {room(path) for path in FILES} - ENTRANCES
    assert rooms <= FLOORS.keys(), f"no floor for {sorted(rooms - FLOORS.keys())}"


@each_file
def test_imports_go_down(path: Path) -> None:
    own = room(path)
    if own in ENTRANCES:
        return
    for module, line in imported(path):
        parts = module.split(".")
        if parts[0] != "kleiber" or len(parts) == 1 or parts[1] not in FLOORS or parts[1] == own:
            continue
        below = FLOORS[parts[1]] < FLOORS[own]
        beside = FLOORS[own] == 5 and FLOORS[parts[1]] == 5
        both_lowest = FLOORS[own] == FLOORS[parts[1]] == 0
        assert below or beside or both_lowest, (
            f"{path.relative_to(ROOT)}:{line}: {own} (floor {FLOORS[own]}) imports {module} (floor {FLOORS[parts[1]]})"
        )


@each_file
def test_names(path: Path) -> None:
    words = {part.removesuffix(".py").strip("_") for part in path.relative_to(PACKAGE).parts}
    assert not words & FORBIDDEN_NAMES, f"{path.relative_to(ROOT)}: a name that says nothing"


@each_file
def test_sizes(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES, f"{path.relative_to(ROOT)} has {lines} lines; split it by idea"
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = node.body[0] if ast.get_docstring(node) else None
            spent = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1 - spent
            assert length <= MOST_FUNCTION_LINES, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines"


@each_file
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), f"{path.relative_to(ROOT)} has no docstring"


@each_file
def test_no_text_becomes_code(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile", "__import__"), (
                f"{path}:{node.lineno}: {node.func.id}"
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in ("sympify", "parse_expr"), f"{path}:{node.lineno}: {node.func.attr}"
            for keyword in node.keywords:
                if keyword.arg in ("allow_pickle", "weights_only"):
                    assert isinstance(keyword.value, ast.Constant), f"{path}:{node.lineno}: {keyword.arg}"
                    safe = keyword.value.value is (keyword.arg == "weights_only")
                    assert safe, f"{path}:{node.lineno}: {keyword.arg}={keyword.value.value}"
    modules = {module.split(".")[0] for module, _ in imported(path)}
    assert not modules & {"pickle", "marshal", "shelve", "dill", "joblib"}, f"{path}: unpickling runs code"


def test_importing_kleiber_loads_nothing_heavy() -> None:
    script = (
        "import resource, sys, time; began = time.process_time(); import kleiber; spent = time.process_time() - began;"
        f"print(spent, *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    # The best of three: the first import may have to write byte code.
    answers = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
               for _ in range(3)]  # fmt: skip
    assert min(float(answer[0]) for answer in answers) < MOST_IMPORT_SECONDS
    assert answers[0][1:] == [], f"import kleiber loads {answers[0][1:]}"


def test_the_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['kleiber', '--help']\n"
        "from kleiber.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded', *[name for name in sys.modules if name in set(sys.argv[2:])])"
    )
    script = script.replace("set(sys.argv[2:])", repr(set(HEAVY) - {"typer", "rich"}))
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert answer.splitlines()[-1].split() == ["loaded"]


def test_every_dependency_is_explained() -> None:
    """docs/dependencies.md has one line for each package of pyproject.toml, and for no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    declared = {re.split(r"[\[<>=~! ;]", entry)[0].lower() for group in groups for entry in group}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = {name.lower() for name in re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)}
    assert declared == explained, f"undocumented {declared - explained}, stale {explained - declared}"


def test_constraints_pin_every_dependency() -> None:
    """constraints.txt names an exact version of everything that pyproject.toml asks for, but for the optional services."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *extras["lab"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[\[<>=~! ;]", entry)[0].lower() for entry in wanted}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line and not line.startswith("#")}
    assert names <= pinned, f"no version tested of {sorted(names - pinned)}"
