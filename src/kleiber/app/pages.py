"""The page's own files, and what it is told when it opens.

One idea: the browser gets the files as they lie in the package; the charts' library comes out of the package that also draws the
report's pictures, so that no copy is kept and nothing is fetched.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from importlib import resources
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import Request

import kleiber
from kleiber.app.crew import Crew
from kleiber.app.limits import Limits

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LIBRARY_SECONDS = 120.0
LIBRARY, THEME = "vega.js", "theme.css"  # of other parts of the house: the charts' library, the report's look


@lru_cache(maxsize=64)
def content(name: str) -> tuple[bytes, str]:
    """A file as it lies in the package, and its hash; raises `KeyError` where there is none."""
    folder = resources.files("kleiber.app").joinpath("static")
    if name == THEME:
        body = resources.files("kleiber.report").joinpath("page.css").read_bytes()
    elif name in {each.name for each in folder.iterdir() if each.is_file()}:
        body = folder.joinpath(name).read_bytes()
    else:
        raise KeyError(name)
    return body, _digest(body)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


class Library:
    """The charts' library, which a process of the crew takes out of its package: that takes seconds, once."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._making: asyncio.Task[bytes] | None = None

    async def script(self) -> bytes:
        """The library as one script."""
        if self._making is None or (self._making.done() and (self._making.cancelled() or self._making.exception())):
            self._making = asyncio.create_task(self._made())
        return await asyncio.shield(self._making)

    async def _made(self) -> bytes:
        reply = await self._crew.ask("library", {}, seconds=LIBRARY_SECONDS)
        return json.loads(reply.body)["script"].encode()


def add(app: FastAPI, library: Library) -> None:
    """The page at /, its files under /static/."""

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return _file(request, "index.html", *content("index.html"))

    @app.get("/static/{name}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        if name == LIBRARY:
            body = await library.script()
            return _file(request, name, body, _digest(body))
        try:
            return _file(request, name, *content(name))
        except KeyError:
            raise HTTPException(404, "there is no such file") from None


def _file(request: Request, name: str, body: bytes, digest: str) -> Response:
    tag = f'"{digest}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    suffix = name[name.rfind(".") :]
    return Response(body, media_type=f"{TYPES.get(suffix, 'application/octet-stream')}; charset=utf-8", headers=headers)


@lru_cache(maxsize=1)
def _lists() -> dict[str, Any]:
    """What there is to choose from."""
    from kleiber.cost import FAMILIES, hardware
    from kleiber.cost.models import models
    from kleiber.experts.pipeline import SCHEDULES
    from kleiber.experts.placement import POLICIES
    from kleiber.laws import LAWS

    return {
        "laws": [
            {"name": law.name, "title": law.title, "formula": law.formula, "inputs": list(law.inputs), "target": law.target}
            for law in LAWS
        ],
        "hardware": [each.name for each in hardware()],
        "families": list(FAMILIES),
        "models": [each.name for each in models() if any("expert" in key for key in each.config)],
        "policies": [each.name for each in POLICIES],
        "schedules": [each.name for each in SCHEDULES],
    }  # fmt: skip


def about(limits: Limits) -> dict[str, Any]:
    """What the page needs to know before it asks anything."""
    return {
        "version": kleiber.__version__,
        "limits": {name: float(value) for name, value in asdict(limits).items()},
        **_lists(),
    }
