"""What comes back: an answer with the command and the Python that repeat it, or a problem in words.

One idea: `result` is the JSON that the command prints with --json, byte for byte the same values; what the page needs besides
(sentences, a chart) stands beside it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """What is wrong and what would mend it. `refusal`: the runs do not support an answer."""

    schema_: str = Field(default="kleiber/problem/1", alias="schema")
    kind: Literal["input", "refusal", "limit", "missing", "denied", "defect"]
    message: str
    found: str | None = None
    expected: str | None = None
    remedy: str | None = None
    where: str | None = None


class Result(BaseModel):
    """A command's JSON: its `schema`, its numbers, and what they rest on."""

    model_config = ConfigDict(extra="allow")


class Answer(BaseModel):
    """An answer: `result` as `kleiber ... --json` prints it, and how to get it again."""

    result: Result | list[Result]
    command: str = ""
    python: str = ""
    sentences: list[str] = []

    model_config = ConfigDict(extra="allow")


class UploadTold(BaseModel):
    """An upload as its owner sees it."""

    id: str
    name: str
    sha256: str
    bytes: int
    served: bool


class Inspected(BaseModel):
    """A table's header, first rows, and how it is understood; `problem` where it is not."""

    format: str
    header: list[str]
    rows: list[list[str]]
    runs: dict[str, Any] | None
    problem: Problem | None

    model_config = ConfigDict(extra="allow")


class Key(BaseModel):
    """What a link carries so that another session may see a table."""

    key: str


class About(BaseModel):
    """What the page needs to know before it asks anything."""

    version: str
    limits: dict[str, float]
    laws: list[dict[str, Any]]
    hardware: list[str]
    families: list[str]
    models: list[str]
    policies: list[str]
    schedules: list[str]
    ladder: bool
