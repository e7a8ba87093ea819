"""A server in this process, and the tables that are brought to it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for package in ("fastapi", "uvicorn", "httpx2"):
    pytest.importorskip(package, reason="the page's packages are not installed: pip install 'kleiber[app]'")

from starlette.testclient import TestClient  # noqa: E402

from kleiber.app.limits import Limits  # noqa: E402
from kleiber.app.server import Settings, make  # noqa: E402

BASE = "http://127.0.0.1:8765"
DRAWS, STARTS = 60, 8
Ask = Callable[..., Any]


def write_ladder(path: Path, *, seed: int = 0) -> Path:
    """Runs of a known law under odd column names, with one per cent of noise in the loss."""
    rng = np.random.default_rng(seed)
    rows = []
    for params in np.geomspace(2e7, 2e9, 6):
        for ratio in (5, 20, 80):
            tokens = params * ratio
            loss = (1.8 + 400 / params**0.35 + 2000 / tokens**0.37) * np.exp(0.002 * rng.standard_normal())
            rows.append([f"run-{len(rows)}", f"{params:.6g}", f"{tokens:.6g}", f"{loss:.6f}"])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["which", "Model Size", "seen tokens", "final"], *rows])
    return path


MAP = {"params": "Model Size", "tokens": "seen tokens", "loss": "final"}


@pytest.fixture(scope="session")
def ladder_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ladder(tmp_path_factory.mktemp("app") / "my ladder.csv")


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    """A visitor of a server with small limits."""
    limits = Limits(upload_bytes=200_000, upload_rows=500, quick_seconds=120, long_seconds=240)
    with TestClient(make(Settings(workers=1, warm=False, limits=limits)), base_url=BASE) as visitor:
        yield visitor


def bring(visitor: TestClient, path: Path, name: str | None = None) -> dict[str, Any]:
    """Upload a file."""
    answer = visitor.post("/api/uploads", params={"name": name or path.name}, content=path.read_bytes())
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture(scope="session")
def table(client: TestClient, ladder_csv: Path) -> str:
    """The id of the ladder, brought to the server."""
    return bring(client, ladder_csv)["id"]


@pytest.fixture(scope="session")
def ask(client: TestClient, table: str) -> Ask:
    """A question about the ladder, whose answer must be `status`."""

    def call(path: str, *, status: int = 200, draws: int | None = DRAWS, **more: Any) -> Any:
        body: dict[str, Any] = {"table": table, "reading": {"map": MAP}}
        if draws is not None:
            body["fitting"] = {"bootstrap": draws, "starts": STARTS}
        answer = client.post(f"/api/{path}", json=body | more)
        assert answer.status_code == status, answer.text
        return answer.json()

    return call
