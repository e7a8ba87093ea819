"""Who may ask, and what leaves: sessions apart, tokens, hosts, origins, headers, limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kleiber.app.limits import Limits
from kleiber.app.server import Settings, make
from tests.app.conftest import BASE, bring

TOKEN = "a-long-enough-token"


def other(client: TestClient) -> TestClient:
    """Another visitor of the same server, with no cookies."""
    stranger = TestClient(client.app, base_url=BASE)
    stranger.portal = client.portal  # the same server, in the same loop
    return stranger


def test_one_visitors_upload_is_invisible_to_another(client: TestClient, ladder_csv: Path) -> None:
    mine = bring(client, ladder_csv, "secret.csv")
    stranger = other(client)
    assert stranger.get("/api/uploads").json() == []
    for name in (mine["id"], mine["sha256"]):
        lost = stranger.post("/api/inspect", json={"table": name})
        assert (lost.status_code, lost.json()["kind"]) == (404, "missing")
        assert stranger.delete(f"/api/uploads/{name}").status_code == 404
        assert stranger.post(f"/api/uploads/{name}/share").status_code == 404
    absent = stranger.post("/api/inspect", json={"table": "nothing"}).json()
    assert absent == lost.json(), "another's upload and none at all must look the same"
    assert client.post("/api/inspect", json={"table": mine["sha256"]}).status_code == 200


def test_a_shared_link_opens_one_table_only(client: TestClient, ladder_csv: Path) -> None:
    shared = bring(client, ladder_csv, "shared.csv")
    bring(client, ladder_csv, "kept.csv")
    key = client.post(f"/api/uploads/{shared['id']}/share").json()["key"]
    friend = other(client)
    assert friend.post("/api/uploads/open", json={"key": key[:-1]}).status_code == 404
    assert friend.post("/api/uploads/open", json={"key": key}).json()["sha256"] == shared["sha256"]
    assert [each["name"] for each in friend.get("/api/uploads").json()] == ["shared.csv"]
    assert friend.post("/api/inspect", json={"table": shared["id"]}).status_code == 200


def test_ids_and_sessions_cannot_be_guessed(client: TestClient, ladder_csv: Path) -> None:
    ids = {bring(client, ladder_csv, f"{at}.csv")["id"] for at in range(5)}
    assert len(ids) == 5
    assert all(len(each) >= 24 for each in ids)
    cookie = other(client).get("/api/uploads").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert len(cookie.split("=")[1].split(";")[0]) >= 43


def test_every_answer_bears_the_headers(client: TestClient) -> None:
    for path in ("/", "/static/main.js", "/api/about", "/nowhere", "/api/nowhere"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[::ffff:1.2.3.4]:8765"]
)
def test_another_name_for_this_server_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/about", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765"])
def test_its_own_names_are_not(client: TestClient, host: str) -> None:
    assert client.get("/api/uploads", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("headers", [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"sec-fetch-site": "cross-site"},
])  # fmt: skip
def test_another_page_cannot_ask_for_a_visitor(client: TestClient, headers: dict[str, str]) -> None:
    told = client.post("/api/uploads", params={"name": "x.csv"}, content=b"a,b\n1,2\n", headers=headers)
    assert told.status_code == 403


def test_a_token_is_needed_where_one_is_set() -> None:
    with TestClient(
        make(Settings(token=TOKEN, hosts=None, workers=1, warm=False)), base_url="http://planner.lan:1"
    ) as visitor:
        for path in ("/", "/static/main.js", "/api/about", "/api/openapi.json"):
            assert visitor.get(path).status_code == 401
        assert visitor.get("/api/about", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert visitor.get("/api/about", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        sent = visitor.get("/", params={"token": TOKEN}, follow_redirects=False)
        assert (sent.status_code, sent.headers["location"]) == (303, "/"), "the token does not stay in the address"
        assert visitor.get("/api/about").status_code == 200, "the cookie knows it now"


def test_bytes_rows_and_columns_are_limited(client: TestClient) -> None:
    large = client.post("/api/uploads", params={"name": "large.csv"}, content=b"x" * 200_001)
    assert (large.status_code, large.json()["kind"]) == (413, "limit")

    def pieces():
        for _ in range(30):
            yield b"y" * 10_000

    assert client.post("/api/uploads", params={"name": "piecewise.csv"}, content=pieces()).status_code == 413
    long = b"params,tokens,loss\n" + b"1e6,1e9,3\n" * 501
    id = client.post("/api/uploads", params={"name": "long.csv"}, content=long).json()["id"]
    told = client.post("/api/check", json={"table": id, "table_only": True})
    assert told.status_code == 422
    assert "too many rows" in told.json()["message"]
    wide = b",".join(b"c%d" % at for at in range(1_100)) + b"\n" + b"1," * 1_099 + b"1\n"
    id = client.post("/api/uploads", params={"name": "wide.csv"}, content=wide).json()["id"]
    assert "too many columns" in client.post("/api/inspect", json={"table": id}).json()["message"]


def test_a_small_parquet_file_of_many_rows_is_not_unfolded(client: TestClient, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "bomb.parquet"
    rows = 3_000_000
    pq.write_table(
        pa.table({name: pa.array([1.0]).take(pa.array([0] * rows)) for name in ("params", "tokens", "loss")}), path
    )
    assert path.stat().st_size < 200_000
    told = client.post("/api/inspect", json={"table": bring(client, path)["id"]})
    assert (told.status_code, told.json()["message"]) == (422, "there are too many rows")


def test_old_uploads_make_room() -> None:
    limits = Limits(uploads_per_session=2)
    with TestClient(make(Settings(workers=1, warm=False, limits=limits)), base_url=BASE) as visitor:
        for at in range(4):
            assert (
                visitor.post("/api/uploads", params={"name": f"{at}.csv"}, content=b"loss\n%d\n" % at).status_code
                == 201
            )
        assert [each["name"] for each in visitor.get("/api/uploads").json()] == ["2.csv", "3.csv"]


def test_tables_of_the_server_are_seen_by_all_and_stay(ladder_csv: Path) -> None:
    with TestClient(make(Settings(workers=1, warm=False, runs=(ladder_csv,))), base_url=BASE) as visitor:
        [served] = visitor.get("/api/uploads").json()
        assert served["served"] is True
        assert visitor.delete(f"/api/uploads/{served['id']}").status_code == 422
        assert ladder_csv.exists()
    assert ladder_csv.exists()
