"""Who may ask: a token where the server is open to others, a Host that is this server's, an Origin that is this page.

One idea: it stands before everything, static files and unknown addresses included, and every answer leaves with the same headers:
nothing from elsewhere is loaded, no page frames this one, no address is told on.

Sources: OWASP "Content Security Policy" and "CSRF prevention" cheat sheets; Chrome's "DNS rebinding" advice: check the Host.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from kleiber.app.limits import Limits

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SESSION, TOKEN = "kleiber_session", "kleiber_token"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
LEAST_TOKEN = 16


class Guard:
    """An ASGI application in front of another."""

    def __init__(self, inner: Application, *, hosts: tuple[str, ...] | None, token: str | None, limits: Limits) -> None:
        self.inner, self.hosts, self.token, self.limits = inner, hosts, token, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.inner(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        cookies = _cookies(headers)
        dressed = _dressing(send, self._new_cookies(scope, cookies))
        if refusal := self._refusal(scope, headers, cookies):
            await _refuse(dressed, *refusal)
        elif self.token and (rest := _token_in(scope)) is not None:
            await _redirect(dressed, scope["path"], rest)
        else:
            await self.inner(scope, receive, dressed)

    def _refusal(self, scope: Scope, headers: dict[str, str], cookies: dict[str, str]) -> tuple[int, str, str] | None:
        """(status, message, remedy) of a request that may not pass."""
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            return 421, "this server does not go by that name", f"open it as http://{self.hosts[0]}"
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and not _same_origin(headers, host):
            return 403, "this request comes from another page", "open the planner itself"
        if not self._knows_token(scope, headers, cookies):
            return 401, "a token is needed", "open the address with ?token=..., as the server printed it"
        try:
            length = int(headers.get("content-length") or 0)
        except ValueError:
            return 400, "the length of the request is no number", "send it again"
        most = self.limits.upload_bytes if scope["path"] == "/api/uploads" else self.limits.body_bytes
        if length > most:
            return 413, f"the request is too large: at most {most >> 10:,} KiB", "keep only the final runs"
        return None

    def _knows_token(self, scope: Scope, headers: dict[str, str], cookies: dict[str, str]) -> bool:
        if self.token is None:
            return True
        bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        offered = (bearer, cookies.get(TOKEN, ""), query.get("token", ""))
        return any(hmac.compare_digest(each.encode(), self.token.encode()) for each in offered)

    def _new_cookies(self, scope: Scope, cookies: dict[str, str]) -> list[str]:
        """A session for a visitor without one, and the token for one who brought it in the address."""
        found = []
        session = cookies.get(SESSION, "")
        if len(session) < 32:
            session = secrets.token_urlsafe(32)
            found.append(_cookie(SESSION, session))
        scope["kleiber.session"] = session
        brought = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("token", "")
        if self.token and hmac.compare_digest(brought.encode(), self.token.encode()):
            found.append(_cookie(TOKEN, self.token))
        return found


def _cookie(name: str, value: str) -> str:
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict"


def _cookies(headers: dict[str, str]) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except Exception:
        return {}


def _name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> _name("localhost:8765"), _name("[::1]:8765"), _name("example.org")
    ('localhost', '::1', 'example.org')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _same_origin(headers: dict[str, str], host: str) -> bool:
    """Whether a request that changes something comes from this page, or from no page at all."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == host


def _token_in(scope: Scope) -> str | None:
    """The rest of the query of an address that bears a token, so that the token does not stay in it."""
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
    if scope["method"] != "GET" or scope["path"].startswith("/api/") or "token" not in dict(pairs):
        return None
    return urlencode([pair for pair in pairs if pair[0] != "token"])


def _dressing(send: Send, cookies: list[str]) -> Send:
    """`send`, with our headers on what leaves."""

    async def dressed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"server"]
            names = {name.lower() for name, _ in given}
            given += [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in names]
            given += [(b"set-cookie", cookie.encode()) for cookie in cookies]
            if b"cache-control" not in names:
                given.append((b"cache-control", b"no-store"))
            message = {**message, "headers": given}
        await send(message)

    return dressed


async def _refuse(send: Send, status: int, message: str, remedy: str) -> None:
    kind = {413: "limit"}.get(status, "denied")
    told = {"schema": "kleiber/problem/1", "kind": kind, "message": message, "found": None, "expected": None}
    body = json.dumps(told | {"remedy": remedy, "where": None}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, path: str, rest: str) -> None:
    target = "/" + path.lstrip("/") + (f"?{rest}" if rest else "")
    headers = [(b"location", target.encode("ascii", "ignore")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
