"""A distillation in words: the decision first, then how sure it is, where it turns, who pays, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kleiber.laws.parameter import badge
from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.plan.distil.result import Distilled
    from kleiber.plan.result import Amount


CLOSE = 0.01  # relative distance at which two losses of a teacher are as good as one
HARDLY = 1.05  # a factor outside the fitted range that is not worth a sentence


def sentences(found: Distilled) -> tuple[str, ...]:
    """The decision first; then doubt, teacher, turns, second opinion, reach and caveats; of a law too far off, only that."""
    if found.far:
        return (_undecided(found), *_reach(found), *found.caveats)
    lines = [
        _decision(found),
        *_sure(found),
        *_teacher(found),
        *_turns(found),
        *_sharing(found),
        *_opinion(found),
        *_reach(found),
        *found.caveats,
    ]
    return tuple(lines)


def _short(value: float) -> str:
    return show(float(f"{value:.2g}"), 3)


def _flops(value: float) -> str:
    return f"{value:.2g} FLOP".replace("e+", "e")


def _loss(loss: Amount) -> str:
    ends = loss.interval if loss.interval and loss.interval[1] > loss.interval[0] else None
    inside = f" ({ends[0]:.3f} - {ends[1]:.3f})" if ends else ""
    return f"{loss.value:.3f}{inside}"


def _pupil(found: Distilled) -> str:
    name = f"the {_short(found.teacher_params.value)} teacher" if found.teacher_params else "the teacher"
    return f"{show(found.deal.student, 3)} params on {_short(found.tokens.value)} tokens from {name}"


def _decision(found: Distilled) -> str:
    alone = f"{show(found.deal.student, 3)} params from scratch on {_short(found.deal.scratch_tokens)} tokens"
    apart = f"{abs(found.gain.value):.2g} {found.loss_unit}"
    if found.verdict == "distil":
        return f"Distil {_pupil(found)}: loss {_loss(found.loss)}, {apart} below training from scratch"
    if found.verdict == "train from scratch":
        return f"Train {alone}: loss {_loss(found.scratch_loss)}, {apart} below distilling {_pupil(found)}"
    return (
        f"Cannot tell: distilling {_pupil(found)} reaches {_loss(found.loss)}, training "
        f"{alone} {_loss(found.scratch_loss)}"
    )


def _undecided(found: Distilled) -> str:
    alone = f"{show(found.deal.student, 3)} params from scratch on {_short(found.deal.scratch_tokens)} tokens"
    return f"Cannot tell what a teacher is worth here: training {alone} reaches {_loss(found.scratch_loss)}"


def _sure(found: Distilled) -> list[str]:
    if found.probability is None or found.gain.interval is None:
        return []
    low, high = found.gain.interval
    return [
        f"distilling is better in {100 * found.probability:.3g} % of the draws at equal compute: it takes "
        f"{found.gain.value:+.2g} {found.loss_unit} off the loss ({low:+.2g} to {high:+.2g})"
    ]


def _teacher(found: Distilled) -> list[str]:
    lines = []
    if found.deal.trained and found.teacher_params and found.teacher_tokens:
        part = found.costs["teacher_training"] / found.deal.training_flops
        shared = f", shared by {found.deal.students} students" if found.deal.students > 1 else ""
        ends = found.teacher_params.interval
        spread = f" ({_short(ends[0])} - {_short(ends[1])})" if ends and ends[1] > ends[0] else ""
        lines.append(
            f"the teacher: {_short(found.teacher_params.value)} params{spread} on {_short(found.teacher_tokens.value)} tokens, "
            f"{100 * part:.2g} % of each student's budget{shared}"
        )
    return [*lines, f"the teacher's loss is {_loss(found.teacher_loss)}{_taste(found)}"]


def _taste(found: Distilled) -> str:
    loss, ideal = found.teacher_loss.value, found.best_teacher_loss
    if abs(loss / ideal - 1) < CLOSE:
        return ", about the best for this student"
    if loss > ideal and found.deal.trained:
        return f"; one at {ideal:.2f} would teach better and cost more than that is worth"
    if loss > ideal and ideal <= found.floor:
        return "; the better the teacher, the better this student: the best one lies below the floor of the law"
    reason = "it is too weak" if loss > ideal else "a teacher can be too good"
    return f"; one at {ideal:.2f} would teach this student best: {reason}"


def _turns(found: Distilled) -> list[str]:
    def told(value: Amount) -> str:
        if not value.interval:
            return _flops(value.value)
        return f"{_flops(value.value)} ({' - '.join(_flops(end).removesuffix(' FLOP') for end in value.interval)})"

    lines = []
    if found.wins_from:
        lines.append(f"distilling starts to win at {told(found.wins_from)} per student")
    if found.wins_up_to:
        lines.append(f"beyond {told(found.wins_up_to)} per student training from scratch wins")
    if not lines:
        better = "distilling" if found.gain.value > 0 else "training from scratch"
        low, high = (_flops(end).removesuffix(" FLOP") for end in found.searched)
        lines.append(f"{better} wins at every budget looked at, {low} to {high} FLOP")
    return lines


def _sharing(found: Distilled) -> list[str]:
    if not found.deal.trained:
        return []
    fewest = found.students_to_pay
    if fewest is None:
        return ["however many students share the teacher, training from scratch wins"]
    if fewest == 1:
        return ["the teacher pays even for one student"]
    return [f"the teacher pays from {fewest} students on that share it"]


def _opinion(found: Distilled) -> list[str]:
    opinion = found.second_opinion
    if opinion is None:
        return []
    better, apart = ("distilling" if opinion.gain > 0 else "training from scratch"), abs(opinion.gain)
    agrees = (opinion.gain > 0) == (found.gain.value > 0)
    turn = "says the same" if agrees else "says the opposite"
    return [f"the distillation paper's own supervised law {turn}: {better} is better by {apart:.2g} nats there"]


def _reach(found: Distilled) -> list[str]:
    lines = []
    if found.extrapolation_decades:
        lines.append(f"extrapolates {found.extrapolation_decades:.1f} decades beyond your largest run")
    far = {name: factor for name, factor in found.extrapolation.items() if factor > HARDLY}
    if far:
        lines.append(f"the distillation law is {badge(far)}")
    if found.far:
        lines.append(
            "that is too far for a verdict: distil a few students of your own (a stage with a teacher in a ladder of the lab), "
            "fit them with --law distillation, and give the fit as --taught"
        )
    return lines
