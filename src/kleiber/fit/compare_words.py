"""A comparison in words.

One idea: the first sentence can be read out in a meeting; those after it say where it stops being true and what was assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.fit.compare import Comparison, Multiplier

NEVER = 0.999e6


def sentences(found: Comparison) -> tuple[str, ...]:
    """The verdict with its multiplier, the crossing, and what was assumed."""
    return (_verdict(found), *_elsewhere(found), *_apart(found), _crossing(found), _assumed(found), *_shaky(found))


def _verdict(found: Comparison) -> str:
    here = found.decisive
    at = f"at {show(here.flops)} FLOP"
    if found.better == "cannot tell":
        return f"Recipes A and B cannot be told apart {at}: B is worth {_times(here)} the compute of A."
    if found.better == "B":
        return f"B is better {at}: A would need {_times(here)} the compute to match it."
    return f"A is better {at}: B is worth only {_times(here)} the compute of A."


def _times(here: Multiplier) -> str:
    number = f"over {NEVER:.0e}" if here.value.value > NEVER else f"{here.value.value:.3g}x"
    if here.value.interval is None:
        return f"{number} (no interval)"
    low, high = here.value.interval
    ends = "over 1e6" if high > NEVER else f"{high:.3g}"
    return f"{number} ({low:.3g} - {ends})"


def _elsewhere(found: Comparison) -> list[str]:
    others = found.multipliers[:-1]
    if not others:
        return []
    return ["At " + ", ".join(f"{show(each.flops)} FLOP it is {_times(each)}" for each in others) + "."]


def _crossing(found: Comparison) -> str:
    crossing, (low, high) = found.crossing, found.range
    if crossing.flops is None:
        return "The two do not cross within three decades of the runs."
    where, at = f"They cross at {crossing.flops} FLOP", crossing.flops.value
    if crossing.inside and _sure(found):
        return f"{where}, inside the range of the runs."
    if crossing.inside:
        share = f", inside that range in {crossing.share:.0%} of the draws" if crossing.share is not None else ""
        met = f"the fitted curves meet at {crossing.flops} FLOP{share}"
        return f"Whether they cross in the range of the runs cannot be told: {met}."
    if low <= at <= high:
        return f"{where}, between the two tables: an extrapolation, not a measurement."
    side, decades = ("above", np.log10(at / high)) if at > high else ("below", np.log10(low / at))
    return f"{where}, {decades:.1f} decades {side} the common range: an extrapolation, not a measurement."


def _sure(found: Comparison) -> bool:
    """Whether the crossing lies inside the range of the runs at the level of the comparison."""
    crossing, (low, high) = found.crossing, found.range
    if crossing.share is not None:
        return crossing.share >= found.level
    ends = crossing.flops.interval if crossing.flops else None
    return ends is not None and low <= ends[0] and ends[1] <= high


def _apart(found: Comparison) -> list[str]:
    if found.common:
        return []
    low, high = (show(end) for end in found.range)
    return [
        f"No compute was run with both recipes; between {low} and {high} FLOP lies neither, so all of this extrapolates."
    ]


def _shaky(found: Comparison) -> list[str]:
    if found.outcome == "solved":
        return []
    return [f"As a fit of its own the joint law would be refused ({found.outcome}): {found.outcome_detail}."]


def _assumed(found: Comparison) -> str:
    values = " and ".join(show(value, 4) for value in found.floor)
    floors = {
        "shared": f"one floor for both ({values})",
        "free": f"a floor each ({values})" if found.floor else "no floor",
        "pinned": f"the floor pinned at {values}, which is an assumption",
    }
    few = ", the exponents in common since one recipe has too few rungs" if found.exponents == "shared" else ""
    return f"Assumed: {found.law} with {floors[found.floor_mode]}{few}; interval from {found.method}."
