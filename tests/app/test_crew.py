"""The processes that answer: a time limit that holds, memory that runs out, falls that cost only themselves."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from kleiber.app.crew import BusyError, Crew, LateError
from kleiber.app.worker import answer, finite, of_error, said, written
from kleiber.errors import InputError


def test_an_answer_that_takes_too_long_is_given_up_and_the_next_is_fresh(ladder_csv: Path, tmp_path: Path) -> None:
    source = {"path": str(ladder_csv), "folder": str(tmp_path), "name": ladder_csv.name, "rows": 500, "columns": 50}
    slow = {
        "sources": [source],
        "reading": {"map": {"params": "Model Size", "tokens": "seen tokens", "loss": "final"}, "where": None,
                    "conventions": {}, "format": None},
        "fitting": {"law": None, "objective": None, "delta": None, "fix": {}, "starts": 1000, "bootstrap": 10_000,
                    "seed": 0, "cluster": None},
    }  # fmt: skip

    async def run() -> tuple[float, int]:
        crew = Crew(1, memory_bytes=4 << 30, waiting=2)
        try:
            began = time.monotonic()
            with pytest.raises(LateError, match="copy the command"):
                await crew.ask("fit", slow, seconds=1.0)
            spent = time.monotonic() - began
            reply = await crew.ask("ready", {}, seconds=120)
            return spent, reply.status
        finally:
            await crew.close()

    spent, status = asyncio.run(run())
    assert spent < 20
    assert status == 200


def test_a_process_that_is_killed_is_replaced_and_too_many_questions_are_told_so() -> None:
    async def run() -> None:
        crew = Crew(1, memory_bytes=4 << 30, waiting=1)
        try:
            await crew.ask("ready", {}, seconds=120)
            [process] = crew._idle
            process.kill()
            await process.wait()
            assert (await crew.ask("ready", {}, seconds=120)).status == 200
            waiting = [asyncio.create_task(crew.ask("ready", {}, seconds=120)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await crew.ask("ready", {}, seconds=120)
            assert [reply.status for reply in await asyncio.gather(*waiting)] == [200, 200]
        finally:
            await crew.close()
        assert not crew._all

    asyncio.run(run())


def test_a_defect_is_a_sentence_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    status, body = answer("plan", {"sources": []})
    assert status == 500
    assert "defect of Kleiber" in json.dumps(body)
    assert "Traceback" not in json.dumps(body)
    assert "Traceback" in capsys.readouterr().err, "whoever runs the server sees where"


def test_what_json_lacks_becomes_null() -> None:
    assert finite({"a": [float("nan"), 1.0], "b": (float("inf"),)}) == {"a": [None, 1.0], "b": [None]}
    assert json.loads(written({"a": float("nan")})) == {"a": None}


def test_errors_do_not_tell_folders() -> None:
    error = InputError("no", where="/tmp/secret/x.csv, row 3", found="/tmp/secret/x.csv")
    told = of_error(error, {"sources": [{"folder": "/tmp/secret"}]})
    assert (told["where"], told["found"]) == ("x.csv, row 3", "x.csv")


def test_an_answer_that_json_cannot_hold_is_a_defect_and_not_the_end() -> None:
    status, content = said(200, {"a": object()})
    assert status == 500
    assert json.loads(content)["kind"] == "defect"
