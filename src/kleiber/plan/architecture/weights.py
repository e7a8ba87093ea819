"""How much each of several laws of the same runs should count.

One idea: a law is worth what it predicts. Each is fitted to the lower part of the ladder and judged on the runs it did not see;
its share is in inverse proportion to its squared held-out error, which is what the best linear combination of forecasts with
unrelated errors would give it.

Source: Bates & Granger (1969), "The combination of forecasts", doi 10.1057/jors.1969.103.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.fit import Fit


def weighted(fits: Sequence[Fit]) -> tuple[float, ...]:
    """The share of every fit, adding up to one.

    Raises `InputError` where the fits are of different runs, or carry no runs to be judged by.
    """
    if len(fits) == 1:
        return (1.0,)
    if len({fit.runs.hash for fit in fits}) > 1:
        raise InputError(
            "laws can be weighed against each other on the same runs only",
            found=", ".join(f"{fit.law.name} on {fit.runs.count} runs of {fit.runs.source}" for fit in fits),
        )
    table = fits[0].table
    if table is None:
        raise InputError(
            "the fit carries no runs to judge its laws by", remedy="plan from the runs, or fit in the same process"
        )
    from kleiber.fit import backtest

    found = backtest(table, [fit.law for fit in fits], bootstrap=0, objective=fits[0].objective, seed=fits[0].seed)
    error = {row.law: row.log_rmse.value for row in found.ranking}
    # Where two laws share a name, as two formulas of a user's do, the back-test calls them by their formulas.
    return shares([error[fit.law.name if fit.law.name in error else fit.law.formula] for fit in fits])


def shares(errors: Sequence[float]) -> tuple[float, ...]:
    """Shares in inverse proportion to squared errors.

    >>> shares([0.01, 0.02])
    (0.8, 0.2)
    """
    inverse = [1 / error**2 for error in errors]
    return tuple(value / sum(inverse) for value in inverse)
