"""`kleiber experts transfer`: what a tweak of the architecture or the cluster does to a plan that was tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.cost import span
from kleiber.cli.experts_job import JobOptions
from kleiber.cli.options import Output, amount, numbers

if TYPE_CHECKING:
    from kleiber.experts.transfer import Transfer
    from kleiber.experts.transfer.loss import LossEffect

SCHEMA = "kleiber/transfer/1"
Changes = Annotated[
    list[str],
    typer.Option(
        "--tweak",
        metavar="NAME=N,...",
        help="experts, top-k, granularity, shared, width, node or context: experts=512.",
    ),
]
Tokens = Annotated[str | None, typer.Option(metavar="TOKENS", help="Of training. [default: 20 for each active param]")]


def transfer(job: JobOptions, output: Output, tweak: Changes, tokens: Tokens = None) -> None:
    """Say what still holds of a tuned plan after a tweak, what must be redone and what that costs; loss and system apart.

    Laws of the loss abstain outside the range that they were fitted on.
    """
    from kleiber.experts.transfer import Tweak
    from kleiber.experts.transfer import transfer as decide

    change = Tweak(values=numbers(tweak, "--tweak"))
    seen = None if tokens is None else amount(tokens, "--tokens")
    described, loads, placement = job.read()
    with screen.working("simulating before and after"):
        found = decide(described, change, loads=loads, placement=placement, tokens=seen)
    if output.as_json:
        from kleiber.cli.provenance import versions

        screen.emit_json(found.to_json() | {"versions": versions()})
        return
    _show(found)


def _show(found: Transfer) -> None:
    from kleiber.quantity import show

    words = ", ".join(f"{name} {value:g}" for name, value in found.tweak.values.items())
    redo = [holding.name for holding in found.holds if holding.verdict == "redo"]
    verdict = f"redo {', '.join(redo)}" if redo else "nothing has to be redone"
    screen.say((f"{found.before.job.shape.name} with {words}: {verdict}", "bold"))
    for holding in found.holds:
        cost = f" It takes {span(holding.seconds)} on every device." if holding.seconds else ""
        remedy = f" To do: {holding.remedy}.{cost}" if holding.remedy else ""
        screen.hang((f"  {holding.name}", "bold"), f"{holding.verdict}: {holding.why}.{remedy}", at=14)
    hours = found.device_hours(found.before)
    if found.after is not None and found.speed is not None:
        after = found.after
        steps = f"{span(found.before.seconds)} a step become {span(after.seconds)}"
        idle = f"idle {100 * found.before.idle_fraction:.1f} % become {100 * after.idle_fraction:.1f} %"
        screen.hang(("  system", "bold"), f"x{found.speed:.3f} tokens per device-hour; {steps}, {idle}", at=14)
    for title, effects, when in (
        ("loss", found.loss, f"{show(found.tokens)} tokens"),
        ("joined", found.joined, f"{show(hours)} device-hours"),
    ):
        speaking = [effect for effect in effects if not effect.abstains]
        for effect in speaking:
            screen.hang((f"  {title}", "bold"), f"{_said(effect)} at the same {when}, by {effect.law}", at=14)
        if effects and not speaking:
            screen.hang((f"  {title}", "bold"), "no published law covers both shapes, so no number is given", at=14)
    for line in found.assumptions:
        screen.hang(("  assumed", "dim"), line, at=14)


def _said(effect: LossEffect) -> str:
    """A law's answer in words."""
    assert effect.before is not None
    assert effect.after is not None
    assert effect.doubt is not None
    change = effect.after - effect.before
    unclear = "" if abs(change) > effect.doubt else ", which is within what the law is off by"
    return f"{effect.quantity} {effect.before:.4g} to {effect.after:.4g} ({change:+.3g} +- {effect.doubt:.2g}{unclear})"


COMMAND = Command(
    group="experts", name="transfer", title="What a tweak does to a tuned plan.", run=transfer, schema=SCHEMA
)
