"""The next runs in words: what the set buys, each run with what it buys, what it is worth, and when to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kleiber.quantity import show, show_flops

if TYPE_CHECKING:
    from kleiber.plan.next.result import NextRun, NextRuns

NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
HALF = (0.45, 0.55)
STOPS = {
    "cost": "Stop there: any further run costs more than the regret it would take off is worth.",
    "little": "Stop there: no further run within the budget takes off 3 % of what is left.",
    "budget": "The budget ends here; more of it would still pay.",
    "count": "Asked for no more runs than these; a further one would still pay.",
}


def sentences(found: NextRuns) -> tuple[str, ...]:
    """What the runs buy, the runs, what that is worth, why no more, and the caveats."""
    return (_first(found), *(_run(*kind) for kind in _kinds(found.runs)), *_worth(found), *_stop(found), *found.caveats)


def _first(found: NextRuns) -> str:
    size = f"{show(found.params, 2)} params on {show(found.tokens, 2)} tokens"
    target = show_flops(found.target)
    if not found.runs and found.stop == "supported":
        return (
            f"The runs you have already support the decision: {size} at {target} FLOP, with an expected regret of "
            f"{found.before:.2g} {found.loss_unit}; any further run costs more than it buys"
        )
    if not found.runs:
        return (
            f"No run within {show_flops(found.budget)} FLOP helps: the expected regret at {target} FLOP stays at "
            f"{found.before:.2g} {found.loss_unit}"
        )
    count = len(found.runs)
    return (
        f"{number(count)} more run{'s cut' if count > 1 else ' cuts'} the expected regret at {target} FLOP "
        f"{fall(found.before, found.after)}: {found.before:.2g} to {found.after:.2g} {found.loss_unit}, for "
        f"{show_flops(found.flops)} FLOP"
    )


def number(count: int) -> str:
    """A count as it begins a sentence.

    >>> number(3), number(20)
    ('Three', '20')
    """
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def fall(before: float, after: float) -> str:
    """A fall in words.

    >>> fall(2.0, 1.0), fall(2.0, 1.9)
    ('by half', 'by 5 %')
    """
    share = 1 - after / before if before > 0 else 0.0
    return "by half" if HALF[0] < share < HALF[1] else f"by {show(100 * share, 2)} %"


def _kinds(runs: tuple[NextRun, ...]) -> list[tuple[NextRun, int]]:
    """The runs in order, with seeds of one run that follow each other taken together: the last of them, and how many."""
    found: list[tuple[NextRun, int]] = []
    for run in runs:
        if found and run.repeat and (found[-1][0].params, found[-1][0].tokens) == (run.params, run.tokens):
            found[-1] = (run, found[-1][1] + 1)
        else:
            found.append((run, 1))
    return found


def _run(run: NextRun, seeds: int) -> str:
    again = f", {number(seeds).lower()} seeds" if seeds > 1 else ", another seed" if run.repeat else ""
    return (
        f"{show(run.params, 2)} params on {show(run.tokens, 2)} tokens{again} ({show(run.tokens_per_param, 2)} per param): "
        f"{run.after:.2g} left after {show_flops(run.so_far)} FLOP"
    )


def _worth(found: NextRuns) -> list[str]:
    if not found.runs or found.price <= 0:
        return []
    return [
        f"That fall is worth {show(100 * found.worth / found.target, 2)} % more compute at the target, "
        f"{show(found.worth / found.flops, 2)} times what the runs cost"
    ]


def _stop(found: NextRuns) -> list[str]:
    if found.runs:
        return [STOPS[found.stop]]
    return [] if found.stop == "supported" else ["A larger budget for experiments would"]
