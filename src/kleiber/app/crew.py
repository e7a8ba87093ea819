"""Processes that answer one question at a time, within a time limit.

The way the data takes: a question as JSON -> the first idle process -> status and JSON, passed on unread. The one idea: what
takes too long, too much memory or falls over takes only its own process with it; the next question finds a fresh one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from kleiber.errors import KleiberError

FRAME = 8
WARM_SECONDS = 120.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS"), "1")


class LateError(KleiberError):
    """The answer took longer than a visitor may ask for."""


class BusyError(KleiberError):
    """Too many questions wait already."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a process answered: an HTTP status and the body as it goes out."""

    status: int
    body: bytes


class Crew:
    """So many processes, started when first needed."""

    def __init__(self, size: int, *, memory_bytes: int, waiting: int) -> None:
        self.size, self.memory_bytes, self.waiting = size, memory_bytes, waiting
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()
        self._turn = asyncio.Semaphore(size)
        self._long = asyncio.Semaphore(max(1, size - 1))
        self._asked = 0

    async def ask(self, task: str, arguments: Mapping[str, Any], *, seconds: float, long: bool = False) -> Reply:
        """The answer to one question; raises `LateError` after `seconds` of work, `BusyError` where too many wait.

        Questions that take `long` leave one process to the quick ones, so that a slider never waits for a report.
        """
        if self._asked >= self.size + self.waiting:
            raise BusyError("too many questions wait for an answer; try again in a moment")
        self._asked += 1
        try:
            async with self._long if long else nullcontext(), self._turn:
                return await self._answer(json.dumps({"task": task, "arguments": arguments}).encode(), seconds)
        finally:
            self._asked -= 1

    async def close(self) -> None:
        """End all processes."""
        for process in list(self._all):
            await self._end(process)

    async def warm(self) -> None:
        """Start all processes, so that the first visitor need not wait for them."""
        await asyncio.gather(*(self.ask("ready", {}, seconds=WARM_SECONDS) for _ in range(self.size)))

    async def _answer(self, question: bytes, seconds: float) -> Reply:
        process = await self._process()
        try:
            reply = await asyncio.wait_for(self._exchange(process, question), seconds)
        except TimeoutError:
            await self._end(process)
            raise LateError(
                f"the answer takes longer than {seconds:g} s here; in a shell nothing limits it: copy the command"
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            await self._end(process)
            raise LateError(
                "the process that worked on this ended early, most likely for want of memory; in a shell nothing limits it"
            ) from None
        except asyncio.CancelledError:
            await self._end(process)
            raise
        self._idle.append(process)
        return reply

    async def _exchange(self, process: asyncio.subprocess.Process, question: bytes) -> Reply:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(len(question).to_bytes(FRAME) + question)
        await process.stdin.drain()
        status = int.from_bytes(await process.stdout.readexactly(FRAME))
        size = int.from_bytes(await process.stdout.readexactly(FRAME))
        return Reply(status=status, body=await process.stdout.readexactly(size))

    async def _process(self) -> asyncio.subprocess.Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._all.discard(process)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "kleiber.app.worker",
            str(self.memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **ONE_THREAD},
        )
        self._all.add(process)
        return process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._all.discard(process)
        if process.returncode is None:
            process.kill()
            await process.wait()
