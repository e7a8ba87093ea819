"""`kleiber experts simulate`: the time of a training step of a sparse model, and what it is spent on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.cost import size, span
from kleiber.cli.experts_job import JobOptions
from kleiber.cli.options import Output, destination, numbers
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.experts.simulate import Step
    from kleiber.experts.what_if import Answer

SCHEMA = "kleiber/step/1"
Asked = Annotated[
    list[str] | None,
    typer.Option("--what-if", metavar="NAME=N,N,...", help="width=8,32,64, node-limit=2,4, replicas=0,1 or capacity=1.25."),
]  # fmt: skip
Drawn = Annotated[
    str | None, typer.Option("--timeline", metavar="FILE", help="Draw the pipeline: .svg, .png, .pdf, .html or .json.")
]
WORDS = {
    "compute": "compute",
    "imbalance": "waiting for the slowest device's experts",
    "exposed_comm": "all-to-all that nothing hides",
    "bubble": "pipeline bubble",
    "data": "gradients and weights between replicas",
    "optimiser": "optimiser",
}


def simulate(job: JobOptions, output: Output, what_if: Asked = None, timeline: Drawn = None) -> None:
    """The seconds of one training step, from a model, a cluster and a trace: compute, imbalance, exposed all-to-all, bubble.

    Without a trace every expert is liked as well. The cluster file is that of `kleiber experts place`.
    """
    from kleiber.experts.simulate import simulate as run
    from kleiber.experts.what_if import what_if as ask

    questions = [_question(text) for text in what_if or []]
    target = None if timeline is None else destination(timeline)
    described, loads, placement = job.read()
    with screen.working("simulating"):
        step = run(described, loads, placement)
        answers = [answer for name, values in questions for answer in ask(described, loads, placement, name, values)]
        if target is not None:
            _draw(step, target)
    if output.as_json:
        from kleiber.cli.provenance import versions

        found = step.to_json() | {"what_if": [answer.to_json(step) for answer in answers]}
        screen.emit_json(found | {"versions": versions()})
        return
    _show(step)
    if answers:
        _show_answers(step, answers)
    if target is not None:
        screen.say(f"The timeline: {target}")


def _question(text: str) -> tuple[str, list[float]]:
    """`width=8,16` as a name and its values."""
    name, sign, values = text.partition("=")
    if not sign or not values:
        raise InputError("cannot be read", found=repr(text), expected="NAME=N,N,...", where="--what-if")
    return name.strip(), [
        numbers(f"value={value}", "--what-if")["value"] for value in values.split(",") if value.strip()
    ]


def _draw(step: Step, target: Any) -> None:
    from kleiber.figures import pipeline_timeline, save

    job = step.job
    save(pipeline_timeline(step.run, f"{job.shape.name}: {job.schedule}, {step.micro_batches} micro-batches"), target)


def _show(step: Step) -> None:
    job = step.job
    screen.say(
        (f"{span(step.seconds)} a step", "bold"), f" of {step.tokens:,} tokens on {job.devices:,} x {job.device.title}"
    )
    nodes = "one node" if job.nodes == 1 else f"{job.nodes} nodes"
    spread = f"experts over {job.width} devices in {nodes}, {job.schedule} over {job.pipeline}"
    rate = f"{step.tokens_per_second_per_device:,.4g} tokens per second and device"
    screen.hang(" ", f"{job.shape.name}: {spread}, {step.micro_batches} micro-batches; {rate}", at=2)
    for name, words in WORDS.items():
        seconds = getattr(step, name)
        part = seconds / step.seconds
        if part >= 0.0005:
            screen.hang(f"  {100 * part:5.1f} %", f"{words} ({span(seconds)})", at=11)
    hidden = max(0.0, 1 - step.exposed_comm / step.comm) if step.comm else 1.0
    screen.hang(" ", f"The mean device stands idle {100 * step.idle_fraction:.1f} % of the step.", at=2)
    if step.comm:
        sent = f"All-to-all takes {span(step.comm)} a device, {100 * hidden:.0f} % of it hidden"
        needs = f"; a token needs {step.nodes_per_token:.3g} of {nodes}" if job.nodes > 1 else ""
        screen.hang(" ", f"{sent}{needs}.", at=2)
    if step.dropped_fraction:
        screen.hang(" ", f"The capacity drops {100 * step.dropped_fraction:.2g} % of the assignments.", at=2)
    fits = "" if step.memory_bytes <= job.device.memory else ", which does not fit: --recompute full keeps less"
    screen.hang(
        " ", f"Memory of the fullest device: {size(step.memory_bytes)} of {size(job.device.memory)}{fits}.", at=2
    )
    screen.hang(" ", "Times of published sparse runs were longer than such numbers (docs/experts-step.md).", at=2)


def _show_answers(step: Step, answers: list[Answer]) -> None:
    heads = ("what if", "step", "faster", "idle", "exposed", "dropped", "memory")
    rows = []
    for answer in answers:
        name = f"{answer.name} {answer.value:g}"
        found = answer.step
        if found is None:
            rows.append((name, "-", "-", "-", "-", "-", "-"))
            continue
        rows.append(
            (name, span(found.seconds), f"x{step.seconds / found.seconds:.3f}", f"{100 * found.idle_fraction:.1f} %",
             span(found.exposed_comm) if found.exposed_comm else "0 s", f"{100 * found.dropped_fraction:.2g} %",
             size(found.memory_bytes))
        )  # fmt: skip
    screen.table(heads, rows)
    for answer in answers:
        if answer.step is None:
            screen.hang(" ", f"{answer.name} {answer.value:g}: {answer.why}", at=2)


COMMAND = Command(
    group="experts", name="simulate", title="The time of a step, and what it is spent on.", run=simulate, schema=SCHEMA
)
