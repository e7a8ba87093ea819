"""The reference: one page for each folder, with what its `__init__` makes public, from the docstrings.

One idea: nothing is listed by hand. `__all__` is the list, the imports beside it say where each name is at home, and folders
that export nothing are listed here by module. Nothing of Kleiber is imported: the sources are read.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


SOURCE = Path(__file__).resolve().parents[2] / "src"
FOLDERS = ("runs", "laws", "cost", "fit", "plan", "figures", "report")
ROOMS = ("criticality", "topology", "memorisation", "emergence", "data")
MODULES = {
    "experts": (
        "kleiber.experts.trace",
        "kleiber.experts.read.read_trace",
        "kleiber.experts.balance",
        "kleiber.experts.cluster",
        "kleiber.experts.placement.policy",
        "kleiber.experts.placement.placement",
        "kleiber.experts.placement.fill",
        "kleiber.experts.placement.migrate",
        "kleiber.experts.replay",
        "kleiber.experts.simulate",
    ),
    "lab": (
        "kleiber.lab.ladder",
        "kleiber.lab.description",
        "kleiber.lab.table",
        "kleiber.lab.design",
        "kleiber.lab.recipe",
        "kleiber.lab.dial",
        "kleiber.lab.corpus",
        "kleiber.lab.coordinate_check",
        "kleiber.lab.executors.open_executor",
    ),
    "ledger": ("kleiber.fit.ledger", "kleiber.fit.ledger_score"),
    "foundations": ("kleiber.quantity", "kleiber.finding", "kleiber.errors"),
}
TITLES = {"ledger": "The ledger of forecasts", "foundations": "Quantities, findings, errors"}
INTRODUCTION = """What `import kleiber` gives, and where each is described. The folders have pages of their own; what is
described on none of them stands below."""


@cache
def tree_of(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(source_of(module).read_text(encoding="utf-8"))


def source_of(module: str) -> Path:
    """The file of a module, or of a package's `__init__`."""
    path = SOURCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def exported(module: str) -> list[str]:
    """The names in `__all__`, none if there is none."""
    for node in tree_of(module).body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "__all__" for to in node.targets):
            return [str(ast.literal_eval(each)) for each in node.value.elts]  # type: ignore[attr-defined]
    return []


@cache
def home(module: str, name: str) -> str:
    """Where a name that a module imports, or imports of an import, is defined."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return home(node.module, alias.name)
    return f"{module}.{name}"


def blocks(identifiers: list[str], level: int = 2) -> str:
    """The lines that ask for the docstrings."""
    return "\n\n".join(f"::: {each}\n    options:\n      heading_level: {level}" for each in identifiers)


def table(names: dict[str, str]) -> str:
    """Names with links to where each is described."""
    rows = [f"| [`kleiber.{name}`][{there}] | `{there.rpartition('.')[0]}` |" for name, there in names.items()]
    return "\n".join(["| name | is at home in |", "|---|---|", *rows])


def pages() -> dict[str, str]:
    """Every page of the reference by its path; each name is described once."""
    homes = {folder: [home(f"kleiber.{folder}", name) for name in exported(f"kleiber.{folder}")] for folder in FOLDERS}
    homes |= {folder: list(modules) for folder, modules in MODULES.items()}
    rooms = [home(f"kleiber.diagnose.{room}", name) for room in ROOMS for name in exported(f"kleiber.diagnose.{room}")]
    homes["diagnose"] = [
        "kleiber.diagnose.diagnostic",
        *(each for each in rooms if not each.endswith(".DIAGNOSTICS")),
    ]
    made = {name: f"# {TITLES.get(name, f'`kleiber.{name}`')}\n\n" + blocks(names) for name, names in homes.items()}
    public = {name: home("kleiber", name) for name in exported("kleiber")}
    known = [each for names in homes.values() for each in names]
    others = [each for each in public.values() if not any(f"{each}.".startswith(f"{one}.") for one in known)]
    made["index"] = f"# Public names\n\n{INTRODUCTION}\n\n{table(public)}\n\n" + blocks(others)
    return made


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The site also has the reference."""
    from mkdocs.structure.files import File

    for name, content in pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files
