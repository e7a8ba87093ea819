"""From a law and a run table to the `Problem` that the engine minimises.

One idea: the box is part of the problem. Bounds come from the law; a floor may not exceed the smallest observation; a fixed
parameter is a box of width zero, so fixing one needs no second code path.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kleiber.errors import InputError, did_you_mean
from kleiber.fit.engine import Problem
from kleiber.fit.objective import Objective
from kleiber.laws.evaluate import to_search
from kleiber.laws.law import Law
from kleiber.runs import RunTable


def build(law: Law, runs: RunTable, objective: Objective, fixed: Mapping[str, float]) -> Problem:
    """The problem of fitting `law` to `runs`; `fixed` pins parameters at natural values.

    Raises `ColumnError` for a missing column and `InputError` for an unknown or out-of-bounds fixed parameter.
    """
    inputs = {name: positive(runs, name) for name in law.inputs}
    y_R = positive(runs, law.target)
    times_IR = np.log(np.stack([inputs[name] for name in law.inputs]))
    lower, upper = box(law, float(y_R.min()), fixed)
    logged = law.form.logged
    return Problem(
        form=law.form,
        times_IR=times_IR,
        y_R=y_R,
        objective=objective,
        lower_P=to_search(lower, logged),
        upper_P=to_search(upper, logged),
    )


def positive(runs: RunTable, name: str) -> np.ndarray:
    """Column `name`, or an `InputError` naming the first row that is not a positive number: logarithms are taken of it."""
    values = runs.column(name)
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if bad.size:
        raise InputError(
            f"{name} must be a positive number in every run",
            where=f"{runs.source}, row {runs.row_numbers[bad[0]]}, column {name}",
            found=values[bad[0]],
            remedy=f"mend the row, or leave such rows out with --where '{name} > 0'",
        )
    return values


def box(law: Law, smallest: float, fixed: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (P,) in natural units."""
    unknown = [name for name in fixed if name not in law.names]
    if unknown:
        raise InputError(f"no parameter {unknown[0]!r} to fix", remedy=did_you_mean(unknown[0], law.names))
    lower = np.array([parameter.lower for parameter in law.parameters])
    upper = np.array([smallest if p.floor else p.upper for p in law.parameters])
    for index, parameter in enumerate(law.parameters):
        if parameter.name in fixed:
            value = float(fixed[parameter.name])
            if not (parameter.lower <= value <= parameter.upper):
                raise InputError(
                    f"{parameter.name} cannot be fixed there",
                    found=value,
                    expected=f"between {parameter.lower:g} and {parameter.upper:g}",
                )
            lower[index] = upper[index] = value
    return lower, upper
