"""A corpus small enough to train on in a second, with structure that a model can learn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.lab.postgres import Server, server
from tests.lab_ladder import HEAD

WORDS = ["the", "of", "and", "congress", "states", "united", "government", "people", "nation", "union", "peace", "law"]

LADDER = (
    HEAD
    + """[[stage]]
widths = [8, 16]
tokens = [4096, 8192]
seeds = [0]

[[stage]]
widths = [8]
tokens = [4096]
seeds = [0, 1]
"""
)


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-six documents of made-up prose."""
    folder = tmp_path_factory.mktemp("text")
    random = np.random.default_rng(0)
    for number in range(36):
        words = random.choice(WORDS, size=400)
        (folder / f"{number:02d}.txt").write_text(" ".join(words))
    return folder


@pytest.fixture(scope="session")
def ladder_text(text_folder: Path) -> str:
    """A ladder of five cells that trains in seconds."""
    return LADDER.format(corpus=text_folder)


@pytest.fixture
def ladder_toml(tmp_path: Path, ladder_text: str) -> Path:
    """The same, as a file to be changed."""
    path = tmp_path / "ladder.toml"
    path.write_text(ladder_text)
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server from Debian's packages."""
    with server() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty registry, once on SQLite and once on PostgreSQL."""
    pytest.importorskip("sqlalchemy", reason="the registry needs SQLAlchemy")
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a registry.sqlite'}"
    return request.getfixturevalue("postgres_server").new_database()
