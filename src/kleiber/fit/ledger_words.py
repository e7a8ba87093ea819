"""Ledger words: the score of a ledger in sentences that can be quoted."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from kleiber.fit.ledger_entry import UNKNOWN

if TYPE_CHECKING:
    from kleiber.fit.ledger_score import Group, Scores


def sentences(scores: Scores) -> tuple[str, ...]:
    """What the score says: coverage, error, what it cannot tell, what was left out."""
    overall = scores.overall
    lines = [coverage_words(scores)]
    if overall.verdict == "problem" and overall.luck is not None:
        luck = f"as few inside would be luck {_odds(overall.luck)}"
        lines.append(f"Were the outcomes independent, {luck}: the intervals look too narrow.")
    lines.append(error_words(scores))
    if overall.verdict == "cannot tell":
        lines.append(
            f"{_count(overall.count, 'outcome')} cannot tell whether the forecasts are any good: five are the least."
        )
    elif scores.fits < overall.count:
        one = "one fit" if scores.fits == 1 else f"{scores.fits} fits"
        lines.append(f"The forecasts come from {one}, and forecasts from one fit err together: they count for fewer.")
    return (*lines, *_left_out(scores), *(str(fault) for fault in scores.ledger.faults))


def coverage_words(scores: Scores) -> str:
    """How many outcomes fell inside."""
    group = scores.overall
    if not group.judged:
        return f"{_count(group.count, 'outcome')}; no forecast has an interval (it was fitted with --bootstrap 0)."
    levels = {one.entry.level for one in scores.scored if one.inside is not None}
    level = f"the {100 * levels.pop():g} % intervals" if len(levels) == 1 else "their intervals"
    expected = f"{round(group.expected + 1e-9, 1):g}"
    return f"{group.inside} of {group.judged} outcomes fell inside {level} (expected {expected})."


def error_words(scores: Scores) -> str:
    """How far off the forecasts were, and to which side."""
    group, far = scores.overall, scores.beyond
    spread = chance = beyond = ""
    if group.verdict != "cannot tell" and group.bias.interval is not None:
        sign = -1 if group.bias.value < 0 else 1
        low, high = sorted(sign * end for end in group.bias.interval)
        spread = f" ({100 * low:.2g} to {percent(high)})"
        chance = ", which may be chance" if low <= 0 <= high else ""
    if far is not None and far.count < group.count:
        beyond = f"; beyond 1 decade {_side(far)} ({_count(far.count, 'outcome')})"
    mean = f"Forecast loss was {_side(group)} on average{spread}{chance}{beyond}."
    return f"{mean} The mean miss is {percent(group.log_error)}."


def _side(group: Group) -> str:
    value = group.bias.value
    return f"{percent(abs(value))} too {'optimistic' if value < 0 else 'pessimistic'}"


def _left_out(scores: Scores) -> list[str]:
    lines = []
    repeated, open_ = len(scores.ledger.duplicates), scores.unmatched
    if repeated:
        lines.append(f"{_count(repeated, 'entry', 'entries')} repeats an earlier forecast, which counts once."
                     if repeated == 1 else f"{repeated} entries repeat earlier forecasts, which count once.")  # fmt: skip
    if open_:
        lines.append(f"{_count(len(open_), 'forecast is', 'forecasts are')} still open: {_reasons(scores)}.")
    if scores.several:
        several = _count(scores.several, "forecast has", "forecasts have")
        lines.append(f"{several} several runs that fit as well: the first counts.")
    if any(one.entry.unit == UNKNOWN for one in scores.scored):
        lines.append("Some forecasts do not say the unit of their loss; the outcomes are taken to be in the same.")
    return lines


def _reasons(scores: Scores) -> str:
    counted: dict[str, int] = {}
    for one in scores.unmatched:
        counted[one.why] = counted.get(one.why, 0) + 1
    near = [one.distance for one in scores.unmatched if one.why == "no run there" and one.distance is not None]
    hint = ""
    if near and (away := min(near) - 1) < 0.2:
        hint = f"; the nearest lies {percent(away)} away (--tolerance {ceil(100 * away) / 100:g})"
    return ", ".join(why if len(counted) == 1 else f"{count} {why}" for why, count in counted.items()) + hint


def percent(share: float) -> str:
    """A share in percent, to two digits.

    >>> percent(0.0043), percent(0.1234)
    ('0.43 %', '12 %')
    """
    return f"{100 * share:.2g} %"


def _odds(chance: float) -> str:
    return f"1 time in {round(1 / chance):,}" if chance > 1e-6 else "less than once in a million times"


def _count(number: int, word: str, words: str = "") -> str:
    return f"{number} {word if number == 1 else words or word + 's'}"
