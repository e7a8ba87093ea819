"""The notebooks run from top to bottom and print what stands in them."""

from __future__ import annotations

import pytest

from tests.cli import examples
from tests.docs import notebooks

QUICK = ("experts.ipynb",)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in notebooks.NOTEBOOKS]
)
def test_notebook(name: str) -> None:
    with notebooks.beside_the_examples():
        for cell, now in notebooks.cells(name):
            assert examples.agrees(notebooks.printed(cell), now), (
                f"examples/{name} prints otherwise; run: python -m tests.docs.notebooks\n" + "\n".join(now)
            )


def test_there_are_some_and_they_are_well_formed() -> None:
    assert len(notebooks.NOTEBOOKS) >= 3
    for name in notebooks.NOTEBOOKS:
        book = notebooks.read(name)
        assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
        identities = [cell["id"] for cell in book["cells"]]
        assert len(set(identities)) == len(identities)
        assert book["cells"][0]["cell_type"] == "markdown"
        for cell in book["cells"]:
            assert set(cell) == {"cell_type", "id", "metadata", "source"} | (
                {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
            )
