"""The reference of the manual: everything public is in it, and everything in it exists."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from types import ModuleType

import pytest

import kleiber
from tests.cli import examples


@cache
def hook(name: str) -> ModuleType:
    """A hook of mkdocs.yml, which lies outside every package."""
    found = importlib.util.spec_from_file_location(name, examples.ROOT / "docs" / "hooks" / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def identifiers(page: str) -> list[str]:
    return re.findall(r"^::: (\S+)$", page, re.MULTILINE)


def test_every_public_name_is_described_once() -> None:
    pages = hook("reference").pages()
    described = [each for page in pages.values() for each in identifiers(page)]
    assert len(set(described)) == len(described)
    for name in kleiber.__all__:
        assert f"`kleiber.{name}`" in pages["index"]
    for there in re.findall(r"\]\[(kleiber\.\S+)\]", pages["index"]):
        assert any(f"{there}.".startswith(f"{each}.") for each in described), f"{there} is described nowhere"


def test_what_is_described_exists() -> None:
    """Each is a module, or stands at the top of one; read off the sources, as PyTorch takes seconds to import."""
    reference = hook("reference")
    for page in reference.pages().values():
        for each in identifiers(page):
            module, _, name = each.rpartition(".")
            if reference.source_of(each).exists():
                continue
            text = reference.source_of(module).read_text(encoding="utf-8")
            assert re.search(
                rf"^(?:def|class) {name}\b|^{name}(?::[^=]+)? = |import .*\b{name}\b", text, re.MULTILINE
            ), each


def test_every_page_is_in_the_menu() -> None:
    """The build is strict about it too; here it is seen without the packages of the manual."""
    menu = (examples.ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    made = [f"reference/{name}.md" for name in hook("reference").pages()]
    made += [f"notebooks/{path.stem}.md" for path in hook("notebooks").EXAMPLES.glob("*.ipynb")]
    for page in [*made, *(page.removeprefix("docs/") for page in examples.texts() if page != "README.md")]:
        assert re.search(rf"(?: |- ){re.escape(page)}$", menu, re.MULTILINE), (
            f"{page} is missing from nav in mkdocs.yml"
        )


@pytest.mark.parametrize("text", ["A law.\n\n>>> 1 + 1\n2\n>>> 2\n2\n\nSource: a book.", ">>> [1, 2]\n[1, 2]"])
def test_doctests_are_fenced(text: str) -> None:
    pytest.importorskip("griffe", reason="griffe comes with the packages of the manual (group docs)")
    shown = hook("doctests").fenced(text)
    assert shown.count("```") == 2
    assert "```pycon\n>>> " in shown
