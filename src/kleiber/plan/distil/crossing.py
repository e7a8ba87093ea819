"""Where distilling stops or starts to pay: along the budget, and along the number of students that share a teacher.

One idea: at each budget the plan is made by the point estimate and then judged by every draw, as it would be in life; where a
draw's verdict turns is that draw's crossing. A draw that never turns counts with the end of the range it would lie beyond.

Legend: K rows (the point estimate, then the draws), C budgets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.distil.deal import Deal
from kleiber.plan.distil.lesson import AnyLesson
from kleiber.plan.distil.split import best, fixed
from kleiber.plan.result import Amount, amount
from kleiber.plan.surface import Surface

Array = NDArray[np.float64]
DECADES, POINTS = 3.0, 49  # on either side of the budget asked for
MOST_STUDENTS = 10_000


def gain(deal: Deal, surface: Surface, taught_by: AnyLesson) -> Array:
    """What distilling by the point estimate's plan takes off the loss of training from scratch, in every row: (K,)."""
    plan = best(deal, surface.point, taught_by)
    taught = fixed(deal, surface, taught_by, plan).loss
    return surface.loss(deal.student, deal.scratch_tokens)[:, 0] - taught


def gains(deal: Deal, surface: Surface, taught_by: AnyLesson) -> tuple[Array, Array]:
    """ln(training budget) (C,) and the gain there (C, K)."""
    logs_C = np.log(deal.training_flops) + np.log(10) * np.linspace(-DECADES, DECADES, POINTS)
    asked = [deal.with_flops(float(flops)) for flops in np.exp(logs_C)]
    return logs_C, np.stack([_gain_or_loss(each, surface, taught_by) for each in asked])


def _gain_or_loss(deal: Deal, surface: Surface, taught_by: AnyLesson) -> Array:
    """The gain; where the teacher alone would take the budget there is no distilling, and training from scratch wins."""
    if deal.trained and deal.teacher_params is not None and deal.teacher_tokens is not None:
        share = 6 * deal.teacher_params * deal.teacher_tokens / deal.students
        if share >= deal.training_flops:
            return np.full(len(surface.theta_KP), -1.0)
    return gain(deal, surface, taught_by)


def turns(deal: Deal, logs_C: Array, gain_CK: Array, level: float) -> tuple[Amount | None, Amount | None]:
    """The budgets (serving included) from which and up to which distilling wins; None where the point estimate never turns."""
    wins_C = gain_CK[:, 0] > 0
    rises = np.flatnonzero(~wins_C[:-1] & wins_C[1:])
    falls = np.flatnonzero(wins_C[:-1] & ~wins_C[1:])
    first = _turn(logs_C, gain_CK) if rises.size else None
    last = _turn(-logs_C[::-1], gain_CK[::-1]) if falls.size else None
    from_K = None if first is None else np.exp(first) + deal.serving_flops
    up_to_K = None if last is None else np.exp(-last) + deal.serving_flops
    return tuple(None if row is None else amount(row[0], row[1:], level) for row in (from_K, up_to_K))  # type: ignore[return-value]


def _turn(x_C: Array, gain_CK: Array) -> Array:
    """The first x at which the gain turns positive, per row: linear between points; the ends where it never or always is."""
    wins_CK = gain_CK > 0
    after_K = wins_CK.argmax(axis=0)
    before_K = np.maximum(after_K - 1, 0)
    row = np.arange(gain_CK.shape[1])
    low, high = gain_CK[before_K, row], gain_CK[after_K, row]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(after_K > 0, -low / (high - low), 0.0)
    x_K = x_C[before_K] + part * (x_C[after_K] - x_C[before_K])
    return np.where(wins_CK.any(axis=0), x_K, x_C[-1])


def students_to_pay(deal: Deal, surface: Surface, taught_by: AnyLesson) -> int | None:
    """The fewest students sharing the teacher with which distilling wins by the point estimate; None where not even 10,000 do."""

    def pays(students: int) -> bool:
        return bool(_gain_or_loss(deal.with_students(students), surface.point, taught_by)[0] > 0)

    if not pays(MOST_STUDENTS):
        return None
    low, high = 0, MOST_STUDENTS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if pays(middle) else (middle, high)
    return high
