"""A process that answers questions: a frame with JSON in, a status and JSON out, one at a time until its input ends.

One idea: it holds nothing that matters. It may be ended at any moment; tables are read again and fits are kept as files.
"""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
import warnings
from typing import Any, BinaryIO

from kleiber.errors import KleiberError, Refusal

FRAME = 8
PROBLEM = "kleiber/problem/1"


def answer(task: str, arguments: dict[str, Any]) -> tuple[int, dict[str, Any] | list[Any]]:
    """HTTP status and body for one question; an error becomes a problem that a person can read."""
    from kleiber.app.answers import TASKS

    try:
        return 200, TASKS[task](arguments)
    except Refusal as error:
        return 409, problem("refusal", error.message, remedy=error.remedy)
    except KleiberError as error:
        return 422, of_error(error, arguments)
    except MemoryError:
        why = "this takes more memory than a visitor may use"
        return 413, problem("limit", why, remedy="keep fewer rows, or fewer draws; in a shell nothing limits it")
    except Exception as error:  # whatever it is, the visitor gets a sentence and the server its traceback
        traceback.print_exc()
        return 500, problem("defect", f"a defect of Kleiber, not of your input: {type(error).__name__}")


def of_error(error: KleiberError, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    """A problem from one of Kleiber's errors, without the folders of this machine."""
    folders = [source["folder"] + os.sep for source in (arguments or {}).get("sources", [])]

    def clean(value: object) -> str | None:
        text = None if value is None else str(value)
        for folder in folders:
            text = text.replace(folder, "") if text else text
        return text

    parts = {name: clean(getattr(error, name, None)) for name in ("found", "expected", "remedy", "where")}
    return problem("input", clean(getattr(error, "message", str(error))) or "", **parts)


def problem(kind: str, message: str, **parts: str | None) -> dict[str, Any]:
    """`kleiber/problem/1`: what is wrong, in words, and what would mend it."""
    given = {name: parts.get(name) for name in ("found", "expected", "remedy", "where")}
    return {"schema": PROBLEM, "kind": kind, "message": message, **given}


def finite(value: Any) -> Any:
    """`value` with None for the numbers that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return value


def written(body: Any) -> bytes:
    """The body as JSON."""
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError:
        return json.dumps(finite(body), allow_nan=False).encode()


def said(status: int, body: Any) -> tuple[int, bytes]:
    """The status and the body as JSON; what JSON cannot hold is a defect, not the end of this process."""
    try:
        return status, written(body)
    except (TypeError, ValueError) as error:
        traceback.print_exc()
        return 500, written(problem("defect", f"a defect of Kleiber, not of your input: {type(error).__name__}"))


def serve(questions: BinaryIO, replies: BinaryIO) -> None:
    """Answer until there are no more questions."""
    while len(head := questions.read(FRAME)) == FRAME:
        asked = json.loads(questions.read(int.from_bytes(head)))
        status, content = said(*answer(asked["task"], asked["arguments"]))
        replies.write(status.to_bytes(FRAME) + len(content).to_bytes(FRAME) + content)
        replies.flush()


def main() -> None:
    """Serve on stdin and stdout; whatever else would print goes to stderr."""
    limited(int(sys.argv[1]))
    warnings.simplefilter("ignore", RuntimeWarning)  # for us, not for whoever reads an answer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, replies)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(0)


def limited(memory_bytes: int) -> None:
    """Keep this process within `memory_bytes` of data, where the system knows such limits; V8, which draws, reserves far more."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    within = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (within, most))


if __name__ == "__main__":
    main()
