"""`kleiber app`: the planner page, served from this machine to a browser."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.lab_options import Registry, Results
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.app.server import Settings

TOKEN_VARIABLE = "KLEIBER_APP_TOKEN"
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 for one that is free.")]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen. Others than this machine need a --token.")]
Token = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help=f"What visitors must know, 16 characters or more. [default: ${TOKEN_VARIABLE}]"),
]
Shown = Annotated[
    list[str] | None,
    typer.Option("--runs", metavar="FILE", help="A run table that every visitor sees, as often as you like."),
]
Ladder = Annotated[str | None, typer.Option(metavar="LADDER.toml", help="Show this ladder live, with its curves.")]
Workers = Annotated[
    int | None, typer.Option(min=1, max=64, help="Processes that answer. [default: one per processor, 2 to 8]")
]


def app(
    port: Port = 8765,
    host: Host = "127.0.0.1",
    token: Token = None,
    runs: Shown = None,
    registry: Registry = None,
    ladder: Ladder = None,
    results: Results = None,
    workers: Workers = None,
) -> None:
    """Serve the planner page: drop in a table of runs, fit, plan, move the budget, send a link.

    Nothing leaves this machine: uploads lie in a temporary folder until the server ends, each seen by the visitor who brought it.
    """
    for package in ("fastapi", "uvicorn"):
        if find_spec(package) is None:
            raise InputError(f"the page needs {package}, which is not installed", remedy="pip install 'kleiber[app]'")
    for file in runs or []:
        if not Path(file).is_file():
            raise InputError("no such file", where=file, remedy="check the path")
    if ladder is not None and not Path(ladder).is_file():
        raise InputError("no such file", where=ladder, remedy="check the path")
    known = allowed(host, token or os.environ.get(TOKEN_VARIABLE) or None)
    from kleiber.app.server import Settings

    chosen: dict[str, Any] = {} if workers is None else {"workers": workers}
    settings = Settings(
        token=known,
        hosts=_hosts(host),
        runs=tuple(Path(file) for file in runs or []),
        registry=registry,
        ladder=ladder,
        results=results,
        **chosen,
    )
    _serve(settings, host, port)


def allowed(host: str, token: str | None) -> str | None:
    """The token to ask for; raises `InputError` where others could come in without one."""
    from kleiber.app.guard import LEAST_TOKEN, LOOPBACK

    if token is not None and len(token) < LEAST_TOKEN:
        raise InputError("the token is too short", expected=f"at least {LEAST_TOKEN} characters", where="--token")
    if host not in LOOPBACK and token is None:
        import secrets

        raise InputError(
            f"listening on {host} lets others in, and they could use this machine",
            where="--host",
            remedy=f"ask them for a token, such as --token {secrets.token_urlsafe(24)}",
        )
    return token


def _hosts(host: str) -> tuple[str, ...] | None:
    """The names that the server goes by: of this machine alone, or any where visitors know the token."""
    from kleiber.app.guard import LOOPBACK

    return LOOPBACK if host in LOOPBACK else None


def _serve(settings: Settings, host: str, port: int) -> None:
    import socket

    import uvicorn

    from kleiber.app.server import make

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InputError(
            f"cannot listen there: {error.strerror}",
            where=f"{host}:{port}",
            remedy="name another --port, or 0 for a free one",
        ) from None
    page = make(settings)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    screen.say("The planner: ", (address + (f"?token={settings.token}" if settings.token else ""), "bold"))
    screen.say("Ctrl-C ends it, and forgets what was uploaded.")
    config = uvicorn.Config(page, log_level="warning", server_header=False, date_header=False, proxy_headers=False)
    uvicorn.Server(config).run(sockets=[listener])


COMMAND = Command(name="app", title="The planner page, in a browser.", run=app, schema=None)
