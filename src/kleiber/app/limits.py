"""What one visitor may use: bytes, rows, seconds, places in the queue.

One idea: a limit is a field here with its unit, and every refusal names the limit it rests on.
"""

from __future__ import annotations

from dataclasses import dataclass

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".json", ".npy", ".txt", ".log")
"""What a file may be called. Compressed files are left out: a small one can unfold into any size."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a server.

    `quick_seconds`: for what a slider asks; `long_seconds`: for fits, back-tests, reports. `memory_bytes`: of a process that
    answers. `waiting`: questions that may wait for one. `idle_seconds`: after which a session's uploads are forgotten.
    """

    upload_bytes: int = 32 << 20
    upload_rows: int = 200_000
    upload_columns: int = 1_000
    uploads_per_session: int = 16
    sessions: int = 1_000
    stored_bytes: int = 2 << 30
    quick_seconds: float = 60.0
    long_seconds: float = 180.0
    memory_bytes: int = 8 << 30
    waiting: int = 200
    idle_seconds: float = 24 * 3600.0
    body_bytes: int = 256 << 10
