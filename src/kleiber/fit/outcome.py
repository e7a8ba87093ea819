"""How a fit ended: an enum whose value is the advice.

One idea: a failed or unidentified fit is a result, not a log line. Whoever asks a refused fit for a plan gets its remedy.
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """The verdict on a fit; `value` is the remedy, `refused` whether it may be used for decisions.

    >>> Outcome.SOLVED.refused, Outcome.AT_BOUND.refused
    (False, True)
    """

    SOLVED = ""
    TOO_FEW_RUNS = (
        "train more runs: at least two more than the law has parameters, over at least 3 sizes and 3 token budgets "
        "(or fix a parameter, e.g. --fix alpha=0.34)"
    )
    AT_BOUND = (
        "runs at 3 or more sizes, each trained at least 4x longer, so that both exponents show; "
        "or a fixed exponent (e.g. --fix alpha=0.34), which is then recorded"
    )
    UNIDENTIFIED = (
        "a wider ladder: the interval shrinks with the range of sizes and budgets, not with more runs in the same place; "
        "or a fixed exponent (e.g. --fix alpha=0.34), which is then recorded"
    )
    TRANSIENT = (
        "longer budgets at every size: the losses still steepen with tokens, which a power law cannot do; "
        "drop the short budgets with --where, or train each size at least 4x longer"
    )
    RISING = (
        "the column that holds the loss (--map loss=COLUMN): this one grows with the model, as an accuracy does; where it is the "
        "loss, the larger runs went wrong, and their learning rates come first"
    )
    NOT_CONVERGED = "a search with more starts (--starts 512); if no two starts agree, the law does not suit these runs"

    @property
    def refused(self) -> bool:
        """Whether this outcome forbids a forecast or a plan."""
        return self is not Outcome.SOLVED

    @property
    def label(self) -> str:
        """The machine-readable name, such as `at_bound`."""
        return self.name.lower()
