"""How a ladder stands: one frozen picture of it, taken from what its workers leave on disk.

The way the data takes: a ladder, its registry and its results folder -> states and curves of its runs -> `Standing`. Whoever
looks, from the process that trains or from another terminal, sees the same picture; nobody asks a worker.

The one idea: looking is cheap. A finished curve is read once, a forecast is made anew when its run has got a hundredth further,
and the law at most every half minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kleiber.lab.cell import Cell
from kleiber.lab.curve import Curve
from kleiber.lab.description import Ladder
from kleiber.lab.folder import finished
from kleiber.lab.outlook import Finished, Outlook, outlook
from kleiber.lab.status import RunStatus, ladder_status
from kleiber.lab.warning import earlier_outlooks, law_so_far, limits, signs

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.lab.registry import Registry

State = Literal["queued", "running", "done", "stopped", "failed"]
STATES: tuple[State, ...] = ("queued", "running", "done", "stopped", "failed")
STOPPED = "stopped: "
"""How the reason of a run begins that a stop rule ended."""
LAW_SECONDS = 30.0
RATE_SECONDS = 30.0
LOSS_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class RunStanding:
    """One run: how far it is, how fast, what it has come to and what it is heading for. Losses in nats per token."""

    run: str
    label: str
    state: State
    tokens: int
    tokens_done: int
    tokens_per_second: float | None = None
    left_seconds: float | None = None
    loss_now: float | None = None
    outlook: Outlook | None = None
    allowed: float | None = None
    loss: float | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A ladder: its runs in its order, the law of the finished ones in words, and how long the rest will take."""

    ladder: str
    runs: tuple[RunStanding, ...]
    law: str | None = None
    tokens_per_second: float | None = None
    left_seconds: float | None = None

    def count(self, state: State) -> int:
        """How many runs are in a state."""
        return sum(run.state == state for run in self.runs)


