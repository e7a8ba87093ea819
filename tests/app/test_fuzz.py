"""The API against its own description, and the upload parser against anything: an answer or a sentence, never a fall."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install schemathesis")

ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".json", ".npy", ".txt")
NAMES = [f"{stem}{ending}" for stem in ("x", "../y", "a b") for ending in ENDINGS]
SLOW = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
]
QUICK = {"deadline": None, "suppress_health_check": SLOW, "derandomize": True, "database": None}
SMALL_FITS = {"bootstrap": 0, "starts": 1}


def _operations(client: TestClient) -> list[Any]:
    schema = schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())
    return [found.ok() for found in schema.get_all_operations()]


def _send(client: TestClient, case: Any) -> Any:
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("fitting"), dict):
        body = body | {"fitting": body["fitting"] | SMALL_FITS}
    path = case.formatted_path
    if isinstance(body, (dict, list)):
        return client.request(case.method, path, params=case.query, json=body)
    return client.request(case.method, path, params=case.query, content=body if isinstance(body, bytes) else None)


def _check(case: Any, response: Any, documented: set[str]) -> None:
    said = f"{case.method} {case.formatted_path} {case.body!r}: {response.status_code} {response.text[:300]}"
    assert response.status_code < 500 or response.status_code == 503, said
    assert str(response.status_code) in documented, said
    if response.status_code >= 400:
        told = response.json()
        assert told["schema"] == "kleiber/problem/1", said
        assert told["message"], said


def _fuzz(client: TestClient, table: str, examples: int) -> None:
    described = client.get("/api/openapi.json").json()["paths"]
    for operation in _operations(client):
        _fuzz_one(client, table, operation, set(described[operation.path][operation.method]["responses"]), examples)


def _fuzz_one(client: TestClient, table: str, operation: Any, documented: set[str], examples: int) -> None:
    @settings(max_examples=examples, **QUICK)
    @given(case=operation.as_strategy(), real=st.booleans())
    def try_it(case: Any, real: bool) -> None:
        if real and isinstance(case.body, dict) and "table" in case.body:
            case.body["table"] = table  # half of the questions are about a table that is there
        _check(case, _send(client, case), documented)

    try_it()


def test_the_api_keeps_its_own_description(client: TestClient, table: str) -> None:
    _fuzz(client, table, 4)


@pytest.mark.slow
def test_the_api_keeps_its_own_description_at_length(client: TestClient, table: str) -> None:
    _fuzz(client, table, 120)


def _npy(array: np.ndarray) -> bytes:
    import io

    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


ODD = ["70B", "nan", "", "=cmd()", "1e400", "\ufeff", '"']
CELLS = st.one_of(st.floats(), st.integers(), st.text(max_size=8), st.sampled_from(ODD))
CSV = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=6).map(
    lambda rows: "\n".join(",".join(map(str, row)) for row in rows).encode("utf-8", "surrogatepass")
)
HEADED = CSV.map(lambda body: b"params,tokens,loss\n" + body)
CONTENT = st.one_of(
    st.binary(max_size=400),
    CSV,
    HEADED,
    st.binary(max_size=60).map(lambda rest: b"PAR1" + rest + b"PAR1"),
    st.binary(max_size=60).map(lambda rest: b"\x93NUMPY\x01\x00" + rest),
    st.just(_npy(np.array([{"a": 1}], dtype=object))),
    st.sampled_from([b"{}", b"[]", b"null", b'{"loss": 1}\n{"loss": "x"}', b"\xff\xfe", b"\x80\x04K\x01.", b"{" * 300]),
)


def _try_upload(client: TestClient, name: str, content: bytes) -> None:
    brought = client.post("/api/uploads", params={"name": name}, content=content)
    assert brought.status_code in (201, 422), brought.text
    if brought.status_code == 422:
        assert brought.json()["message"]
        return
    id = brought.json()["id"]
    try:
        for path, body in (
            ("inspect", {"table": id}),
            ("check", {"table": id, "table_only": True}),
            ("columns", {"table": id}),
            ("experts/place", {"trace": id, "cluster": {"slots_per_device": 4}}),
        ):
            answer = client.post(f"/api/{path}", json=body)
            assert answer.status_code in (200, 409, 422), f"{path} {name} {content!r}: {answer.text[:300]}"
            json.loads(answer.text)
    finally:
        client.delete(f"/api/uploads/{id}")


@settings(max_examples=40, **QUICK)
@given(name=st.sampled_from(NAMES), content=CONTENT)
def test_any_bytes_are_read_or_refused_in_words(client: TestClient, name: str, content: bytes) -> None:
    _try_upload(client, name, content)


@pytest.mark.slow
@settings(max_examples=1500, **QUICK)
@given(name=st.sampled_from(NAMES), content=CONTENT)
def test_any_bytes_are_read_or_refused_in_words_at_length(client: TestClient, name: str, content: bytes) -> None:
    _try_upload(client, name, content)


def test_a_pickle_is_never_loaded(client: TestClient) -> None:
    for name in ("x.pkl", "x.pt", "x.ckpt", "x.gz", "x.exe", "x", "x.csv.gz"):
        told = client.post("/api/uploads", params={"name": name}, content=b"\x80\x04K\x01.")
        assert told.status_code == 422, name
    id = client.post("/api/uploads", params={"name": "x.npy"}, content=_npy(np.array([{"a": 1}], dtype=object))).json()[
        "id"
    ]
    for path in ("columns", "inspect"):
        assert client.post(f"/api/{path}", json={"table": id}).status_code == 422
