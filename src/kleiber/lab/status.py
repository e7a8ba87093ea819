"""How each run of a ladder stands, from the registry and from what lies finished in the results folder.

The one idea: looking changes nothing. A registry that is not there yet is not made, and a run of a worker that is gone is only
said to be so: the next `lab run` takes it back.
"""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.lab.description import Ladder
from kleiber.lab.folder import finished

if TYPE_CHECKING:
    from kleiber.lab.registry import Registry
    from kleiber.lab.registry.runs import Entry

STATES = ("done", "running", "queued", "failed")


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """One run: which it is, its state and why, its loss in nats per byte once it is done. Times are seconds since 1970."""

    run: str
    ladder: str
    family: str
    width: int
    tokens: int
    seed: int
    state: str
    reason: str | None = None
    loss: float | None = None
    lost: int = 0
    host: str | None = None
    pid: int | None = None
    started_seconds: float | None = None
    ended_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """The runs in the order of the ladder, or of their queueing."""

    runs: tuple[RunStatus, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many runs are in each state."""
        found = Counter(run.state for run in self.runs)
        return {state: found[state] for state in STATES}

    def to_json(self) -> dict[str, Any]:
        """Counts and runs."""
        return {"counts": self.counts, "runs": [asdict(run) for run in self.runs]}


def ladder_status(ladder: Ladder, results: Path, registry: Registry | None) -> Status:
    """How the runs of one ladder stand; without a registry, what the results folder alone tells."""
    entries = {entry.run: entry for entry in registry.entries(cell.run for cell in ladder.cells)} if registry else {}
    runs = []
    for cell in ladder.cells:
        entry = entries.get(cell.run)
        if (entry is None or entry.state in ("queued", "running")) and (row := finished(results, cell)) is not None:
            runs.append(_of(cell.run, ladder.name, cell.facts(), state="done", loss=row["loss"]))
        elif entry is None:
            runs.append(_of(cell.run, ladder.name, cell.facts(), state="queued"))
        else:
            runs.append(_entry(entry, results))
    return Status(runs=tuple(runs))


def registry_status(registry: Registry, results: Path) -> Status:
    """How all runs of a registry stand."""
    return Status(runs=tuple(_entry(entry, results) for entry in registry.entries()))


def _entry(entry: Entry, results: Path) -> RunStatus:
    from kleiber.lab.registry.worker import is_gone

    reason = entry.reason
    if (
        entry.state == "running"
        and entry.host == socket.gethostname()
        and is_gone(results / "claims", entry.worker or "")
    ):
        reason = "its worker is gone: the next `lab run` takes it back"
    return _of(
        entry.run,
        entry.ladder,
        entry.config,
        state=entry.state,
        reason=reason,
        loss=entry.result["loss"] if entry.result else None,
        lost=entry.lost,
        host=entry.host,
        pid=entry.pid,
        started_seconds=entry.started_seconds,
        ended_seconds=entry.ended_seconds,
    )


def _of(run: str, ladder: str, config: dict[str, Any], **known: Any) -> RunStatus:
    width, tokens, seed = config["shape"]["width"], config["tokens"], config["seed"]
    return RunStatus(run=run, ladder=ladder, family=config["family"], width=width, tokens=tokens, seed=seed, **known)