class Observer:
    """Takes pictures of a ladder, one after the other."""

    def __init__(self, ladder: Ladder, results: Path, registry: Callable[[], Registry | None]) -> None:
        self.ladder, self.results, self._registry = ladder, results, registry
        self._labels = labels(ladder)
        self._finished: dict[str, Finished] = {}
        self._running: dict[tuple[str, int, int], RunStanding] = {}
        self._laws: dict[str, Fit | None] = {}
        self._laws_at, self._laws_of = -LAW_SECONDS, 0

    def look(self) -> Standing:
        """How the ladder stands now."""
        facts = {run.run: run for run in ladder_status(self.ladder, self.results, self._registry()).runs}
        self._gather(facts)
        self._fit_laws()
        runs = tuple(self._run(cell, facts[cell.run]) for cell in self.ladder.cells)
        rates = [run.tokens_per_second for run in runs if run.state == "running" and run.tokens_per_second]
        return Standing(
            ladder=self.ladder.name,
            runs=runs,
            law=_in_words(self._laws),
            tokens_per_second=sum(rates) if rates else None,
            left_seconds=self._left_seconds(runs),
        )

    def _gather(self, facts: Mapping[str, RunStatus]) -> None:
        """Read the curves of runs that have finished since."""
        for cell in self.ladder.cells:
            loss = facts[cell.run].loss
            if loss is None or cell.run in self._finished:
                continue
            curve = load_curve(self.results, cell)
            if curve is not None:
                self._finished[cell.run] = Finished(cell=cell, curve=curve, loss=loss)

    def _fit_laws(self) -> None:
        """The law of each family's finished runs, when there are new ones and not too often."""
        if len(self._finished) == self._laws_of or time.monotonic() - self._laws_at < LAW_SECONDS:
            return
        done = list(self._finished.values())
        firsts = {each.cell.shape.family: each.cell for each in reversed(done)}
        self._laws = {family: law_so_far(cell, done) for family, cell in firsts.items()}
        self._laws_at, self._laws_of = time.monotonic(), len(done)

    def _run(self, cell: Cell, fact: RunStatus) -> RunStanding:
        curve = None if fact.state in ("done", "queued") else load_curve(self.results, cell)
        if fact.state == "running" and curve is not None and len(curve):
            key = (cell.run, 100 * int(curve.tokens_S[-1]) // cell.tokens, self._laws_of)
            if key not in self._running:
                self._running[key] = self._underway(cell, curve)
            return self._running[key]
        done = int(curve.tokens_S[-1]) if curve is not None and len(curve) else 0
        return RunStanding(
            run=cell.run,
            label=self._labels[cell.run],
            state=_state(fact),
            tokens=cell.tokens,
            tokens_done=cell.tokens if fact.state == "done" else done,
            loss=fact.loss,
            remarks=(fact.reason,) if fact.reason else (),
        )

    def _underway(self, cell: Cell, curve: Curve) -> RunStanding:
        ended = list(self._finished.values())
        now = outlook(cell, curve, ended)
        allowed = limits(cell, ended, self._laws.get(cell.shape.family))
        remarks = signs(now, earlier_outlooks(cell, curve, ended), allowed) if now else ()
        rate, done = tokens_per_second(curve), int(curve.tokens_S[-1])
        return RunStanding(
            run=cell.run,
            label=self._labels[cell.run],
            state="running",
            tokens=cell.tokens,
            tokens_done=done,
            tokens_per_second=rate,
            left_seconds=(cell.tokens - done) / rate if rate else None,
            loss_now=float(curve.loss_S[-LOSS_STEPS:].mean()),
            outlook=now,
            allowed=min((each.loss for each in allowed), default=None),
            remarks=remarks,
        )

    def _left_seconds(self, runs: Sequence[RunStanding]) -> float | None:
        """FLOPs that are left over FLOP/s of the runs underway."""
        cells = {cell.run: cell for cell in self.ladder.cells}
        speed = sum(
            run.tokens_per_second * cells[run.run].shape.counted_flops_per_token
            for run in runs
            if run.state == "running" and run.tokens_per_second
        )
        left = left_flops(self.ladder, {run.run: run for run in runs})
        return left / speed if speed and left else None


def _state(fact: RunStatus) -> State:
    """A run that a stop rule ended has not failed; it was stopped."""
    if fact.state == "failed" and (fact.reason or "").startswith(STOPPED):
        return "stopped"
    return next(state for state in STATES if state == fact.state)


def left_flops(ladder: Ladder, runs: Mapping[str, RunStanding]) -> float:
    """What is still to be trained: each trunk once, up to its last branch, and each decay."""
    trunk_left: dict[str, float] = {}
    decay_left = 0.0
    reached: dict[str, int] = {}
    for cell in ladder.cells:
        branch = cell.recipe.branch_step(cell.tokens) * cell.recipe.batch_tokens
        reached[cell.trunk] = max(reached.get(cell.trunk, 0), min(branch, runs[cell.run].tokens_done))
    for cell in ladder.cells:
        run = runs[cell.run]
        if run.state not in ("queued", "running"):
            continue
        branch = cell.recipe.branch_step(cell.tokens) * cell.recipe.batch_tokens
        flops = cell.shape.counted_flops_per_token
        to_branch = max(0, branch - reached[cell.trunk])
        trunk_left[cell.trunk] = max(trunk_left.get(cell.trunk, 0.0), flops * to_branch)
        decay_left += flops * (cell.tokens - max(branch, run.tokens_done))
    return decay_left + sum(trunk_left.values())


def tokens_per_second(curve: Curve) -> float | None:
    """Over the last half minute of training; None for a single step."""
    seconds_S, tokens_S = curve.wall_seconds_S, curve.tokens_S
    first = int(seconds_S.searchsorted(seconds_S[-1] - RATE_SECONDS))
    if first >= len(curve) - 1:
        return None
    return float((tokens_S[-1] - tokens_S[first]) / (seconds_S[-1] - seconds_S[first]))


def finished_runs(ladder: Ladder, results: Path) -> list[Finished]:
    """The runs of a ladder that have come to their end and left a curve."""
    rows = {cell: finished(results, cell) for cell in ladder.cells}
    done = [(cell, row, load_curve(results, cell)) for cell, row in rows.items() if row is not None]
    return [Finished(cell=cell, curve=curve, loss=row["loss"]) for cell, row, curve in done if curve is not None]


def load_curve(results: Path, cell: Cell) -> Curve | None:
    """The curve of a run; None where there is none."""
    path = results / "curves" / f"{cell.run}.parquet"
    return Curve.load(path) if path.exists() else None


def labels(ladder: Ladder) -> dict[str, str]:
    """Each run in a few words: size, budget, seed, and whatever else sets it apart within its ladder."""
    several_families = len({cell.shape.family for cell in ladder.cells}) > 1
    rates: dict[object, set[float]] = {}
    for cell in ladder.cells:
        rates.setdefault(cell.shape, set()).add(cell.recipe.lr)
    return {cell.run: label(cell, family=several_families, rate=len(rates[cell.shape]) > 1) for cell in ladder.cells}


def label(cell: Cell, *, family: bool, rate: bool) -> str:
    """A run in a few words, with its family and its learning rate where they tell it apart.

    It says the text's spoiling and the teacher, as both decide what the loss can be compared with.
    """
    from kleiber.quantity import show

    parts = [show(cell.shape.active_params), show(cell.tokens), f"seed {cell.seed}"]
    parts += [cell.shape.family] if family else []
    parts += [f"lr {cell.recipe.peak_lr(cell.shape.width):.2g}"] if rate else []
    parts += ["spoilt"] if cell.data.facts() else []
    parts += ["taught"] if cell.distillation else []
    return " · ".join(parts)


def _in_words(laws: Mapping[str, Fit | None]) -> str | None:
    sentences = []
    for family, law in laws.items():
        if law is None:
            continue
        if law.outcome.refused:
            sentences.append(f"{family}: no law yet ({law.outcome.label})")
        else:
            numbers = law.parameters
            sentences.append(
                f"{family}: {numbers['E']:.3f} + {numbers['A']:.3g}/params^{numbers['alpha']:.3f}"
                f" + {numbers['B']:.3g}/tokens^{numbers['beta']:.3f} from {law.runs.count} runs"
            )
    return "; ".join(sentences) or None
