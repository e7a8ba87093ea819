"""Reach: where a plan lies beside the runs it rests on.

One idea: compute alone does not say it. A budget may be spent inside the compute of the runs on a shape that none of them had,
below all of them, or on less than one param; and a budget counted as the runs' FLOPs buys other tokens than one counted as 6ND.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kleiber.errors import InputError
from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.fit import Fit

AGREES = 0.02  # relative, between the runs' own FLOPs and 6 params tokens


def large_enough(params: float, tokens: float) -> None:
    """Raise `InputError` for less than one param or one token, which limits at odds with each other leave."""
    if not (params >= 1 and tokens >= 1):
        raise InputError(
            "these limits leave less than one param or one token",
            found=f"{show(params)} params on {show(tokens)} tokens",
            remedy="a larger budget, or fewer tokens to serve",
        )


def outside(fit: Fit, params: float, tokens: float) -> tuple[str, ...]:
    """Which of params, tokens and flops = 6 params tokens lie outside the runs' own range."""
    from kleiber.fit.result import outside

    return outside(fit.runs, {"params": params, "tokens": tokens, "flops": 6 * params * tokens})


def counted_otherwise(fit: Fit) -> list[str]:
    """A caveat where the FLOPs of the runs are not 6 params tokens, although a plan spends its budget so."""
    off = fit.runs.flops_over_6nd
    if off is None or max(abs(end - 1) for end in off) <= AGREES:
        return []
    low, high = (f"{end:.3g}" for end in off)
    times = low if low == high else f"{low} to {high}"
    return [
        f"The runs' FLOPs are {times} times 6 params tokens, and the plan spends its budget at 6 params tokens: give the budget "
        "counted so, not as the runs count it."
    ]


def within(outside: tuple[str, ...]) -> str:
    """A compute that no larger run goes beyond, in words; `outside` names what leaves the runs' range all the same.

    >>> within(()), within(("params", "tokens"))
    ('inside the compute of the runs', 'inside the compute of the runs, but outside their params and tokens: an extrapolation')
    """
    if "flops" in outside:
        return "less compute than any of the runs: an extrapolation downwards"
    beyond = f", but outside their {' and '.join(outside)}: an extrapolation" if outside else ""
    return f"inside the compute of the runs{beyond}"
