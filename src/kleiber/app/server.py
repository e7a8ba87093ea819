"""The HTTP surface: routes, each of which checks what was asked, finds the uploads, and hands the question to the crew.

The way the data takes: request -> `asks` (form) -> `store` (which files, and may this visitor see them) -> `crew` -> the answer
as it is. The one idea: nothing is computed here, so a slow question never keeps the page from being served.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

import kleiber
from kleiber.app import asks, pages, told
from kleiber.app.crew import BusyError, Crew, LateError
from kleiber.app.guard import LOOPBACK, Guard
from kleiber.app.limits import Limits
from kleiber.app.store import MissingError, Store, TooLargeError, Upload
from kleiber.app.worker import of_error, problem
from kleiber.errors import KleiberError

BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
ERRORS: dict[type, tuple[int, str]] = {
    MissingError: (404, "missing"),
    TooLargeError: (413, "limit"),
    LateError: (503, "limit"),
    BusyError: (503, "limit"),
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": told.Problem, "description": words}
    for status, words in (
        (400, "The request is malformed."),
        (401, "A token is needed."),
        (403, "The request comes from another page."),
        (404, "There is no such upload."),
        (409, "A refusal: the runs do not support an answer."),
        (413, "Larger than a visitor may bring or use."),
        (415, "Not JSON."),
        (421, "Not this server's name."),
        (422, "What was handed in cannot be used."),
        (503, "Busy, or the answer takes too long."),
    )
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a server is run: `hosts` it answers to (None: any, where a token is asked for), what it shows without an upload.

    `warm`: make everything ready at once, rather than for the first visitor.
    """

    token: str | None = None
    hosts: tuple[str, ...] | None = LOOPBACK
    runs: tuple[Path, ...] = ()
    registry: str | None = None
    ladder: str | None = None
    results: str | None = None
    warm: bool = True
    workers: int = field(default_factory=lambda: max(2, min(8, os.cpu_count() or 2)))
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True)
class House:
    """What the routes share."""

    settings: Settings
    store: Store
    crew: Crew
    library: pages.Library

    async def ask(
        self,
        request: Request,
        task: str,
        asked: asks.Ask | None,
        uploads: list[str],
        *,
        long: bool = False,
        **more: Any,
    ) -> Response:
        """The crew's answer about some uploads of this visitor's."""
        session = request.scope["kleiber.session"]
        limits = self.settings.limits
        most = {"rows": limits.upload_rows, "columns": limits.upload_columns}
        sources = [source(self.store.find(session, id)) | most | {"id": id} for id in dict.fromkeys(uploads)]
        arguments = {**(asked.told() if asked else {}), **more, "sources": sources}
        for name in ("table", "trace"):
            arguments.pop(name, None)
        seconds = limits.long_seconds if long else limits.quick_seconds
        reply = await self.crew.ask(task, arguments, seconds=seconds, long=long)
        return Response(reply.body, reply.status, media_type="application/json")


def source(upload: Upload) -> dict[str, Any]:
    """An upload as the crew needs it."""
    return {"path": str(upload.path), "folder": str(upload.folder), "name": upload.name}


def _upload(upload: Upload) -> told.UploadTold:
    return told.UploadTold(
        id=upload.id, name=upload.name, sha256=upload.sha256, bytes=upload.size_bytes, served=upload.served
    )


def make(settings: Settings | None = None) -> Guard:
    """The application: the routes behind the guard."""
    settings = settings or Settings()
    limits = settings.limits
    crew = Crew(settings.workers, memory_bytes=limits.memory_bytes, waiting=limits.waiting)
    house = House(settings=settings, store=Store(limits), crew=crew, library=pages.Library(crew))
    for path in settings.runs:
        house.store.serve(path)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(_warm(house)) if settings.warm else None
        try:
            yield
        finally:
            if warming:
                warming.cancel()
            await house.crew.close()
            house.store.close()

    app = FastAPI(title="Kleiber", version=kleiber.__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
                  openapi_url="/api/openapi.json", responses=PROBLEMS)  # fmt: skip
    app.state.house = house
    app.include_router(_uploads(house))
    app.include_router(_questions(house))
    app.include_router(_others(house))
    pages.add(app, house.library)
    _speak_plainly(app)
    return Guard(app, hosts=settings.hosts, token=settings.token, limits=limits)


async def _warm(house: House) -> None:
    """Make ready what the first visitor would otherwise wait for."""
    await asyncio.gather(
        house.crew.warm(),
        house.library.script(),
        asyncio.to_thread(pages.about, house.settings.limits),
        return_exceptions=True,
    )


def _uploads(house: House) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["uploads"])
    store = house.store

    @routes.post("/uploads", status_code=201, openapi_extra={"requestBody": {"required": True, "content": BINARY}})
    async def upload(request: Request, name: str = Query(min_length=1, max_length=300)) -> told.UploadTold:
        """Bring a file: its bytes are the body. It is seen by this session alone."""
        return _upload(await store.keep(request.scope["kleiber.session"], name, request.stream()))

    @routes.get("/uploads")
    async def uploads(request: Request) -> list[told.UploadTold]:
        """What this session may see."""
        return [_upload(each) for each in store.seen_by(request.scope["kleiber.session"])]

    @routes.delete("/uploads/{id}", status_code=204)
    async def drop(request: Request, id: asks.Id) -> None:
        """Forget an upload."""
        store.drop(request.scope["kleiber.session"], id)

    @routes.post("/uploads/{id}/share")
    async def share(request: Request, id: asks.Id) -> told.Key:
        """The key with which another session may see an upload."""
        return told.Key(key=store.share(request.scope["kleiber.session"], id))

    @routes.post("/uploads/open")
    async def open_shared(request: Request, asked: asks.OpenAsk) -> told.UploadTold:
        """See what was shared."""
        return _upload(store.open(request.scope["kleiber.session"], asked.key))

    return routes


