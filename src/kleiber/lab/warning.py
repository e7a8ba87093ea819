"""When a run is going wrong: against its own earlier outlook, against finished runs, against the law they follow.

The way the data takes: a run's curve, the finished runs of its ladder and their law -> `Limit`, the loss beyond which the run is
not worth its FLOPs -> sentences for whoever watches, and a verdict for the stop rule.

The one idea: a band is compared with a band, so that neither an unsure forecast nor an unsure law raises an alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kleiber.lab.cell import Cell
from kleiber.lab.outlook import Finished, Outlook, outlook, related

if TYPE_CHECKING:
    from kleiber.fit import Fit
    from kleiber.lab.curve import Curve

QUARTERS = (0.25, 0.5, 0.75)
FEWEST_FOR_LAW = 8
LAW_DRAWS, LAW_STARTS = 40, 16
MARGIN = 0.05
CONFIDENCE = 0.975


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A final loss that a run should not exceed, and why, in words that follow "than"."""

    loss: float
    why: str


def limits(cell: Cell, finished: Sequence[Finished], law: Fit | None) -> tuple[Limit, ...]:
    """What the finished runs ask of a run: no worse than a smaller one on no more tokens, nor than the law's 95 % for a new run.

    A model with no fewer params, trained on no fewer tokens, should end no worse, whatever the law.
    """
    found: list[Limit] = []
    smaller = [
        each
        for each in finished
        if related(each.cell, cell)
        and each.cell.run != cell.run
        and each.cell.shape.active_params <= cell.shape.active_params
        and each.cell.tokens <= cell.tokens
    ]
    if smaller:
        best = min(smaller, key=lambda each: each.loss)
        found.append(Limit(loss=best.loss, why=f"run {best.cell.run}, which is no larger and saw no more tokens"))
    if law is not None and not law.outcome.refused:
        at = {"params": float(cell.shape.active_params), "tokens": float(cell.tokens)}
        interval = law.forecast(**at).new_run_interval
        if interval is not None:
            found.append(
                Limit(loss=interval[1], why="the law of the finished runs allows (95 % interval of a new run)")
            )
    return tuple(found)


def law_so_far(cell: Cell, finished: Sequence[Finished]) -> Fit | None:
    """Chinchilla's form fitted to the finished runs of a cell's kind, with few draws; None for fewer than eight."""
    from kleiber.fit import fit
    from kleiber.runs import RunTable

    kin = [each for each in finished if related(each.cell, cell)]
    if len(kin) < FEWEST_FOR_LAW:
        return None
    columns = {
        "params": [float(each.cell.shape.active_params) for each in kin],
        "tokens": [float(each.cell.tokens) for each in kin],
        "loss": [each.loss for each in kin],
    }
    return fit(RunTable.of(columns), bootstrap=LAW_DRAWS, starts=LAW_STARTS)


def earlier_outlooks(cell: Cell, curve: Curve, finished: Sequence[Finished]) -> tuple[Outlook, ...]:
    """What was to be foretold at each quarter of the way that lies behind."""
    steps = cell.recipe.steps(cell.tokens)
    marks = [round(quarter * steps) for quarter in QUARTERS]
    passed = [mark for mark in marks if len(curve) and curve.step_S[-1] > mark]
    found = [outlook(cell, curve.until(mark), finished) for mark in passed]
    return tuple(each for each in found if each is not None)


def signs(now: Outlook, earlier: Sequence[Outlook], allowed: Sequence[Limit]) -> tuple[str, ...]:
    """What is wrong with a run, a sentence each; nothing where its bands agree."""
    low, high = now.band()
    found: list[str] = []
    for before in earlier:
        was_low, was_high = before.band()
        if low > was_high or high < was_low:
            way = "worse" if low > was_high else "better"
            found.append(
                f"it left its band: {way} than foretold at {before.share:.0%} "
                f"({was_low:.4g} - {was_high:.4g}, now {low:.4g} - {high:.4g})"
            )
            break
    found += [
        f"it will end worse ({low:.4g} - {high:.4g}) than {limit.why}: {limit.loss:.4g}"
        for limit in allowed
        if low > limit.loss
    ]
    return tuple(found)


def verdict(now: Outlook, allowed: Sequence[Limit], *, margin: float = MARGIN) -> str | None:
    """Why a run should be stopped: with 97.5 % confidence it ends worse than a limit by more than `margin`; None if not."""
    for limit in allowed:
        bound = limit.loss * (1 + margin)
        if now.chance_above(bound) >= CONFIDENCE:
            return (
                f"at {now.share:.0%} its final loss is foretold as {now.loss:.4g}, over {bound:.4g} with "
                f"{CONFIDENCE:.1%} confidence: {margin:.0%} worse than {limit.why} ({limit.loss:.4g})"
            )
    return None
