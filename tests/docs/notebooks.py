"""The notebooks of `examples/`, run as plain scripts: `python -m tests.docs.notebooks` writes their output anew.

One idea: a notebook is a list of cells, so nothing but Python is needed to run one; its printed text is kept in it and compared.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli import examples
from tests.docs import blocks

FOLDER = examples.ROOT / "examples"
NOTEBOOKS = tuple(sorted(path.name for path in FOLDER.glob("*.ipynb")))


@contextmanager
def beside_the_examples() -> Iterator[None]:
    """A folder with everything where a notebook in `examples/` finds it, to write into."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as root:
        here = Path(root, "examples")
        here.mkdir()
        Path(root, "ladders").symlink_to(examples.ROOT / "ladders")
        for each in FOLDER.iterdir():
            (here / each.name).symlink_to(each)
        os.chdir(here)
        try:
            yield
        finally:
            os.chdir(before)


def read(name: str) -> dict[str, Any]:
    """A notebook as data."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def printed(cell: dict[str, Any]) -> tuple[str, ...]:
    """What the notebook says a cell prints."""
    text = "".join("".join(each["text"]) for each in cell["outputs"])
    return tuple(text.rstrip().split("\n"))


def cells(name: str) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Every cell of code with what it prints now."""
    names: dict[str, object] = {"__name__": "__notebook__"}
    for cell in read(name)["cells"]:
        if cell["cell_type"] == "code":
            yield cell, blocks.run("".join(cell["source"]), name, names)


def refresh(name: str) -> None:
    """Write what the cells of a notebook print anew."""
    book = read(name)
    with beside_the_examples():
        found = iter(list(cells(name)))
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            said = "\n".join(next(found)[1])
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": lines(said)}] if said else []
    (FOLDER / name).write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def lines(text: str) -> list[str]:
    """Text as a notebook keeps it."""
    return [f"{line}\n" for line in text.split("\n")]


if __name__ == "__main__":
    for each in NOTEBOOKS:
        refresh(each)
