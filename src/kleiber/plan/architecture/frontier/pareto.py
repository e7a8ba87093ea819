"""From a fit and a brief to every design that no other beats in two or three things at once.

The way the data takes: brief -> every buildable shape of every family, trained for many lengths and served in every way worth a
look (`points`, `ways`) -> what no other beats (`designs`, `sieve`) -> where it bends, who holds which stretch (`cuts`,
`reading`) -> the answer (`detail`, `answer`, `words`).
The one idea: a plan answers one question about one budget; a frontier shows all the answers there are, so that whoever pays can
see what the next step costs. Its points are designs at the point estimate; the draws say how far to trust them.

Legend: F points of the frontier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.plan.architecture.frontier import cuts, detail
from kleiber.plan.architecture.frontier.answer import Frontier
from kleiber.plan.architecture.frontier.axes import check, chosen
from kleiber.plan.architecture.frontier.designs import Asked, Designs, asked, designs
from kleiber.plan.architecture.loans import Laws
from kleiber.plan.architecture.planning import caveats
from kleiber.plan.architecture.weights import weighted

if TYPE_CHECKING:
    from kleiber.fit import Fit


def frontier(
    fit: Fit,
    axes: str | Sequence[str] = ("loss", "serving_cost"),
    *,
    level: float = 0.95,
    also: Sequence[Fit] = (),
    family_fits: Mapping[str, Fit] | None = None,
    seed: int | None = None,
    **brief: Any,
) -> Frontier:
    """Every design that no other beats in all of `axes`, among all shapes of all families that the brief allows.

    `axes`: two or three of loss, training_flops, training_cost, training_days, serving_cost, tpot_ms, ttft_ms, memory_gb, params
    and context. `brief`: the fields of `plan.architecture.Brief`, as people write them; a budget may be left out. Shapes
    are trained on 0.05 to 10,000 tokens per param, as far as the limits leave them. `also`, `family_fits`: as for a plan.

    Raises `InputError` for axes that are unknown, repeated, fewer than two or more than three, or that need hardware, a
    price or devices that are not given; and where no design keeps the limits, saying which of them conflict.
    """
    from kleiber.plan.decision import check as check_level

    check_level(level, 0.001)
    over = chosen(axes)
    laws = Laws(fits=(fit, *also), shares=weighted((fit, *also)), own=dict(family_fits or {}))
    question = asked(fit, laws, over, brief, fit.seed if seed is None else seed)
    check(over, question.wish)
    return _answer(question, designs(question), level)


def _answer(question: Asked, found: Designs, level: float) -> Frontier:
    from kleiber.plan import decision as flops_only

    wish, fit, axes = question.wish, question.laws.fit, question.axes
    x, y, third = cuts.roles(axes)
    signed_FA = question.signed(found.front)
    found = replace(
        found, front=found.front.take(np.lexsort((signed_FA[:, axes.index(y)], signed_FA[:, axes.index(x)])))
    )
    values = detail.columns(found.sources, found.front)
    reader = cuts.Reader(
        x=x,
        y=y,
        third=third,
        axes=axes,
        own=found.own,
        losses=lambda some: detail.losses(found.sources, some),
        level=level,
    )
    slices = reader.slices(found.front, found.families)
    longest = max(origin.brief.context for origin in found.sources)
    return Frontier(
        brief=wish,
        axes=axes,
        x=x,
        y=y,
        third=third,
        columns=values,
        families=found.families,
        slices=slices,
        points=detail.listed(found, slices, values, level),
        others=detail.others(found, axes, (x, y)),
        considered=found.considered,
        ceiling=question.ceiling if np.isfinite(question.ceiling) else None,
        level=level,
        loss_unit=flops_only.loss_unit(fit),
        extrapolation_decades=flops_only.decades(float(values["training_flops"].max()), flops_only.largest_flops(fit)),
        caveats=caveats(replace(wish, context=longest), question.laws, detail.borrowed(found)),
        provenance=flops_only.provenance(fit),
    )
