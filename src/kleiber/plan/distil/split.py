"""How to split a budget between student and teacher: the best teacher and tokens, for every draw at once.

The way the data takes: deal + surface (K rows) -> teacher's params, tokens and the student's tokens of least loss, per row.
The one idea: under the budget a teacher has two coordinates that hardly disturb each other, the share of the
budget its training takes and its tokens per param; a grid finds the valley of every row, then shrinking windows walk down in
it. It is searched on a stated range, not certified: the loss is U-shaped in the teacher and no posynomial.

Legend: K rows (the point estimate, then the draws), G points of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.plan.distil.deal import Deal
from kleiber.plan.distil.lesson import AnyLesson
from kleiber.plan.surface import Surface

Array = NDArray[np.float64]
Loss = Callable[[Array, Array], Array]
SHARE = (np.log(1e-6), np.log(0.999))  # of the training budget, for the teacher's training
TOKENS_PER_PARAM = (np.log(0.1), np.log(1e5))  # of the teacher
GRID, WINDOW, STEPS, SHRINK = 25, 5, 30, 0.7
MOST_AT_ONCE = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Split:
    """Per row: the teacher, the student's tokens, and the losses of teacher, student and the student alone on those tokens."""

    teacher_params: Array
    teacher_tokens: Array
    share: Array
    tokens: Array
    teacher_loss: Array
    alone_loss: Array
    loss: Array


def at(deal: Deal, surface: Surface, taught_by: AnyLesson, share: Array, ratio: Array) -> Split:
    """The split at ln(share) and ln(tokens per param), each (K, G) or broadcasting to it."""
    share = np.exp(share) if deal.trained else np.zeros_like(share)
    budget = share * deal.training_flops * deal.students
    params, tokens = _teacher(deal, budget, np.exp(ratio))
    if deal.trained and deal.teacher_params is not None and deal.teacher_tokens is not None:
        share = 6 * params * tokens / (deal.students * deal.training_flops)
    own = deal.tokens(params, share)
    alone = surface.loss(np.full_like(own, deal.student), own)
    taught = np.full_like(alone, deal.teacher_loss) if deal.teacher_loss else surface.loss(params, tokens)
    loss = taught_by.loss(deal.student, own, taught, alone)
    parts = (params, tokens, share, own, taught, alone)
    wide = [np.broadcast_to(part, loss.shape) for part in parts]
    names = ("teacher_params", "teacher_tokens", "share", "tokens", "teacher_loss", "alone_loss")
    return Split(**dict(zip(names, wide, strict=True)), loss=loss)


def _teacher(deal: Deal, budget: Array, ratio: Array) -> tuple[Array, Array]:
    """Params and tokens of the teacher: what the deal fixes, the rest from its budget and tokens per param."""
    one = np.ones_like(budget * ratio)
    if not deal.trained:
        return one * (deal.teacher_params or np.nan), one * (deal.teacher_tokens or np.nan)
    if deal.teacher_params is None:
        params = np.sqrt(budget / (6 * ratio))
        return params, params * ratio
    if deal.teacher_tokens is None:
        return one * deal.teacher_params, budget / (6 * deal.teacher_params) * one
    return one * deal.teacher_params, one * deal.teacher_tokens


def best(deal: Deal, surface: Surface, taught_by: AnyLesson) -> Split:
    """The split of least loss for every row: arrays (K,). Row k of the surface goes with row k of the lesson."""
    free = _free(deal)
    at_once = max(1, MOST_AT_ONCE // GRID ** max(1, sum(free)))
    pieces = []
    for start in range(0, len(surface.theta_KP), at_once):
        which = slice(start, min(start + at_once, len(surface.theta_KP)))
        rows, law = surface.rows(which), taught_by.rows(which)

        def loss(share: Array, ratio: Array, rows: Surface = rows, law: AnyLesson = law) -> Array:
            return at(deal, rows, law, share, ratio).loss

        place = lowest(loss, (SHARE, TOKENS_PER_PARAM), free, len(rows.theta_KP))
        pieces.append(at(deal, rows, law, *(axis[:, None] for axis in place)))
    return Split(**{name: np.concatenate([getattr(piece, name)[:, 0] for piece in pieces]) for name in _FIELDS})


_FIELDS = tuple(Split.__dataclass_fields__)


def fixed(deal: Deal, surface: Surface, taught_by: AnyLesson, plan: Split) -> Split:
    """What every row says of one plan: the decision, row 0 of `plan`. Arrays (K,)."""
    with np.errstate(divide="ignore"):
        share = np.log(plan.share[:1])
    ratio = np.log(plan.teacher_tokens[:1] / plan.teacher_params[:1])
    told = at(deal, surface, taught_by.rows(slice(len(surface.theta_KP))), share, ratio)
    return Split(**{name: getattr(told, name)[:, 0] for name in _FIELDS})


def _free(deal: Deal) -> tuple[bool, bool]:
    """Whether the share and the tokens per param are there to choose."""
    return deal.trained and deal.teacher_tokens is None, deal.trained and deal.teacher_params is None


def lowest(
    loss: Loss, ranges: tuple[tuple[float, float], ...], free: tuple[bool, ...], rows: int
) -> tuple[Array, Array]:
    """The two coordinates of least `loss` on `ranges`, for every row: (K,) each; one that is not free stays in the middle.

    `loss` takes both coordinates as (1, G) or (K, G) and gives (K, G); what is not a number counts as infinite.

    >>> target = np.array([[1.0], [2.0]])
    >>> u, v = lowest(lambda u, v: (u - target) ** 2 + (v - u) ** 2, ((0, 3), (0, 3)), (True, True), 2)
    >>> u.round(3), v.round(3)
    (array([1., 2.]), array([1., 2.]))
    """
    middle = [np.full(rows, (low + high) / 2) for low, high in ranges]
    widths = [
        np.full(rows, (high - low) / 2 if moves else 0.0) for (low, high), moves in zip(ranges, free, strict=True)
    ]
    count = GRID
    for _ in range(STEPS if any(free) else 1):
        steps = [np.linspace(-1, 1, count) if moves else np.zeros(1) for moves in free]
        mesh = [axis.ravel() for axis in np.meshgrid(*steps, indexing="ij")]
        u_KG, v_KG = (
            np.clip(centre[:, None] + width[:, None] * step, *span)
            for centre, width, step, span in zip(middle, widths, mesh, ranges, strict=True)
        )
        loss_KG = np.nan_to_num(loss(u_KG, v_KG), nan=np.inf, posinf=np.inf)
        index_K = np.broadcast_to(loss_KG, u_KG.shape).argmin(axis=1)
        middle = [axis_KG[np.arange(rows), index_K] for axis_KG in (u_KG, v_KG)]
        # Where the best lies on the rim of its window the valley goes on: the window moves there and keeps its size.
        inside_K = np.max([np.abs(step[index_K]) for step in mesh], axis=0) < 1
        shrink_K = np.full(rows, 2 / (count - 1)) if count == GRID else np.where(inside_K, SHRINK, 1.0)
        widths = [width * shrink_K for width in widths]
        count = WINDOW
    return middle[0], middle[1]