def _questions(house: House) -> APIRouter:
    """Questions about a table, a law and a plan: one route each, all alike."""
    routes = APIRouter(prefix="/api", tags=["questions"])
    ask = house.ask

    @routes.post("/inspect", response_model=told.Inspected)
    async def inspect(request: Request, asked: asks.OfTable) -> Response:
        """How a table is understood."""
        return await ask(request, "inspect", asked, [asked.table])

    @routes.post("/check", response_model=told.Answer)
    async def check(request: Request, asked: asks.CheckAsk) -> Response:
        """What is wrong with a table, and with a law fitted to it."""
        return await ask(request, "check", asked, [asked.table], long=True)

    @routes.post("/fit", response_model=told.Answer)
    async def fit(request: Request, asked: asks.OfFit) -> Response:
        """A law fitted to the runs, with intervals."""
        return await ask(request, "fit", asked, [asked.table], long=True)

    @routes.post("/backtest", response_model=told.Answer)
    async def backtest(request: Request, asked: asks.BacktestAsk) -> Response:
        """Laws judged by the runs they did not see."""
        return await ask(request, "backtest", asked, [asked.table], long=True)

    @routes.post("/forecast", response_model=told.Answer)
    async def forecast(request: Request, asked: asks.ForecastAsk) -> Response:
        """The loss of one run."""
        return await ask(request, "forecast", asked, [asked.table])

    @routes.post("/plan", response_model=told.Answer)
    async def plan(request: Request, asked: asks.PlanAsk) -> Response:
        """What to train with a budget."""
        return await ask(request, "plan", asked, [asked.table, *asked.life.family_fit.values()])

    @routes.post("/frontier", response_model=told.Answer)
    async def frontier(request: Request, asked: asks.FrontierAsk) -> Response:
        """What no other design beats."""
        return await ask(request, "frontier", asked, [asked.table, *asked.life.family_fit.values()], long=True)

    @routes.post("/next", response_model=told.Answer)
    async def next_runs(request: Request, asked: asks.NextAsk) -> Response:
        """Which runs to train next."""
        return await ask(request, "next", asked, [asked.table], long=True)

    @routes.post("/chart", response_model=told.Answer)
    async def chart(request: Request, asked: asks.ChartAsk) -> Response:
        """One chart as a Vega-Lite specification."""
        return await ask(request, "chart", asked, [asked.table], long=True)

    @routes.post("/report", response_model=told.Answer)
    async def report(request: Request, asked: asks.ReportAsk) -> Response:
        """Everything in one HTML file."""
        return await ask(request, "report", asked, [asked.table], long=True)

    return routes


def _others(house: House) -> APIRouter:
    """The ladder, experts and diagnostics."""
    routes = APIRouter(prefix="/api", tags=["ladder, experts, diagnostics"])
    ask, settings = house.ask, house.settings

    @routes.get("/about")
    async def about() -> told.About:
        """What the page needs to know before it asks anything."""
        known = await asyncio.to_thread(pages.about, settings.limits)
        return told.About(**known, ladder=bool(settings.registry or settings.ladder))

    @routes.get("/ladder", response_model=told.Answer)
    async def ladder(request: Request) -> Response:
        """How the runs of the server's registry stand, with forecasts."""
        where = {"ladder": settings.ladder, "results": settings.results, "registry": settings.registry}
        return await ask(request, "ladder", None, [], long=True, **where)

    @routes.post("/experts/place", response_model=told.Answer)
    async def place(request: Request, asked: asks.PlaceAsk) -> Response:
        """Where each expert sits."""
        return await ask(request, "place", asked, [asked.trace])

    @routes.post("/experts/simulate", response_model=told.Answer)
    async def simulate(request: Request, asked: asks.SimulateAsk) -> Response:
        """The time of a step of a sparse model."""
        return await ask(request, "simulate", asked, [asked.trace] if asked.trace else [])

    @routes.get("/diagnostics", response_model=told.Answer)
    async def diagnostics(request: Request) -> Response:
        """Every diagnostic, with the arrays it takes."""
        return await ask(request, "diagnostics", None, [])

    @routes.post("/columns", response_model=told.Answer)
    async def columns(request: Request, asked: asks.ColumnsAsk) -> Response:
        """The columns of numbers of a file."""
        return await ask(request, "columns", asked, [asked.table])

    @routes.post("/diagnose", response_model=told.Answer)
    async def diagnose(request: Request, asked: asks.DiagnoseAsk) -> Response:
        """The finding of one diagnostic on uploaded arrays."""
        return await ask(request, "diagnose", asked, [each.upload for each in asked.arrays.values()], long=True)

    return routes


def _speak_plainly(app: FastAPI) -> None:
    """Every error as a problem that a person can read."""

    @app.exception_handler(KleiberError)
    async def ours(request: Request, error: KleiberError) -> Response:
        status, kind = ERRORS.get(type(error), (422, "input"))
        return JSONResponse(of_error(error) | {"kind": kind}, status)

    @app.exception_handler(RequestValidationError)
    async def form(request: Request, error: RequestValidationError) -> Response:
        first: Mapping[str, Any] = next(iter(error.errors()), {})
        where = ".".join(str(part) for part in first.get("loc", ())[1:]) or None
        return JSONResponse(problem("input", str(first.get("msg", "cannot be read")), where=where), 422)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        kind = "missing" if error.status_code == 404 else "input"
        return JSONResponse(problem(kind, str(error.detail)), error.status_code, headers=error.headers)
